"""One request's worth, sent until each document is settled."""

from __future__ import annotations

import pyarrow as pa
import pytest
from flow_batches import flows
from search_fake import (
    FakeSearchServer,
    Fault,
    answering,
    conflict,
    raising,
    refusal,
    refusing,
)

from vpcflow.schemas import encode_flat
from vpcflow.sinks.opensearch.bulk import Outcome
from vpcflow.sinks.opensearch.documents import Documents, Placing, documents_of, joined
from vpcflow.sinks.opensearch.server import Answer, NoAnswer

BUSY = refusal(429, "rejected_execution_exception")
LOST = NoAnswer("the connection was closed", sent=True)
AWAY = NoAnswer("connection refused", sent=False)
UNTRUSTED = NoAnswer("not trusted", sent=False, permanent=True)


def documents(count: int = 10, revision: int = 1) -> Documents:
    given = flows(count).append_column("event_id", pa.array([f"{i:032x}" for i in range(count)]))
    given = given.append_column("revision", pa.array([revision] * count, pa.int64()))
    return joined(list(documents_of(given, Placing("flows"), encode_flat)))


def send(server: FakeSearchServer, given: Documents | None = None, within_s: float = 60) -> Outcome:
    return server.sender().send(documents() if given is None else given, within_s)


def test_all_is_delivered_in_one_request():
    server = FakeSearchServer()

    outcome = send(server)

    assert outcome == Outcome(delivered=10)
    assert (server.sizes, len(server.kept)) == ([10], 10)


def test_what_is_there_is_a_duplicate():
    server = FakeSearchServer()
    send(server, documents(4))

    outcome = send(server)

    assert outcome == Outcome(delivered=6, duplicates=4)


def test_a_higher_revision_replaces_and_a_lower_one_changes_nothing():
    server = FakeSearchServer()

    outcomes = [send(server, documents(3, revision)) for revision in (2, 3, 1)]

    assert [outcome.delivered for outcome in outcomes] == [3, 3, 0]
    assert outcomes[2].duplicates == 3
    assert {version for version, _ in server.kept.values()} == {3}


def test_only_refused_documents_go_again():
    server = FakeSearchServer(refusing(BUSY, 1, 4), refusing(BUSY, 0))

    outcome = send(server)

    assert server.sizes == [10, 2, 1]
    assert outcome == Outcome(delivered=10, again=3)
    assert len(server.kept) == 10


def test_waits_grow_while_little_is_taken_and_shrink_when_most_is():
    faults = [answering(429)] * 3 + [refusing(BUSY, 0), None]

    server = FakeSearchServer(*faults)
    send(server)

    assert server.waits == [0.25, 0.5, 1.0, 0.25]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_request_that_is_refused_for_now_goes_again(status: int):
    server = FakeSearchServer(answering(status), answering(status))

    outcome = send(server)

    assert outcome == Outcome(delivered=10, again=20)


@pytest.mark.parametrize("error", [AWAY, LOST])
def test_a_server_that_is_away_is_asked_again(error: NoAnswer):
    server = FakeSearchServer(*[raising(error)] * 5)

    outcome = send(server)

    assert (outcome.delivered, outcome.doubtful, len(server.requests)) == (10, 0, 6)


def test_a_document_refused_for_good_is_told_with_the_servers_words():
    mapping = refusal(400, "mapper_parsing_exception", "failed to parse field [a]")
    server = FakeSearchServer(refusing(mapping, 3))

    outcome = send(server)

    assert outcome.refused == ((3, "mapper_parsing_exception: failed to parse field [a]"),)
    assert (outcome.delivered, outcome.failed, server.sizes) == (9, 0, [10])


def test_a_place_stays_a_documents_own_when_it_goes_again():
    mapping = refusal(400, "mapper_parsing_exception", "no")
    server = FakeSearchServer(refusing(BUSY, 2, 5, 7), refusing(mapping, 1))

    outcome = send(server)

    assert [place for place, _ in outcome.refused] == [5]


def test_an_index_that_is_blocked_for_now_is_tried_again():
    blocked = refusal(403, "cluster_block_exception", "index [flows] blocked by: [FORBIDDEN/12/…]")
    server = FakeSearchServer(refusing(blocked, *range(10)))

    assert send(server) == Outcome(delivered=10, again=10)


