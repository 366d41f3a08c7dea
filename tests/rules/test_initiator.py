"""Who opened a connection: each kind of evidence, their order, and what says nothing."""

from __future__ import annotations

from tests.rules.recordings import (
    DATABASE,
    LONER,
    NO_FLAGS,
    WEB,
    judge,
    quiet,
    record,
    watched,
    without_flags,
)

CLIENT, SERVER = "198.51.100.7:50000", "10.0.1.10:443"


def test_syn_without_ack_is_sent_by_who_opens() -> None:
    request = record(WEB, CLIENT, SERVER, out=False, flags=3)
    response = record(WEB, SERVER, CLIENT, out=True, flags=19)

    answers = judge([request, response])

    assert [a.initiator for a in answers] == ["src", "dst"]
    assert [a.basis for a in answers] == ["flags", "flags"]


def test_later_records_of_the_connection_know_it_by_its_state() -> None:
    request = record(WEB, CLIENT, SERVER, out=False, flags=2)
    later = record(WEB, SERVER, CLIENT, out=True, flags=0, at=300)

    answers = judge([request, later])

    assert answers[1].initiator == "dst"
    assert answers[1].basis == "state"
    assert answers[0].connection_id == answers[1].connection_id


def test_the_other_interface_tells_what_this_one_lost() -> None:
    seen = record(WEB, "10.0.1.10:40000", "10.0.1.20:5432", out=True, flags=2)
    mirrored = record(DATABASE, "10.0.1.10:40000", "10.0.1.20:5432", out=False, flags=0, at=30)

    answers = judge([seen, mirrored])

    assert answers[1].initiator == "src"
    assert answers[1].basis == "mirror"
    assert answers[0].connection_id == answers[1].connection_id


def test_both_addresses_of_an_interface_meet_without_packet_fields() -> None:
    # Without pkt_ fields the database's peer is the secondary address, and the web server shows its primary one.
    lines = without_flags(
        [
            record(WEB, "10.0.1.20:40000", "10.0.1.10:443", out=False),
            record(WEB, "10.0.1.11:443", "10.0.1.20:40000", out=True),
            record(DATABASE, "10.0.1.20:40000", "10.0.1.11:443", out=True),
        ]
    )

    answers = judge(lines, header=NO_FLAGS)

    assert len({a.connection_id for a in answers}) == 1


def test_flags_that_contradict_each_other_say_nothing() -> None:
    lines = [
        record(LONER, "10.0.1.30:1000", "10.0.9.9:1000", out=True, flags=2),
        record(LONER, "10.0.9.9:1000", "10.0.1.30:1000", out=False, flags=2),
    ]

    answers = judge(lines)

    assert [a.initiator for a in answers] == [None, None]
    assert {a.match for a in answers} == {"unknown"}


def test_only_one_orientation_admitted_by_rules_tells_it() -> None:
    lines = [
        record(WEB, "10.0.1.10:5432", "10.0.1.20:5432", out=True, protocol=17),
        record(WEB, "10.0.1.10:33333", "10.0.0.2:53", out=True, protocol=17),
    ]

    answers = judge(lines)

    assert answers[1].initiator == "src"
    assert answers[1].basis == "rules"
    # No rule admits this one either way, so the rules say nothing.
    assert answers[0].basis != "rules"


def test_the_rules_of_an_interface_without_records_count_too() -> None:
    # The host that may all would open and answer; the database's rules admit one way.
    ping = record(LONER, "10.0.1.30", "10.0.1.20", out=True, protocol=1)
    answer = record(LONER, "10.0.1.20", "10.0.1.30", out=False, protocol=1)

    answers = judge([ping, answer])

    assert [a.initiator for a in answers] == ["src", "dst"]
    assert {a.basis for a in answers} == {"rules"}


def test_one_that_is_turned_away_has_asked() -> None:
    lines = [record(LONER, "10.0.9.9:9999", "10.0.1.30:7", out=False, protocol=17, action="REJECT")]

    (answer,) = judge(lines)

    assert (answer.initiator, answer.basis) == ("src", "rejects")


