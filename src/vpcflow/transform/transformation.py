"""From an event of Firehose to its response."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.enrich import ENRICHED, enrich
from vpcflow.linewise import BY_PLACE
from vpcflow.stats import Books
from vpcflow.transform import answer, shed
from vpcflow.transform.fit import Fitted, Room, Rows, fit
from vpcflow.transform.raising import only, place_of, raising_rows
from vpcflow.transform.read import read
from vpcflow.transform.unpack import Ready, unpack
from vpcflow.transform.way_back import WayBack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from vpcflow.enrich import Reference
    from vpcflow.pipeline import Layouts
    from vpcflow.schemas import Schema
    from vpcflow.transform.answer import Firehose
    from vpcflow.transform.requeue import Requeue
    from vpcflow.transform.way_back import Piece


class References(Protocol):
    """Where a batch finds what it is read and enriched by; neither raises for want of an inventory."""

    def layouts(self, stream_arn: str | None) -> Layouts: ...

    def reference(self, flows: Sequence[pa.RecordBatch]) -> Reference: ...


class Transformed(NamedTuple):
    """The response, the books of the batch, and counts and sizes by the names of the metrics."""

    response: dict[str, Any]
    books: Books
    counts: Counter[str]


class Transformation:
    """
    Turns Firehose's events into its responses.

    ``requeue_of`` gives what puts lines back on an event's stream. With ``one_document`` a record becomes one document
    at most, without a line feed; else it becomes as many as it has lines, each ended by one. ``log_statuses`` and
    ``actions`` are those delivered, None for any. ``warn`` is told of defects.
    """

    def __init__(
        self,
        references: References,
        requeue_of: Callable[[Firehose], Requeue],
        *,
        schema: Schema,
        one_document: bool = False,
        response_limit_bytes: int = 5_000_000,
        log_statuses: frozenset[str] | None = None,
        actions: frozenset[str] | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.references = references
        self.requeue_of = requeue_of
        self.schema = schema
        self.one_document = one_document
        self.limit_bytes = response_limit_bytes
        self.warn = warn
        self.last_step = 0
        self._filters = {"log_status": log_statuses, "action": actions}

    def __call__(
        self, event: Mapping[str, Any], remaining_s: Callable[[], float] = lambda: 60.0
    ) -> Transformed:
        """Answer an event; ``remaining_s`` tells the time that is left for it."""
        records = answer.records_of(event)
        if not records:
            return Transformed({"records": []}, Books(), Counter())
        return _Batch(self, answer.firehose_of(event), records).transformed(remaining_s)

    def wanted(self, flows: pa.RecordBatch) -> pa.Array | None:
        """Mark the flows that the filters let pass, None where they let all; what has no value passes."""
        passed = None
        for column, values in self._filters.items():
            if values is None or column not in flows.schema.names:
                continue
            texts = flows.column(column)
            fine = pc.is_in(texts.cast(pa.string()), pa.array(sorted(values)))
            fine = pc.or_(fine, texts.is_null())
            passed = fine if passed is None else pc.and_(passed, fine)
        return passed

    def enriched(self, flows: pa.RecordBatch, reference: Reference) -> pa.RecordBatch:
        """Add what the schema's documents are made of."""
        columns = self.schema.columns
        wanted = None if columns is None else ENRICHED.intersection(columns)
        done = enrich(flows, reference, columns=wanted)
        return done.drop_columns([BY_PLACE]) if BY_PLACE in done.schema.names else done


