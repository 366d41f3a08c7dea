"""How ``docs/cost.md`` is worked out: tiers, rounding, and prices that are not known."""

from __future__ import annotations

import re

import pytest
from cost import (
    ASSUMED,
    DERIVED,
    DOCS,
    WAYS,
    Cost,
    Line,
    Price,
    charge,
    cost_of,
    load_measured,
    load_prices,
    names,
    up_to_5_kb,
)

PRICES = load_prices((DOCS / "prices.toml").read_text())
MEASURED = load_measured((DOCS / "measured.toml").read_text())


def price(*usd: float, up_to: tuple[float, ...] = ()) -> Price:
    return Price("some_price", "something", "GB", usd, up_to, "us-east-1", "a page", "2026-01-15")


def test_each_tier_has_its_own_price() -> None:
    tiered = price(0.5, 0.25, 0.1, up_to=(10, 30))

    assert charge(4, tiered) == Cost(2.0)
    assert charge(10, tiered) == Cost(5.0)
    assert charge(40, tiered) == Cost(5.0 + 5.0 + 1.0)


def test_a_blank_price_makes_the_cost_unknown_and_is_named() -> None:
    bill = (Line("this", "10", "known"), Line("that", "10", "some_price"))

    total = cost_of(bill, {}, {"known": price(2.0), "some_price": price()})

    assert total == Cost(20.0, ("some_price",))


def test_a_blank_in_the_file_is_no_zero() -> None:
    text = '[x]\nwhat = "x"\nunit = "GB"\nusd = ""\nregion = ""\nsource = ""\ndated = ""\n'

    assert load_prices(text)["x"].usd == ()


@pytest.mark.parametrize(("size", "counted"), [(1, 5120), (5120, 5120), (5121, 10240)])
def test_firehose_counts_a_record_in_steps_of_5_kb(size: int, counted: int) -> None:
    assert up_to_5_kb(size) == counted


def test_a_terabyte_of_lines_of_a_hundred_bytes_is_put_as_fifty_one() -> None:
    known = names({**MEASURED, "log_line": 100, "envelope": 200}, tb=1)

    assert known["records"] == 1024 * 2**30 / 100
    assert known["put_gb"] == pytest.approx(1024 * 51.2)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_bill_can_be_worked_out(way: object) -> None:
    cost = cost_of(way.bill, names(MEASURED, tb=1), PRICES)  # type: ignore[attr-defined]

    assert cost.usd > 0
    assert set(cost.unknown) == {
        line.price
        for line in way.bill  # type: ignore[attr-defined]
        if not PRICES[line.price].usd
    }


def test_the_buffer_is_that_of_the_template() -> None:
    template = (DOCS.parent / "deploy" / "template.yaml").read_text()

    (default,) = re.findall(r'ChoosesBuffer, !If \[LongDocuments, ".*", "(.*)"\]', template)
    assert float(default) == names(MEASURED, tb=1)["buffer_mb"]


def test_no_name_means_two_things() -> None:
    all_names = [*MEASURED, *(row[0] for row in ASSUMED), *(row[0] for row in DERIVED)]

    assert len(all_names) == len(set(all_names))


@pytest.mark.parametrize("price", PRICES.values(), ids=lambda price: price.key)
def test_a_price_has_its_source_and_its_day_or_is_blank(price: Price) -> None:
    assert bool(price.usd) == bool(price.source) == bool(price.dated)
    assert len(price.up_to) == max(0, len(price.usd) - 1)
    assert list(price.up_to) == sorted(price.up_to)
