"""
One request's worth of documents to a search server, sent until each is settled: what is refused goes again, only that.

A request that found no answer may have been carried out, and goes again all the same: a document that is then refused
because its very version is there was most likely put there by us. It counts as delivered, and as doubtful.
"""

from __future__ import annotations

import random as random_numbers
import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vpcflow.sinks.opensearch.server import Answer, NoAnswer, back_off_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpcflow.sinks.opensearch.documents import Documents, Places
    from vpcflow.sinks.opensearch.server import SearchServer

# Only what is needed of an answer that has a line for each document. A server that waits for a shard to recover is to
# say so before the client, which waits for a minute, has to take the answer for lost.
_WANTED = "?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason&timeout=30s"

_CONFLICT = 409
_TOO_MANY = 429
_TOO_LARGE = 413

_STORED = re.compile(r"current version \[(\d+)\]")
"""Says which version is there: ``VersionType.EXTERNAL`` of Elasticsearch and OpenSearch, in the words of both."""

# A server's own word that it did nothing: it has just started, or its disk is full, which somebody may see to.
_BLOCKED = "cluster_block_exception"


class Outcome(NamedTuple):
    """
    What became of documents. The numbers are of documents, ``refused`` has their places and the server's words.

    ``doubtful`` of the delivered may have been there before. ``failed`` are not written, ``error`` says why. ``again``
    counts each time that a document had to be sent again.
    """

    delivered: int = 0
    duplicates: int = 0
    refused: tuple[tuple[int, str], ...] = ()
    failed: int = 0
    doubtful: int = 0
    again: int = 0
    error: str = ""


class Pause:
    """Waits, and is told to stop waiting: for good, since there is no use in going on."""

    def __init__(self) -> None:
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def end(self) -> None:
        self._over.set()

    def wait(self, seconds: float) -> None:
        self._over.wait(seconds)


class Sender:
    """
    Sends documents, a request's worth at a time, from any number of threads.

    ``on_trouble`` is told why documents have to go again.
    """

    def __init__(
        self,
        server: SearchServer,
        path: str,
        *,
        on_trouble: Callable[[str], None] = lambda _: None,
        pause: Pause | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.pause = pause or Pause()
        self._server = server
        self._path = path + _WANTED
        self._on_trouble = on_trouble
        self._clock = clock
        self._random = random

    def send(self, documents: Documents, within_s: float) -> Outcome:
        """
        Send documents until all are settled, or no more than ``within_s`` seconds are over, or ``pause`` is.

        No request begins later; the last may take as long as the client lets it.
        """
        deadline = self._clock() + within_s
        state = _State(documents)
        tries = 0
        while len(state.left):
            if self.pause.is_over or self._clock() >= deadline:
                break
            before = len(state.left)
            trouble = self._attempt(state)
            if state.is_hopeless:
                break
            if not trouble:
                tries = 0
                continue
            # A server that takes most makes way: only one that takes little is given ever more time.
            tries = tries + 1 if 2 * len(state.left) > before else 1
            self._on_trouble(trouble)
            wait_s = back_off_s(tries, self._random)
            if self._clock() + wait_s >= deadline:
                break
            self.pause.wait(wait_s)
        return state.outcome()

    def _attempt(self, state: _State) -> str:
        """Make one request, and note what it settled; gives why some has to go again, '' where none has."""
        places = state.next_places()
        try:
            answer = self._server.bulk(self._path, state.documents.body(places))
        except NoAnswer as error:
            return state.note_no_answer(places, error)
        if answer.status == _TOO_LARGE:
            return state.note_too_large(places, answer)
        if answer.status < 300:
            return state.note_items(places, answer)
        return state.note_refused_request(places, answer)


class _State:
    """Documents on their way: the places of those ``left``, and what became of the others."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.left: Places = np.arange(documents.rows)
        self.is_hopeless = False
        self._size = documents.rows
        self._unanswered = np.zeros(documents.rows, np.bool_)
        self._delivered = self._duplicates = self._doubtful = self._again = 0
        self._refused: list[tuple[int, str]] = []
        self._error = "no time was left to send it"

    def next_places(self) -> Places:
        """Choose what the next request has: all, unless that was too large."""
        return self.left[: self._size]

    def outcome(self) -> Outcome:
        failed = len(self.left)
        return Outcome(
            self._delivered,
            self._duplicates,
            tuple(self._refused),
            failed,
            self._doubtful,
            self._again,
            self._error if failed else "",
        )

    def note_no_answer(self, places: Places, error: NoAnswer) -> str:
        self.is_hopeless = error.permanent
        if error.sent:
            self._unanswered[places] = True
        return self._note_again(len(places), str(error))

    def note_too_large(self, places: Places, answer: Answer) -> str:
        """Send half as many at a time; a single document that is too large is refused."""
        if len(places) > 1:
            self._size = len(places) // 2
        else:
            self._refused.append((int(places[0]), f"413 {answer.text}".strip()))
            self.left = self.left[1:]
        return ""

    def note_refused_request(self, places: Places, answer: Answer) -> str:
        """A passing fault is tried again; any other would come again each time."""
        self.is_hopeless = not answer.is_passing
        if answer.status != _TOO_MANY and answer.error_type != _BLOCKED:
            # It may be the word of a proxy, which has waited for the server in vain.
            self._unanswered[places] = True
        return self._note_again(len(places), f"{answer.status} {answer.text}".strip())

    def note_items(self, places: Places, answer: Answer) -> str:
        """Settle what an answer settles; one that does not say it of each document is none."""
        results = _results(answer.body)
        if len(results) != len(places):
            self._unanswered[places] = True
            return self._note_again(len(places), "an answer that does not name all documents")
        if answer.body.get("errors") is False:
            self._delivered += len(places)
            self.left = self.left[len(places) :]
            return ""
        again: list[int] = []
        trouble = ""
        for place, result in zip(places.tolist(), results):
            if reason := self._note_item(place, result):
                again.append(place)
                trouble = reason
        self.left = np.concatenate([np.array(again, np.int64), self.left[len(places) :]])
        return self._note_again(len(again), trouble) if again else ""

    def _note_item(self, place: int, result: dict[str, Any]) -> str:
        """Settle one document; gives why it has to go again, '' where it has not."""
        status = result["status"]
        error = result.get("error")
        error = error if isinstance(error, dict) else {"reason": error or ""}
        kind, reason = str(error.get("type", "")), str(error.get("reason", ""))
        if status < 300:
            self._delivered += 1
        elif status == _CONFLICT:
            self._note_conflict(place, reason)
        elif status == _TOO_MANY or status >= 500 or kind == _BLOCKED:
            self._unanswered[place] |= status >= 500
            return f"{status} {kind}: {reason}"
        else:
            self._refused.append((place, f"{kind}: {reason}"))
        return ""

    def _note_conflict(self, place: int, reason: str) -> None:
        stored = _STORED.search(reason)
        is_ours = stored is None or int(stored[1]) == self.documents.versions[place]
        if self._unanswered[place] and is_ours:
            self._delivered += 1
            self._doubtful += 1
        else:
            self._duplicates += 1

    def _note_again(self, count: int, why: str) -> str:
        self._again += count
        self._error = why
        return why


def _results(body: Any) -> list[dict[str, Any]]:
    """Give what an answer says of each document: ``{"items": [{"index": {"status": 201}}, …]}``; else nothing."""
    try:
        results = [one for item in body["items"] for one in item.values()]
        return results if all(type(one["status"]) is int for one in results) else []
    except (AttributeError, KeyError, TypeError):
        return []
