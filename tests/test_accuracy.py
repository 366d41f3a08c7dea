"""The answers about connections against the simulator's truth, and the page that says how often they are right."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import accuracy
import pytest
from accuracy import Measured, measure, tables, with_tables
from accuracy_truth import NULL, RIGHT, WRONG, Expected, Leg, Tally, judge_rules

from vpcflow.generate.scenario import LAYOUTS, Scenario

SHAPES: dict[str, dict[str, Any]] = {
    "company": {"minutes": 5, "rate_scale": 0.5},
    "scale": {"records": 12_000, "enis": 200, "groups": 30},
}


@functools.cache
def measured(scenario: str, version: str) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        shape = SHAPES[scenario]
        made = Scenario(name=scenario, seed=11, layout=LAYOUTS[version], truth=True, **shape)
        return measure(made, Path(folder))


def of(run: Measured, *asked: str, protocol: str | None = None) -> Tally:
    found = Tally()
    for (what, of_protocol), tally in run.tallies.items():
        if what in asked and protocol in (None, of_protocol):
            found.update(tally)
    return found


@pytest.mark.parametrize("version", ["v2", "v5"])
@pytest.mark.parametrize("scenario", SHAPES)
def test_every_record_belongs_to_a_connection(scenario: str, version: str) -> None:
    run = measured(scenario, version)

    assert run.records > 10_000
    assert run.strangers == 0


@pytest.mark.parametrize("asked", ["initiator", "rules"])
@pytest.mark.parametrize("scenario", SHAPES)
def test_with_version_5_tcp_is_right_and_nothing_else_is_guessed(scenario: str, asked: str) -> None:
    run = measured(scenario, "v5")

    tcp = of(run, asked, protocol="TCP")
    assert tcp.share(RIGHT) >= 0.995
    assert tcp.share(WRONG) <= 0.001
    for protocol in ("UDP", "ICMP", "other"):
        assert of(run, asked, protocol=protocol).share(WRONG) <= 0.005


@pytest.mark.parametrize("asked", ["initiator", "rules"])
@pytest.mark.parametrize("scenario", SHAPES)
def test_with_version_2_little_is_wrong_and_no_more_than_is_left_open(
    scenario: str, asked: str
) -> None:
    run = measured(scenario, "v2")

    every = of(run, asked)
    assert of(run, asked, protocol="TCP").share(RIGHT) >= 0.98
    assert every.share(WRONG) <= 0.01
    assert every[WRONG] < every[NULL] or every[WRONG] == 0


@pytest.mark.parametrize("version", ["v2", "v5"])
@pytest.mark.parametrize("scenario", SHAPES)
def test_a_cause_of_a_reject_is_not_guessed(scenario: str, version: str) -> None:
    causes = of(measured(scenario, version), "reject_cause")

    assert causes.all > 100
    assert causes.share(WRONG) <= 0.005


def test_the_peers_are_wrong_where_they_are_known_to_be() -> None:
    run = measured("company", "v5")

    sample, original = of(run, "sample"), of(run, "original")
    assert sample.share(WRONG) > 0.2
    assert 0.4 < original.share(WRONG) < 0.6


def leg(rules: set[str], *, reply: bool = False) -> Leg:
    side = "dst" if reply else "src"
    return Leg(0, 1, 1, side, frozenset(rules), reply, True, None)


@pytest.mark.parametrize(
    ("match", "rules", "verdict"),
    [
        ("unique", ["sgr-1"], WRONG),
        ("ambiguous", ["sgr-1", "sgr-2"], RIGHT),
        ("ambiguous", ["sgr-1", "sgr-2", "sgr-3"], WRONG),
        ("none", [], WRONG),
        ("response", None, WRONG),
        ("unknown", None, NULL),
        (None, None, NULL),
    ],
)
def test_a_set_of_rules_is_right_as_a_whole(match: str, rules: list[str], verdict: str) -> None:
    record = {"rule_match": match, "rule_ids": rules, "rule_note": None}

    assert judge_rules(record, Expected((leg({"sgr-1", "sgr-2"}),), True)) == verdict


def test_of_a_reply_it_is_right_that_it_is_one() -> None:
    expected = Expected((leg(set(), reply=True),), True)

    verdicts = [
        judge_rules({"rule_match": match, "rule_ids": rules, "rule_note": None}, expected)
        for match, rules in (("response", None), ("unique", ["sgr-1"]), ("none", []))
    ]

    assert verdicts == [RIGHT, WRONG, WRONG]


def test_few_wrong_answers_are_not_rounded_away() -> None:
    assert accuracy._percent(1 / 1_000_000) == "< 0.001 %"
    assert accuracy._percent(1 - 1 / 1_000_000) == "> 99.999 %"
    assert [accuracy._percent(share) for share in (0, 0.125, 1)] == ["0 %", "12.5 %", "100 %"]


def test_the_page_has_every_table_with_the_rows_it_would_be_given() -> None:
    runs = {
        (scenario, version): [measured(scenario, version)]
        for scenario in accuracy.SCENARIOS
        for version in accuracy.VERSIONS
    }
    page = accuracy.PAGE.read_text()

    again = with_tables(
        page, {name: made for name, made in tables(runs).items() if name != "bases"}
    )

    assert labels(again) == labels(page)
    for name in ("bases", "lab"):
        assert "| --- |" in page.partition(f"<!-- table: {name} -->")[2].partition("<!-- end")[0]


def labels(page: str) -> list[list[str]]:
    """Give the words of all rows of the tables, without numbers."""
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [
        [cell for cell in row if not any(c.isdigit() for c in cell) or cell in "v2 v5"]
        for row in rows
    ]
