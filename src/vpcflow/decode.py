"""Decode: bytes to bytes. Compression is known by content, never by a file's name."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pyarrow as pa
from isal import igzip_lib, isal_zlib

from vpcflow.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Read = Callable[[int], bytes]

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
PARQUET = b"PAR1"

_READ_BYTES = 256 * 1024
# Larger outputs leave the processor's cache: 859 MB/s in pieces of this size, 466 in one.
_OUT_BYTES = 1024 * 1024

# Corrupt data is noticed a piece at a time: what a piece gave before the fault is lost, so pieces are small.
_FEED_BYTES = 16 * 1024
_ZSTD_OUT_BYTES = 16 * 1024

# Enough to tell UTF-16 by its zeros.
_SAMPLE_BYTES = 64

_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"BZh": "bzip2 data: unpack it first (`bunzip2`)",
    b"\xfd7zXZ\x00": "xz data: unpack it first (`unxz`)",
    b"\x04\x22\x4d\x18": "lz4 data: unpack it first (`unlz4`)",
    b"7z\xbc\xaf": "a 7-Zip archive: unpack it first",
    b"ORC": "an ORC file, which AWS does not write flow logs in",
    b"Obj\x01": "an Avro file, which AWS does not write flow logs in",
    b"\xff\xfe": "UTF-16 text: convert it to UTF-8 first (`iconv -f UTF-16 -t UTF-8`)",
    b"\xfe\xff": "UTF-16 text: convert it to UTF-8 first (`iconv -f UTF-16 -t UTF-8`)",
}
_BOM = b"\xef\xbb\xbf"


def decode(read: Read, head: bytes) -> Iterator[bytes]:
    """
    Yield text in pieces of about 1 MiB from a stream that begins with ``head`` and goes on with ``read(size)``.

    gzip (several members) and zstd (several frames) are unpacked, a byte order mark is taken off. What could be
    decoded before a fault is yielded; then ``SourceError`` tells the fault. UTF-16 and foreign formats raise it first.
    """
    pieces = _unpacked(_raw(read, head), head)
    first, fault = b"", None
    try:
        while len(first) < _SAMPLE_BYTES and (more := next(pieces, None)) is not None:
            first += more
    except SourceError as early:
        fault = early
    refuse_foreign(first)
    yield first.removeprefix(_BOM)
    if fault is not None:
        raise fault
    yield from pieces


def refuse_foreign(head: bytes) -> None:
    """Raise ``SourceError`` where the first bytes are those of something that is not flow log text."""
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise SourceError(f"is {what}")
    sample = head[:_SAMPLE_BYTES]
    if len(sample) >= 8 and not any(sample[1::2]) and all(sample[::2]):
        raise SourceError("is " + _FOREIGN[b"\xff\xfe"])
    if len(sample) >= 8 and not any(sample[::2]) and all(sample[1::2]):
        raise SourceError("is " + _FOREIGN[b"\xff\xfe"])


def _raw(read: Read, head: bytes) -> Iterator[bytes]:
    if head:
        yield head
    while piece := read(_READ_BYTES):
        yield piece


def _unpacked(pieces: Iterator[bytes], head: bytes) -> Iterator[bytes]:
    if head.startswith(GZIP):
        return _gunzip(pieces)
    if head.startswith(ZSTD):
        return _unzstd(pieces)
    refuse_foreign(head)
    return pieces


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """
    Unpack gzip members: RFC 1952.

    The header is read and the checksum compared here, around raw deflate, because the library's own gzip reader
    discards what it had decompressed when the checksum is wrong.
    """
    feed = _Feed(pieces)
    while feed.skip_zeros():
        _skip_header(feed)
        inflate = isal_zlib.decompressobj(wbits=-15)
        checksum = size = 0
        while not inflate.eof:
            piece = inflate.unconsumed_tail or feed.take_up_to(_FEED_BYTES)
            if not piece:
                raise SourceError("ends in the middle of its gzip data")
            try:
                out = inflate.decompress(piece, _OUT_BYTES)
            except igzip_lib.IsalError as fault:  # type: ignore[misc]  # its stub is wrong
                raise SourceError(f"has corrupt gzip data ({str(fault).strip()})") from fault
            checksum, size = isal_zlib.crc32(out, checksum), size + len(out)
            if out:
                yield out
        feed.put_back(inflate.unused_data)
        trailer = feed.take(8)
        if trailer != struct.pack("<II", checksum, size & 0xFFFFFFFF):
            raise SourceError("has corrupt gzip data (its checksum or size is wrong)")


def _skip_header(feed: _Feed) -> None:
    if feed.take_up_to(1) + feed.take_up_to(1) != GZIP:
        raise SourceError("has data after the end of its gzip data")
    method, flags, _ = struct.unpack("<BB6s", feed.take(8))
    if method != 8:
        raise SourceError(f"has gzip data of an unknown method ({method})")
    if flags & 4:
        feed.take(struct.unpack("<H", feed.take(2))[0])
    for flag in (8, 16):
        while flags & flag and feed.take(1) != b"\0":
            pass
    if flags & 2:
        feed.take(2)


class _Feed:
    """Bytes of a stream of pieces, by count."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def _fill(self) -> bool:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._rest = memoryview(piece)
        return True

    def take_up_to(self, size: int) -> bytes:
        self._fill()
        out, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return out

    def take(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            if not self._fill():
                raise SourceError("ends in the middle of its gzip data")
            out += self.take_up_to(size - len(out))
        return out

    def put_back(self, data: bytes) -> None:
        self._rest = memoryview(data + bytes(self._rest))

    def skip_zeros(self) -> bool:
        """Skip zeros (padding after the last member is legal); tell whether anything is left."""
        while self._fill():
            rest = bytes(self._rest).lstrip(b"\0")
            self._rest = memoryview(rest)
            if rest:
                return True
        return False


class _Reader:
    """A file of pieces, as Arrow's streams want one."""

    closed = False

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        out, self._rest = self._rest[:size], self._rest[size:]
        return out

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def _unzstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.PythonFile(_Reader(pieces), mode="r"), "zstd")
    while True:
        try:
            out = stream.read(_ZSTD_OUT_BYTES)
        except OSError as fault:
            raise SourceError(
                f"has corrupt or truncated zstd data ({str(fault).strip()})"
            ) from fault
        if not out:
            return
        yield out
