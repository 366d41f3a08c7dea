"""Times as moment.js writes them; what is expected here is what moment.js 2.17 gave, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vpcflow.generate.moment import format_moment

A_MORNING = datetime(2026, 1, 4, 5, 6, 7, 89_000, tzinfo=UTC).timestamp()
AN_AFTERNOON = datetime(2024, 12, 31, 13, 45, 9, 120_000, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("form", "morning", "afternoon"),
    [
        ("X", "1767503167", "1735652709"),
        ("x", "1767503167089", "1735652709120"),
        ("YYYY-MM-DDTHH:mm:ssZ", "2026-01-04T05:06:07+00:00", "2024-12-31T13:45:09+00:00"),
        ("dddd, MMMM Do, h:mm:ss a", "Sunday, January 4th, 5:06:07 am", "Tuesday, December 31st, 1:45:09 pm"),
        ("ddd, hA", "Sun, 5AM", "Tue, 1PM"),
        ("DD/MMM/YYYY:HH:mm:ss ZZ", "04/Jan/2026:05:06:07 +0000", "31/Dec/2024:13:45:09 +0000"),
        ("M Mo MM MMM", "1 1st 01 Jan", "12 12th 12 Dec"),
        ("Q Qo D DDD DDDo DDDD", "1 1st 4 4 4th 004", "4 4th 31 366 366th 366"),
        ("d do dd e E", "0 0th Su 0 7", "2 2nd Tu 2 2"),
        ("w wo ww gggg gg", "2 2nd 02 2026 26", "1 1st 01 2025 25"),
        ("W Wo WW GGGG GG", "1 1st 01 2026 26", "1 1st 01 2025 25"),
        ("YY YYYY Y YYYYYY", "26 2026 2026 +002026", "24 2024 2024 +002024"),
        ("H HH h hh k kk", "5 05 5 05 5 05", "13 13 1 01 13 13"),
        ("hmm hmmss Hmm Hmmss", "506 50607 506 50607", "145 14509 1345 134509"),
        ("m s S SS SSS SSSS", "6 7 0 08 089 0890", "45 9 1 12 120 1200"),
        ("LT LTS L l", "5:06 AM 5:06:07 AM 01/04/2026 1/4/2026", "1:45 PM 1:45:09 PM 12/31/2024 12/31/2024"),
        ("LLLL", "Sunday, January 4, 2026 5:06 AM", "Tuesday, December 31, 2024 1:45 PM"),
        ("[at] H[h] \\H", "at 5h H", "at 13h H"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_a_format_writes_what_moment_writes(form: str, morning: str, afternoon: str) -> None:
    written = [format_moment(time_s, form) for time_s in (A_MORNING, AN_AFTERNOON)]

    assert written == [morning, afternoon]


def test_midnight_is_twelve_and_twenty_four() -> None:
    midnight = datetime(2026, 3, 1, tzinfo=UTC).timestamp()

    assert format_moment(midnight, "h hh H k kk a") == "12 12 0 24 24 am"