class _Batch:
    """
    The work on one event. Records and lines go by their numbers.

    ``bad`` and ``ready`` are the pieces of each record that are no flows; ``places`` are the lines of the flows that
    passed the filters, ``place_records`` their records. ``further`` are the pieces that are not delivered with their
    record: it may be one document only, or they raise.
    """

    def __init__(
        self, how: Transformation, firehose: Firehose, records: Sequence[Mapping[str, Any]]
    ) -> None:
        self.how = how
        self.firehose = firehose
        self.records = records
        self.books = Books()
        self.ids = [record.get("recordId") for record in records]
        self.id_sizes = answer.id_sizes(self.ids)
        layouts = how.references.layouts(firehose.arn)
        self.unpacked = unpack(records, firehose.key)
        self.lines = read(self.unpacked, layouts, _source(firehose, records))
        self.record_of = np.array(self.unpacked.records, np.int64)
        self.filtered: set[int] = set()
        self.flows = self._filter(self.lines.batches)
        self.places = _joined([_places(batch) for batch in self.flows])
        self.place_records = self.record_of[self.places]
        self.bad = self._bad()
        self.ready: dict[int, list[Ready]] = {}
        for one in self.unpacked.ready:
            self.ready.setdefault(one.record, []).append(one)
        self.further: set[Piece] = set()
        self.raising: list[int] = []
        self.reference: Reference | None = None
        requeue = how.requeue_of(firehose) if firehose.takes_puts else None
        self.back = WayBack(self.unpacked, layouts, requeue)

    def transformed(self, remaining_s: Callable[[], float]) -> Transformed:
        """Do it all."""
        self._part_bad()
        self._fail_lone_headers()
        if self.how.one_document:
            self._part_further()
        fitted = self._fitted()
        for record in fitted.left_out:
            self._send_all_back(record)
        self.back.put(remaining_s)
        answers, size = self._answers(fitted)
        self._keep_books(fitted)
        counts = self._counts(fitted, answers, size)
        return Transformed({"records": answers}, self.books, counts)

    def _filter(self, batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
        """Count the flows, and leave out those that a setting leaves out."""
        passed = []
        for batch in batches:
            self.books.count_flows(batch)
            wanted = self.how.wanted(batch)
            if wanted is not None and not pc.all(wanted).as_py():
                left_out = batch.filter(pc.invert(wanted))
                self.books.filtered += left_out.num_rows
                self.filtered.update(self.record_of[_places(left_out)].tolist())
                batch = batch.filter(wanted)
            if batch.num_rows:
                passed.append(batch)
        return passed

    def _bad(self) -> dict[int, list[Piece]]:
        found: dict[int, list[Piece]] = {}
        for place in self.lines.bad:
            found.setdefault(self.unpacked.records[place], []).append(place)
        for one in self.unpacked.bad:
            found.setdefault(one.record, []).append(one)
        return found

    def _part_bad(self) -> None:
        """Let bad lines go back where their record has others; a record with nothing else fails as it came."""
        if not self.bad:
            return
        with_others = {*self.ready, *self.filtered, *self.place_records.tolist()}
        for record, pieces in self.bad.items():
            if record in with_others:
                self.back.add(record, pieces, "with_bad_lines")
            else:
                self.back.fail(record, "no_flow_record")

    def _fail_lone_headers(self) -> None:
        """Let records fail that are header lines and nothing else; what has nothing in it at all is blank."""
        unpacked = self.unpacked
        held = np.bincount(self.record_of, minlength=len(self.records))
        for record in np.flatnonzero(held == 0).tolist():
            if not (record in self.bad or record in self.ready or unpacked.controls[record]):
                unpacked.blanks[record] = unpacked.blanks[record] or 1
        if self.lines.headers:
            with_others = {*self.bad, *self.ready, *self.filtered, *self.place_records.tolist()}
            for record in {unpacked.records[place] for place in self.lines.headers}:
                if record not in with_others:
                    self.back.fail(record, "no_flow_record")

    def _part_further(self) -> None:
        """Where a record may be one document only, let all but its first go back."""
        if not self.ready and not (np.bincount(self.place_records) > 1).any():
            return
        further: dict[int, list[Piece]] = {}
        seen: set[int] = set()
        for record, place in sorted(zip(self.place_records.tolist(), self.places.tolist())):
            if record in seen:
                further.setdefault(record, []).append(place)
            seen.add(record)
        for record, documents in self.ready.items():
            if rest := documents if record in seen else documents[1:]:
                further.setdefault(record, []).extend(rest)
        for record, pieces in further.items():
            self.further.update(pieces)
            self.back.add(record, pieces, "several_documents")

    def _send_all_back(self, record: int) -> None:
        """Let what was to be delivered of a record go back, line by line; a lone document would only come again."""
        places = np.sort(self.places[self.place_records == record]).tolist()
        whole: list[Piece] = [*places, *self.ready.get(record, ())]
        pieces = [piece for piece in whole if piece not in self.further]
        if len(whole) + len(self.bad.get(record, ())) == 1 and isinstance(whole[0], Ready):
            self.back.fail(record, "too_large")
        else:
            self.back.add(record, pieces, "too_large")

    def _fitted(self) -> Fitted:
        """Enrich and encode what is to be delivered, to the size there is room for."""
        try:
            return self._fit()
        except Exception as error:
            # A defect that one line meets must not cost the others.
            if self.reference is None:
                raise
            self._part_raising(self.reference)
            self.how.warn(f"{len(self.raising)} lines were left out: {place_of(error)}, a defect")
            return self._fit()

    def _part_raising(self, reference: Reference) -> None:
        """Let lines go back that cannot be enriched or encoded, where their record has others; else it fails."""

        def work(flows: pa.RecordBatch) -> object:
            return shed.documents(self.how.enriched(flows, reference), self.how.schema)

        for at, batch in enumerate(self.flows):
            rows = raising_rows(batch, work)
            # What goes back anyhow may raise where it comes again.
            self.raising.extend(p for p in _places(batch)[rows].tolist() if p not in self.further)
            self.flows[at] = only(batch, np.delete(np.arange(batch.num_rows), rows))
        self.further.update(self.raising)
        left = {*self.ready, *self.filtered, *self.bad}
        left.update(self.record_of[np.setdiff1d(self.places, self.raising)].tolist())
        for place in self.raising:
            record = self.unpacked.records[place]
            if record in left:
                self.back.add(record, [place], "raised")
            else:
                self.back.fail(record, "raised")

    def _fit(self) -> Fitted:
        rows = self._rows()
        ready = {}
        for record, documents in self.ready.items():
            kept = [one.document + b"\n" for one in documents if one not in self.further]
            if kept and record not in self.back.failed:
                ready[record] = kept
        room = self._room(rows, ready)
        fitted = fit(rows, ready, self.how.schema, room, hint=self.how.last_step)
        self.how.last_step = fitted.step
        return fitted

    def _rows(self) -> list[Rows]:
        gone = np.zeros(len(self.records), np.bool_)
        gone[list(self.back.failed)] = True
        parted = np.zeros(len(self.record_of), np.bool_)
        parted[[piece for piece in self.further if isinstance(piece, int)]] = True
        kept = []
        for batch in self.flows:
            places = _places(batch)
            out = gone[self.record_of[places]] | parted[places]
            if out.any():
                batch = batch.filter(pa.array(~out))
            if batch.num_rows:
                kept.append(batch)
        if not kept:
            return []
        if self.reference is None:
            self.reference = self.how.references.reference(kept)
        enriched = (self.how.enriched(batch, self.reference) for batch in kept)
        return [Rows(done, self.record_of[_places(done)]) for done in enriched]

    def _room(self, rows: Sequence[Rows], ready: Mapping[int, object]) -> Room:
        """Say what each answer costs; one that may yet fail costs what it costs then."""
        key, records, ids = self.firehose.key, self.records, self.id_sizes
        others = ids + answer.rest_size("Dropped", None)

        def failed_size(record: int) -> int:
            data = answer.data_size(records[record].get(key))
            return int(ids[record]) + data + answer.rest_size("ProcessingFailed", key)

        for record in (*self.back.failed, *self.back.going):
            others[record] = failed_size(record)
        for some in rows:
            others[some.records] = 0
        others[list(ready)] = 0
        return Room(
            self.how.limit_bytes,
            fixed=ids + answer.rest_size("Ok", key),
            failed=lambda: np.array([failed_size(r) for r in range(len(records))], np.int64),
            others=int(others.sum()) + answer.frame_size() - len(", "),
        )

    def _answers(self, fitted: Fitted) -> tuple[list[dict[str, Any]], int]:
        """Answer for every record, in order, and say how large that is."""
        key, failed = self.firehose.key, self.back.failed
        has = fitted.sizes > 0
        has[[*failed, *fitted.left_out]] = False
        text, sizes = fitted.text, fitted.sizes
        if self.how.one_document:
            text, sizes = text.replace(b"\n", b""), sizes - (sizes > 0)
        encoded = answer.in_base64(text, sizes)
        size = answer.frame_size() - len(", ") + int(self.id_sizes.sum())
        size += int((answer.base64_size(sizes[has]) + answer.rest_size("Ok", key)).sum())
        if has.all():
            pairs = zip(self.ids, encoded)
            return [{"recordId": id_, "result": "Ok", key: data} for id_, data in pairs], size
        answers: list[dict[str, Any]] = []
        for record, (id_, is_ok, data) in enumerate(zip(self.ids, has.tolist(), encoded)):
            if is_ok:
                answers.append({"recordId": id_, "result": "Ok", key: data})
            elif record not in failed:
                answers.append({"recordId": id_, "result": "Dropped"})
                size += answer.rest_size("Dropped", None)
            else:
                answers.append({"recordId": id_, "result": "ProcessingFailed"})
                own = self.records[record].get(key)
                if isinstance(own, str):
                    answers[-1][key] = own
                size += answer.rest_size("ProcessingFailed", key if key in answers[-1] else None)
                size += answer.data_size(own)
        return answers, answer.shrink(answers, key, size, self.how.limit_bytes)

    def _keep_books(self, fitted: Fitted) -> None:
        books, failed = self.books, self.back.failed
        books.found += sum(map(len, self.bad.values())) + len(self.unpacked.ready)
        for record, pieces in self.bad.items():
            if record in failed:
                books.rejected.update(
                    self.lines.bad[piece] if isinstance(piece, int) else "bad_envelope"
                    for piece in pieces
                )
        if failed:
            books.failed += int(np.isin(self.place_records, list(failed)).sum())
            books.failed += sum(len(self.ready.get(record, ())) for record in failed)
        books.requeued += sum(len(going.records) for going in self.back.going.values())
        delivered = fitted.counts.copy()
        delivered[[*failed, *fitted.left_out]] = 0
        books.delivered += int(delivered.sum())
        books.controls += self.unpacked.controls.total()
        books.blanks += self.unpacked.blanks.total()
        books.headers += len(self.lines.headers)

    def _counts(
        self, fitted: Fitted, answers: Sequence[Mapping[str, Any]], size: int
    ) -> Counter[str]:
        results = Counter(one["result"] for one in answers)
        counts = Counter(
            input_records=len(self.records),
            input_bytes=self.unpacked.size_bytes,
            response_bytes=size,
            answered_ok=results["Ok"],
            answered_dropped=results["Dropped"],
            answered_failed=results["ProcessingFailed"],
            shed_documents=fitted.shed_documents,
            shed_fields=fitted.shed.total(),
            lines_raised=len(self.raising),
        )
        counts.update({f"shed_{name}": number for name, number in fitted.shed.items()})
        counts.update(f"failed_{reason}" for reason in self.back.failed.values())
        counts.update(self.back.counts)
        return counts


def _source(firehose: Firehose, records: Sequence[Mapping[str, Any]]) -> str:
    """Name the batch by its first record, which is the same when Firehose tries again."""
    name = f"{firehose.stream}/{records[0].get('recordId')}"
    return name.encode("utf-8", "backslashreplace").decode()


def _places(flows: pa.RecordBatch) -> npt.NDArray[np.int64]:
    return np.asarray(flows.column("source_line").to_numpy(), np.int64) - 1


def _joined(arrays: Sequence[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
