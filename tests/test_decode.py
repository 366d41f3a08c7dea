"""Decoding: what came before a fault is given, and the fault is told."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest

from vpcflow.decode import decode, refuse_foreign
from vpcflow.errors import SourceError

TEXT = b"".join(b"2 123456789012 eni-%d 10.0.0.%d ACCEPT OK\n" % (i, i % 250) for i in range(3000))


def noise(size: int) -> bytes:
    """Give text that hardly compresses, so that its members are long."""
    return random.Random(7).randbytes(size).hex().encode()


def decoded(data: bytes, *, read_bytes: int = 1 << 18) -> tuple[bytes, str]:
    """Decode to the end or the fault: the text that came, and the fault's words."""
    stream = io.BytesIO(data)
    head = stream.read(max(4, min(read_bytes, 1 << 16)))
    text = []
    try:
        for piece in decode(lambda size: stream.read(min(size, read_bytes)), head):
            text.append(piece)
    except SourceError as fault:
        return b"".join(text), str(fault)
    return b"".join(text), ""


def member(text: bytes, *, flags: int = 0, between: bytes = b"") -> bytes:
    """Write a gzip member with a header of our making (RFC 1952)."""
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(text) + deflate.flush()
    header = struct.pack("<2sBBIBB", b"\x1f\x8b", 8, flags, 0, 0, 255) + between
    return header + body + struct.pack("<II", zlib.crc32(text), len(text) & 0xFFFFFFFF)


def zstd(*frames: bytes) -> bytes:
    return b"".join(pa.compress(frame, "zstd", asbytes=True) for frame in frames)


@pytest.mark.parametrize("read_bytes", [1, 7, 4096, 1 << 18])
@pytest.mark.parametrize(
    "data",
    [
        TEXT[:5000],
        gzip.compress(TEXT),
        gzip.compress(TEXT[:2000]) + gzip.compress(b"") + gzip.compress(TEXT[2000:5000]),
        gzip.compress(TEXT[:100]) + bytes(1000),
        gzip.compress(TEXT[:100]) + bytes(3) + gzip.compress(TEXT[100:200]) + bytes(512),
        zstd(TEXT),
        zstd(TEXT[:2000], b"", TEXT[2000:5000]),
    ],
    ids=["text", "gzip", "members", "padding", "padding between", "zstd", "frames"],
)
def test_whole_data_is_decoded_in_whatever_pieces_it_comes(data: bytes, read_bytes: int) -> None:
    text, fault = decoded(data, read_bytes=read_bytes)

    assert fault == ""
    assert TEXT.startswith(text)
    assert len(text) in (100, 200, 5000, len(TEXT))


def test_thousands_of_small_members_are_decoded() -> None:
    lines = TEXT.splitlines(keepends=True)

    text, fault = decoded(b"".join(map(gzip.compress, lines)))

    assert (text, fault) == (TEXT, "")


@pytest.mark.parametrize(
    ("flags", "between"),
    [
        (0, b""),
        (1, b""),
        (4, struct.pack("<H", 5) + b"extra"),
        (4, struct.pack("<H", 0)),
        (8, b"flows.log\0"),
        (16, b"a comment\0"),
        (2, b"\x12\x34"),
        (4 | 8 | 16 | 2, struct.pack("<H", 3) + b"abc" + b"name\0" + b"comment\0" + b"\x12\x34"),
    ],
)
def test_a_header_may_have_all_that_gzip_allows(flags: int, between: bytes) -> None:
    data = member(TEXT, flags=flags, between=between)

    assert decoded(data) == (TEXT, "")
    assert decoded(data, read_bytes=1) == (TEXT, "")


def test_the_byte_order_mark_is_taken_off_inside_of_gzip_as_well() -> None:
    data = b"\xef\xbb\xbf" + TEXT

    assert decoded(data)[0] == decoded(gzip.compress(data))[0] == TEXT


@pytest.mark.parametrize("compress", [gzip.compress, zstd], ids=["gzip", "zstd"])
def test_data_cut_anywhere_gives_what_came_before_and_a_fault(
    compress: Callable[[bytes], bytes],
) -> None:
    text = TEXT[:20_000]
    data = compress(text)

    for cut in (*range(4, 40), *range(40, len(data), 61), *range(len(data) - 12, len(data))):
        came, fault = decoded(data[:cut])

        assert text.startswith(came)
        assert "ends in the middle" in fault or "truncated" in fault


