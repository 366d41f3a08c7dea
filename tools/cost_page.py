"""Write ``docs/cost.md``: what each way costs, which to choose, and how all of it was worked out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence

from cost import (
    ASSUMED,
    DERIVED,
    DOCS,
    TO_OPENSEARCH,
    VOLUMES_TB,
    WAYS,
    Cost,
    Line,
    Price,
    Way,
    charge,
    cost_of,
    load_measured,
    load_prices,
    names,
    value_of,
)


def cost_page() -> str:
    prices = load_prices((DOCS / "prices.toml").read_text())
    measured_text = (DOCS / "measured.toml").read_text()
    measured = load_measured(measured_text)
    return "\n\n".join(
        (
            "# What it costs",
            _introduction(prices, measured_text),
            _totals(prices, measured),
            _which(prices, measured),
            "## The bills",
            "Each for 1 TB a month, so at the first tier of every price. An amount is the formula beside it, over the"
            " names [below](#what-the-formulas-are-made-of); dollars are the amount times the price.",
            *(_bill(way, names(measured, 1), prices) for way in WAYS),
            _beside(prices),
            _made_of(measured_text, measured),
            _price_list(prices),
        )
    )


def _introduction(prices: Mapping[str, Price], measured_text: str) -> str:
    collected = tomllib.loads((DOCS / "prices.toml").read_text())["collected"]
    blank = [f"{price.what} (`{price.key}`)" for price in prices.values() if not price.usd]
    return (
        "Dollars for each terabyte (1,024 GB) of flow logs, counted as AWS counts them: text, before gzip. They are"
        f" worked out from the list prices in [prices.toml](prices.toml), read on {collected} for us-east-1, and from"
        " what was measured, [measured.toml](measured.toml); put your own figures there and run `make docs`. Free"
        " tiers and what flows between regions are left out.\n\n"
        f"{len(blank)} prices were not found and are blank: {'; '.join(blank)}. A total that has one in it is written"
        " *more than* what is known of it, never as if it were 0."
    )


def _totals(prices: Mapping[str, Price], measured: Mapping[str, float]) -> str:
    def row(way: Way) -> tuple[str, ...]:
        costs = [cost_of(way.bill, names(measured, tb), prices).per(tb) for tb in VOLUMES_TB]
        unknown = ", ".join(f"`{key}`" for key in costs[0].unknown) or "–"
        return way.name, *map(_money, costs), unknown, way.good_for

    head = ("way", *(f"{tb} TB a month" for tb in VOLUMES_TB), "not known", "good for")
    return "## Dollars a terabyte\n\n" + _table(head, map(row, WAYS))


def _money(cost: Cost) -> str:
    return f"{'more than ' if cost.unknown else ''}{cost.usd:,.0f}"


def _which(prices: Mapping[str, Price], measured: Mapping[str, float]) -> str:
    known = names(measured, 1)
    totals = [cost_of(way.bill, known, prices).usd for way in WAYS]
    put = charge(known["put_gb"], prices["firehose_put"]).usd
    index = cost_of(TO_OPENSEARCH, known, prices).usd
    parquet = charge(known["parquet_gb"], prices["s3_storage"]).usd
    seconds = charge(known["decorator_gb_s"], prices["lambda_arm64"]).usd
    return "\n\n".join(
        (
            "## Which to choose",
            f"**Let the flow log write to S3 and `objects` make Parquet of it, unless someone waits for the answer**: {totals[-1]:,.0f} dollars"
            f" a terabyte against more than {totals[0]:,.0f} by way of CloudWatch Logs and OpenSearch. Every price of it is known, and what"
            " it writes is what Athena, DuckDB and Spark read fastest. Records are there some ten minutes after the flow.",
            f"**If minutes matter, let the flow log write to Firehose itself**: more than {totals[3]:,.0f} dollars to S3, more than"
            f" {totals[4]:,.0f} to OpenSearch. It needs neither log group nor"
            " ingestor, and Firehose does not round up what AWS delivers to it. What Firehose takes for flow logs as its source was not found:"
            " look it up before you decide.",
            f"**If the log group has to be there, let Firehose unpack it** rather than the ingestor: more than {totals[2]:,.0f} dollars instead of"
            f" {totals[1]:,.0f}, with a price for decompression to look up. Firehose counts every record that is put on a stream as at least 5 KB; the"
            f" ingestor puts each line of {known['log_line']:.0f} bytes singly, as OpenSearch needs it from whoever puts, and so pays for"
            f" {known['put_gb'] / known['log_gb']:,.0f} times what was logged: {put:,.0f} dollars. (For the same reason long custom formats cost"
            " nothing more there.)",
            f"**If they are in S3 and are to be searched, let `objects` write to the domain itself** (`ObjectsByStream=false`): {totals[6]:,.0f}"
            f" dollars instead of {totals[5]:,.0f}, since no document is counted as 5 KB, and each is there once.",
            f"**Search only what you search.** A month in an index with a replica is {index:,.0f} dollars, a month as Parquet in S3 {parquet:,.0f}. Keep"
            " all of it in S3, and put into OpenSearch what dashboards show: a second flow log with `TrafficType` REJECT, or the settings"
            " `ACTIONS=REJECT` and `LOG_STATUSES=OK` (which save the index, not Firehose, for which the record has been put by then).",
            f"**The functions are the small part.** The decorator's time, geolocation included, is {seconds:,.0f} dollars a terabyte. Tune memory and"
            " batches for the delay you want, not for the bill.",
        )
    )


def _bill(way: Way, known: Mapping[str, float], prices: Mapping[str, Price]) -> str:
    def row(line: Line) -> tuple[str, ...]:
        amount, price = value_of(line.units, known), prices[line.price]
        cost = charge(amount, price)
        dollars = "**unknown**" if cost.unknown else f"{cost.usd:,.2f}"
        unit_price = f"{_plain(price.usd[0])} a {price.unit}" if price.usd else f"a {price.unit}"
        return (
            line.what,
            f"`{line.units}`",
            _amount(amount),
            f"`{price.key}`: {unit_price}",
            dollars,
        )

    total = cost_of(way.bill, known, prices)
    return "\n\n".join(
        (
            f"### {way.name}",
            _table(("for", "amount", "", "price", "dollars"), map(row, way.bill)),
            f"Together {_money(total)} dollars a terabyte.",
        )
    )


def _beside(prices: Mapping[str, Price]) -> str:
    node, ocu = prices["opensearch_node"].usd[0] * 730, prices["opensearch_ocu"].usd[0] * 730
    basic, plus = prices["ipstack_basic"].usd[0], prices["ipstack_professional_plus"].usd[0]
    return "\n\n".join(
        (
            "## What does not grow with the logs",
            f"- **OpenSearch's nodes.** A node (`opensearch_node`) is {node:,.0f} dollars a month of 730 hours, and a domain that is"
            f" to survive a zone has three; OpenSearch Serverless starts at two OCU, {2 * ocu:,.0f} dollars a month. How many nodes"
            " a load needs is not worked out here.",
            f"- **Geolocation.** A database file costs nothing a look-up. ipstack's smallest paid plan is {basic} dollars a month"
            f" for 50,000 requests, the one that takes 50 addresses in a request {plus}. Its free plan is for trying only.",
            f"- **Watching.** A metric that a function writes is {prices['custom_metric'].usd[0]:.2f} dollars a month (they write some fifteen"
            f" each while all goes well), an alarm {prices['alarm'].usd[0]:.2f} for each metric it looks at, a dashboard"
            f" {prices['dashboard'].usd[0]:.0f} once there are more than three.",
            "- **The inventory.** Some hundred snapshots a day in S3, and Describe calls, for which AWS takes nothing.",
        )
    )


def _made_of(measured_text: str, measured: Mapping[str, float]) -> str:
    known = names(measured, 1)
    tables = tomllib.loads(measured_text)
    notes = _notes(measured_text)
    return "\n\n".join(
        (
            "## What the formulas are made of",
            f"Measured on {tables['measured']}: {tables['machine']}. {tables['traffic']}",
            _table(
                ("measured", "", "meaning"),
                ((f"`{name}`", _amount(figure), notes[name]) for name, figure in measured.items()),
            ),
            _table(
                ("assumed", "", "meaning"),
                ((f"`{name}`", _amount(value), meaning) for name, value, meaning in ASSUMED),
            ),
            _table(
                ("worked out", "formula", "at 1 TB", "meaning"),
                (
                    (f"`{name}`", f"`{formula}`", _amount(known[name]), meaning)
                    for name, formula, meaning in DERIVED
                ),
            ),
            "`GB` is 2³⁰ bytes, `MB` 2²⁰; `up_to_5_kb` rounds up to the next 5,120.",
        )
    )


def _notes(measured_text: str) -> dict[str, str]:
    """Give the comment that stands behind each figure."""
    lines = (line.partition("#") for line in measured_text.splitlines() if "=" in line)
    return {left.split("=")[0].strip(): note.strip() for left, _, note in lines}


def _price_list(prices: Mapping[str, Price]) -> str:
    def row(price: Price) -> tuple[str, ...]:
        usd = " / ".join(map(_plain, price.usd)) or "**unknown**"
        tiers = " / ".join(f"{end:,.0f}" for end in price.up_to)
        return (
            f"`{price.key}`",
            price.what,
            usd,
            price.unit,
            tiers,
            price.region,
            price.source,
            price.dated,
        )

    head = ("price", "of", "dollars", "a", "tiers end at", "region", "source", "day")
    return "## The prices\n\n" + _table(head, map(row, prices.values()))


def _plain(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".")


def _amount(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1e6:,.1f} million"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