def test_one_whose_answers_are_turned_away_was_asked() -> None:
    lines = [
        record(LONER, "10.0.9.9", "10.0.1.30", out=False, protocol=1),
        record(LONER, "10.0.1.30", "10.0.9.9", out=True, protocol=1, action="REJECT"),
    ]

    answers = judge(lines)

    assert [a.initiator for a in answers] == ["src", "dst"]
    assert {a.basis for a in answers} == {"rejects"}


def test_a_rejected_tcp_packet_without_syn_is_a_late_one_and_tells_nothing() -> None:
    lines = [record(LONER, "10.0.9.9:443", "10.0.1.30:50000", out=False, flags=1, action="REJECT")]

    (answer,) = judge(lines)

    assert answer.basis != "rejects"


def test_whose_first_packet_came_first_opened_where_the_interface_was_watched() -> None:
    lines = [
        record(LONER, "10.0.9.9:7000", "10.0.1.30:7000", out=False, protocol=17, at=100),
        record(LONER, "10.0.1.30:7000", "10.0.9.9:7000", out=True, protocol=17, at=102),
        *watched(LONER),
    ]

    answers = judge(lines)

    assert [a.initiator for a in answers[:2]] == ["src", "dst"]
    assert {a.basis for a in answers[:2]} == {"starts"}


def test_who_came_first_says_nothing_after_records_were_skipped() -> None:
    lines = [
        record(LONER, "10.0.9.9:7000", "10.0.1.30:7000", out=False, protocol=17, at=100),
        record(LONER, "10.0.1.30:7000", "10.0.9.9:7000", out=True, protocol=17, at=102),
        *watched(LONER),
        quiet(LONER, "SKIPDATA", at=0),
    ]

    answers = judge(lines)

    assert [a.initiator for a in answers[:2]] == [None, None]
    assert [a.note for a in answers[:2]] == ["edge_of_recording"] * 2


def test_who_came_first_says_nothing_at_the_edge_of_the_recording() -> None:
    lines = [
        record(LONER, "10.0.9.9:7000", "10.0.1.30:7000", out=False, protocol=17, at=100),
        record(LONER, "10.0.1.30:7000", "10.0.9.9:7000", out=True, protocol=17, at=102),
        *watched(LONER, first=0),
    ]

    answers = judge(lines)

    assert [a.initiator for a in answers[:2]] == [None, None]


def test_a_port_that_many_talk_to_is_a_service_even_against_a_known_one() -> None:
    lines = without_flags(
        [
            record(LONER, f"10.0.9.{n}:{port}", "10.0.1.30:40000", out=False)
            for n, port in ((1, 50001), (2, 50002), (3, 50003), (4, 80))
        ]
    )

    answers = judge(lines, header=NO_FLAGS)

    assert {(a.initiator, a.basis) for a in answers} == {("src", "port")}


def test_a_well_known_port_against_an_ephemeral_one_is_the_service() -> None:
    lines = without_flags([record(LONER, "10.0.1.30:50000", "10.0.9.9:22", out=True)])

    (answer,) = judge(lines, header=NO_FLAGS)

    assert (answer.initiator, answer.basis) == ("src", "port")


def test_ports_of_one_kind_tell_nothing() -> None:
    lines = without_flags([record(LONER, "10.0.1.30:50000", "10.0.9.9:50001", out=True)])

    (answer,) = judge(lines, header=NO_FLAGS)

    assert (answer.initiator, answer.basis) == (None, None)


def test_ports_tell_nothing_of_udp() -> None:
    lines = [record(LONER, "10.0.1.30:50000", "10.0.9.9:53", out=True, protocol=17)]

    (answer,) = judge(lines)

    assert answer.initiator is None


def test_a_socket_known_as_asked_is_the_service_of_a_connection_without_its_syn() -> None:
    lines = [
        record(LONER, "10.0.9.1:50001", "10.0.1.30:40000", out=False, flags=3),
        record(LONER, "10.0.9.2:1234", "10.0.1.30:40000", out=False, flags=0),
    ]

    answers = judge(lines)

    assert (answers[1].initiator, answers[1].basis) == ("src", "port")