def test_an_answer_that_was_lost_makes_no_duplicate_of_what_it_wrote():
    server = FakeSearchServer(raising(LOST, carried_out=True))

    outcome = send(server)

    assert outcome == Outcome(delivered=10, doubtful=10, again=10)
    assert len(server.kept) == 10


def test_what_was_surely_not_carried_out_leaves_duplicates_what_they_are():
    server = FakeSearchServer()
    send(server)
    server.faults = [raising(AWAY), answering(429), answering(503, "cluster_block_exception")]

    outcome = send(server)

    assert outcome == Outcome(duplicates=10, again=30)


def test_a_higher_version_than_ours_was_not_put_there_by_a_lost_request():
    server = FakeSearchServer()
    send(server, documents(revision=5))
    server.faults = [raising(LOST)]

    outcome = send(server, documents(revision=2))

    assert outcome == Outcome(duplicates=10, again=10)


def test_a_document_the_server_failed_on_may_be_there_all_the_same():
    failed = refusal(503, "unavailable_shards_exception")
    theirs = refusal(409, "version_conflict_engine_exception", conflict(1))
    server = FakeSearchServer(refusing(failed, 0), refusing(theirs, 0))

    outcome = send(server, documents(1))

    assert outcome == Outcome(delivered=1, doubtful=1, again=1)


def test_an_answer_that_leaves_documents_out_is_none():
    def short(server: FakeSearchServer, pairs: list[object]):
        answer = server.carry_out(pairs)
        answer.body["items"].pop()
        return answer

    server = FakeSearchServer(short)

    assert send(server) == Outcome(delivered=10, doubtful=10, again=10)


@pytest.mark.parametrize(
    "body",
    [
        "ok",
        [],
        {"items": None},
        {"errors": True, "items": [{}] * 10},
        {"errors": True, "items": ["created"] * 10},
        {"errors": True, "items": [{"index": {"status": "201"}}] * 10},
        {"errors": False, "items": [{"index": None}] * 10},
    ],
)
def test_an_answer_of_another_form_is_none(body: object):
    def odd(server: FakeSearchServer, pairs: list[object]):
        server.carry_out(pairs)
        return Answer(200, body)

    assert send(FakeSearchServer(odd)) == Outcome(delivered=10, doubtful=10, again=10)


def test_a_request_that_is_too_large_is_halved_until_it_fits():
    server = FakeSearchServer(answering(413), answering(413))

    outcome = send(server)

    assert server.sizes == [10, 5, 2, 2, 2, 2, 2]
    assert outcome == Outcome(delivered=10)


def test_a_document_that_is_too_large_by_itself_is_refused():
    server = FakeSearchServer(answering(413), answering(413))

    outcome = send(server, documents(2))

    assert [place for place, _ in outcome.refused] == [0]
    assert outcome.delivered == 1


@pytest.mark.parametrize(
    "fault", [answering(401), answering(403), answering(400), answering(404), raising(UNTRUSTED)]
)
def test_what_no_repetition_mends_is_not_repeated(fault: Fault):
    server = FakeSearchServer(fault)

    outcome = send(server)

    assert (outcome.failed, len(server.requests), server.waits) == (10, 1, [])
    assert outcome.error


def test_the_time_there_is_ends_it_and_no_request_begins_later():
    server = FakeSearchServer(*[answering(503)] * 100)

    outcome = send(server, within_s=30)

    assert outcome.failed == 10
    assert outcome.error == "503"
    assert sum(server.waits) <= 30
    assert len(server.requests) == len(server.waits) + 1


def test_what_was_taken_before_the_time_was_over_is_delivered():
    faults = [refusing(BUSY, 0, 1, 2), *[answering(429)] * 100]
    server = FakeSearchServer(*faults)

    outcome = send(server, within_s=5)

    assert (outcome.delivered, outcome.failed) == (7, 3)


def test_nothing_is_sent_without_time():
    server = FakeSearchServer()

    outcome = send(server, within_s=0)

    assert (outcome.failed, server.requests) == (10, [])
    assert "no time" in outcome.error


def test_nothing_is_sent_once_it_is_over():
    server = FakeSearchServer()
    sender = server.sender()
    sender.pause.end()

    outcome = sender.send(documents(), 60)

    assert (outcome.failed, server.requests) == (10, [])


def test_trouble_is_told():
    told: list[str] = []
    server = FakeSearchServer(answering(429), refusing(BUSY, 0))

    server.sender(on_trouble=told.append).send(documents(), 60)

    assert told == ["429", "429 rejected_execution_exception: no reason"]
