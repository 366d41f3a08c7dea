"""Where one connection of two sockets ends and the next begins."""

from __future__ import annotations

import pytest

from tests.rules.recordings import DATABASE, LONER, WEB, judge, record

CLIENT, SERVER = "198.51.100.7:50000", "10.0.1.10:443"


def connections(lines: list[str]) -> list[int]:
    """Judge lines, and number their connections in the order of appearance."""
    ids = [answer.connection_id for answer in judge(lines)]
    return [list(dict.fromkeys(ids)).index(one) for one in ids]


def test_intervals_of_one_connection_are_one() -> None:
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=2),
        record(WEB, SERVER, CLIENT, out=True, flags=18),
        record(WEB, CLIENT, SERVER, out=False, flags=0, at=60),
        record(WEB, CLIENT, SERVER, out=False, flags=1, at=7200),
    ]

    assert connections(lines) == [0, 0, 0, 0]


def test_a_syn_after_the_end_begins_another() -> None:
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=3),
        record(WEB, SERVER, CLIENT, out=True, flags=19),
        record(WEB, CLIENT, SERVER, out=False, flags=3, at=60),
        record(WEB, SERVER, CLIENT, out=True, flags=19, at=60),
    ]

    assert connections(lines) == [0, 0, 1, 1]


def test_a_syn_sent_again_begins_no_other() -> None:
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=2, action="REJECT"),
        record(WEB, CLIENT, SERVER, out=False, flags=2, at=60, action="REJECT"),
    ]

    assert connections(lines) == [0, 0]


def test_a_record_long_after_both_sides_have_closed_is_of_another() -> None:
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=3),
        record(WEB, SERVER, CLIENT, out=True, flags=19),
        record(WEB, CLIENT, SERVER, out=False, flags=0, at=600),
    ]

    assert connections(lines) == [0, 0, 1]


def test_a_pause_of_an_open_connection_keeps_it() -> None:
    lines = [
        record(WEB, CLIENT, SERVER, out=False, flags=2),
        record(WEB, CLIENT, SERVER, out=False, flags=0, at=86_400),
    ]

    assert connections(lines) == [0, 0]


@pytest.mark.parametrize(("packets", "pause", "expected"), [(1, 40, 1), (9, 40, 0), (9, 200, 1)])
def test_udp_is_forgotten_sooner_where_one_packet_was_seen(
    packets: int, pause: int, expected: int
) -> None:
    lines = [
        record(
            WEB, "10.0.1.10:5000", "10.0.0.2:53", out=True, protocol=17, lasts=0, packets=packets
        ),
        record(WEB, "10.0.1.10:5000", "10.0.0.2:53", out=True, protocol=17, lasts=0, at=pause),
    ]

    assert connections(lines) == [0, expected]


def test_the_sockets_of_another_protocol_are_another_connection() -> None:
    lines = [
        record(LONER, "10.0.1.30:53", "10.0.9.9:53", out=True, protocol=protocol)
        for protocol in (6, 17)
    ]

    assert connections(lines) == [0, 1]


def test_both_interfaces_of_a_connection_see_one() -> None:
    lines = [
        record(WEB, "10.0.1.10:40000", "10.0.1.20:5432", out=True, flags=2),
        record(DATABASE, "10.0.1.10:40000", "10.0.1.20:5432", out=False, flags=2),
        record(DATABASE, "10.0.1.20:5432", "10.0.1.10:40000", out=True, flags=18),
        record(WEB, "10.0.1.20:5432", "10.0.1.10:40000", out=False, flags=18),
    ]

    assert connections(lines) == [0, 0, 0, 0]
