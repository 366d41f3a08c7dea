"""Our envelope: what goes in comes out, byte for byte."""

from __future__ import annotations

import json

import pytest

from vpcflow.flow_envelope import Wrapped, unwrap, unwrap_document, wrap, wrap_document

LINES = [b"2 123456789012 eni-1 - - - -", b"", 'é "\\ \t'.encode(), b"\xff\xfe\x00 \xc3", b"{}"]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("known", [(None, None, 0), ("37:2", "${version} ${srcaddr}", 2)])
def test_a_line_ends_as_it_began(line: bytes, known: tuple[str | None, str | None, int]):
    wrapped = Wrapped(line, *known)

    text = wrap(wrapped)

    assert text.count(b"\n") == 1 and text.endswith(b"\n")
    assert unwrap(json.loads(text)) == wrapped


@pytest.mark.parametrize("document", [b'{"srcport": 1e3, "x": "\xc3\xa9"}', b'{"x": "\xff"}'])
def test_a_document_ends_as_it_began_but_for_the_line_feed(document: bytes):
    text = wrap_document(document + b"\n")

    assert text.count(b"\n") == 1 and text.endswith(b"\n")
    assert unwrap_document(json.loads(text)) == document


def test_a_line_is_no_document_and_a_document_no_line():
    line, document = json.loads(wrap(Wrapped(b"2"))), json.loads(wrap_document(b"{}"))

    assert unwrap_document(line) is None
    assert unwrap(document) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"message": "2"},
        {"v": 2, "line": "2", "document": "{}"},
        {"v": 1, "line": 2, "document": {}},
        {"v": 1, "line": "2", "id": 5},
        {"v": 1, "line": "2", "attempt": -1},
        {"v": 1, "line": "\ud800", "document": "\ud800"},
    ],
)
def test_what_is_no_envelope_of_ours_wraps_nothing(value: object):
    assert unwrap(value) is None
    assert unwrap_document(value) is None