def test_little_is_lost_of_a_member_that_is_cut() -> None:
    text = noise(500_000)
    data = gzip.compress(text)

    came, fault = decoded(data[: len(data) // 2])

    assert fault == "ends in the middle of its gzip data"
    assert len(came) > 0.45 * len(text)


def test_a_short_text_before_a_fault_is_given() -> None:
    came, fault = decoded(member(b"2 -\n")[:-1])

    assert (came, fault) == (b"2 -\n", "ends in the middle of its gzip data")


def test_a_wrong_checksum_or_size_is_a_fault_that_loses_no_text() -> None:
    data = bytearray(gzip.compress(TEXT) + gzip.compress(b"more"))
    end = len(gzip.compress(TEXT))

    for at in (end - 8, end - 1):
        wrong = bytearray(data)
        wrong[at] ^= 1

        came, fault = decoded(bytes(wrong))

        assert came == TEXT
        assert "checksum or size is wrong" in fault


def test_a_member_that_is_corrupt_in_the_middle_gives_what_came_before() -> None:
    text = noise(500_000)
    data = bytearray(gzip.compress(text))
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(range(200))

    came, fault = decoded(bytes(data))

    assert "corrupt gzip data" in fault
    # Inflate may go on for a while in what is no longer text.
    assert came[: int(0.45 * len(text))] == text[: int(0.45 * len(text))]


def test_members_before_a_corrupt_one_are_whole() -> None:
    data = gzip.compress(TEXT) + b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + b"\xff" * 50

    came, fault = decoded(data)

    assert came == TEXT
    assert "corrupt gzip data" in fault


@pytest.mark.parametrize(
    ("junk", "words"),
    [
        (b"junk", "data after the end"),
        (b"\0\0\0junk", "data after the end"),
        (b"\x1f\x8b\x07" + bytes(20), "unknown method (7)"),
        (b"\x1f\x8b\x08", "ends in the middle"),
        (b"\x1f", "data after the end"),
    ],
)
def test_what_follows_the_last_member_is_a_fault_that_loses_no_text(
    junk: bytes, words: str
) -> None:
    came, fault = decoded(gzip.compress(TEXT) + junk)

    assert came == TEXT
    assert words in fault


def test_corrupt_zstd_gives_the_frames_before() -> None:
    came, fault = decoded(zstd(TEXT) + b"\x28\xb5\x2f\xfd" + b"\xff" * 50)

    assert TEXT.startswith(came)
    assert len(came) > len(TEXT) - (1 << 14)
    assert "corrupt or truncated zstd data" in fault


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"PK\x03\x04more", "ZIP archive"),
        (b"BZh91AY", "bunzip2"),
        (b"\xfd7zXZ\0", "unxz"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"7z\xbc\xaf\x27", "7-Zip"),
        (b"ORC", "ORC file"),
        (b"Obj\x01avro", "Avro file"),
        ("version srcaddr".encode("utf-16"), "UTF-16 text"),
        (b"\xfe\xff" + "version".encode("utf-16-be"), "UTF-16 text"),
        ("version srcaddr".encode("utf-16-le"), "UTF-16 text"),
        ("version srcaddr".encode("utf-16-be"), "UTF-16 text"),
    ],
)
def test_foreign_formats_are_refused_with_what_to_do(head: bytes, words: str) -> None:
    for data in (head, gzip.compress(head)):
        came, fault = decoded(data)

        assert came == b""
        assert words in fault


@pytest.mark.parametrize(
    "head",
    [b"", b"2", b"2 \0", b"\0" * 64, b"PK", b"ORIGIN version", b"2\0\0\0\0\0\0\0 1234", TEXT],
)
def test_text_and_padding_are_not_foreign(head: bytes) -> None:
    refuse_foreign(head)


def test_any_byte_changed_in_a_gzip_file_is_noticed_or_changes_nothing() -> None:
    text = TEXT[:3000]
    data = gzip.compress(text, mtime=0)

    for at in range(len(data)):
        for bit in (0x01, 0x80):
            wrong = bytearray(data)
            wrong[at] ^= bit

            came, fault = decoded(bytes(wrong))

            # Without its first two bytes it is no gzip file, but text.
            assert fault or came == text or at < 2


def test_pieces_stay_small_however_much_a_member_unpacks_to() -> None:
    stream = io.BytesIO(gzip.compress(bytes(50_000_000)))

    sizes = [len(piece) for piece in decode(stream.read, stream.read(1 << 16))]

    assert sum(sizes) == 50_000_000
    assert max(sizes) <= 1 << 20
