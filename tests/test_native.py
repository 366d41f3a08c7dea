"""The compiled reader: it reads what fits as the plain way does, leaves out the rest, and stays in its buffers."""

from __future__ import annotations

import base64
import binascii
import ctypes
import ipaddress
import json
import mmap
import os
import random
import shutil
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from build_hook import ROOT, SOURCES, own_platform
from flow_batches import batches
from hypothesis import given
from hypothesis import strategies as st

from vpcflow import columns, linewise, native
from vpcflow.addresses import read_quads
from vpcflow.careful import check_line
from vpcflow.enrich.identity import CONSTANTS, hash_plainly, mix_plainly
from vpcflow.fields import FIELDS, Kind
from vpcflow.fragments import column_parts, member
from vpcflow.json_lines import lines, lines_in_pieces
from vpcflow.layout import DEFAULT, Layout
from vpcflow.lines import Lines
from vpcflow.native.documents import Column, Texts
from vpcflow.native.library import Compiled, load
from vpcflow.native.lines import MISFITS_ONE_IN, read_at
from vpcflow.parse import parse

MOST: dict[Kind, int] = {"int32": 2**31 - 1, "int64": 2**63 - 1, "time": 2**63 - 1}
WORDS = st.integers(0, 2**64 - 1)
FLOW = b"2 123456789012 eni-0a1b2c3d 203.0.113.%d 10.0.1.24 %d 443 6 12 4840 1700000000 1700000058 ACCEPT OK"

KINDS: tuple[Kind, ...] = ("int32", "int64", "time", "text", "address", "tag")
ODD = [
    *(
        "- -- 0 -0 -1 +1 00443 4294967296 2147483647 2147483648 9223372036854775807 9223372036854775808"
        " 99999999 100000000 9999999999999999 12345678901234567 0x1F 1.5 1e3 18446744073709551616"
        " 000000000000000000000000000000000001 99999999999999999999999999 ACCEPT 203.0.113.5 2001:db8::1"
        " eni-0a1b2c3d4e5f60718 eni-0a1b2c3d4e5f60719 eni-0a1b2c3d4e5f70718 :443 4/3 né nénénénénénéné \x7f \t \0 \r"
    ).split(" "),
    "",
]


class Drawn(NamedTuple):
    """A text, its lines, and the kinds that most lines' tokens have."""

    text: bytes
    lines: list[bytes]
    kinds: tuple[Kind, ...]


@pytest.fixture(params=range(80))
def drawn(request: pytest.FixtureRequest) -> Drawn:
    draw = random.Random(request.param)
    kinds = tuple(draw.choices(KINDS, k=draw.randint(1, 6)))
    lines = [draw_line(draw, kinds) for _ in range(draw.choice((1, 3, 63, 64, 65, 400)))]
    text = b"\n".join(lines)
    if not lines[-1] or draw.random() < 0.5:
        text += b"\n"
    return Drawn(text, lines, kinds)


def draw_line(draw: random.Random, kinds: tuple[Kind, ...]) -> bytes:
    """Draw a line that fits; one in thirty has an odd token, or one too many or too few."""
    line = [draw_token(draw, kind) for kind in kinds]
    match draw.randrange(90):
        case 0 | 1:
            line[draw.randrange(len(line))] = draw.choice(ODD).encode()
        case 2:
            line.insert(draw.randrange(len(line)), draw.choice(ODD).encode())
            line = line[: draw.randint(0, len(line))]
    return b" ".join(line)


def draw_token(draw: random.Random, kind: Kind) -> bytes:
    if draw.random() < 0.1:
        return b"-"
    if kind in MOST:
        return b"%d" % draw.randint(0, min(MOST[kind], 10 ** draw.randint(1, 19)))
    letters = "".join(draw.choices("ab", k=draw.randint(1, 3)))
    # Long ones differ in the middle, where no first or last word tells them apart.
    return draw.choice((letters, letters * 3, f"{'a' * 8}{letters}{'a' * 8}")).encode()


def is_text(token: bytes) -> bool:
    return bool(token) and all(32 < byte < 128 for byte in token)


def is_fitting(line: bytes, kinds: tuple[Kind, ...]) -> bool:
    """Say what the reader takes: the rule at the top of read_columns.c."""
    parts = line.split(b" ")
    return len(parts) == len(kinds) and all(
        is_text(part)
        and (part == b"-" or kind not in MOST or (part.isdigit() and int(part) <= MOST[kind]))
        for part, kind in zip(parts, kinds)
    )


def rows_of(batches: Sequence[pa.RecordBatch]) -> list[dict[str, object]]:
    return [row for batch in batches for row in batch.to_pylist()]


def value(token: bytes, kind: Kind) -> str | int | None:
    if token == b"-":
        return None
    return int(token) if kind in MOST else token.decode()


def test_what_fits_is_read_and_what_does_not_is_told(drawn: Drawn) -> None:
    text, lines, wanted = drawn

    read = native.read_columns(text, len(lines), wanted)

    misfits = [place for place, line in enumerate(lines) if not is_fitting(line, wanted)]
    if len(misfits) > len(lines) // MISFITS_ONE_IN + 1:
        assert read is None
        return
    assert read is not None
    assert read.misfits.tolist() == misfits
    rows = [line.split(b" ") for line in lines if is_fitting(line, wanted)]
    for index, (array, kind) in enumerate(zip(read.arrays, wanted)):
        array.validate(full=True)
        assert array.to_pylist() == [value(row[index], kind) for row in rows]


def test_both_ways_of_reading_agree(drawn: Drawn) -> None:
    pools = {kind: [field.name for field in FIELDS if field.kind == kind] for kind in KINDS}
    layout = Layout(
        tuple(
            pools[kind].pop() if pools[kind] else f"field{at}"
            for at, kind in enumerate(drawn.kinds)
        )
    )
    hexadecimal = b"0x1F"
    lines = [line for line in drawn.lines if is_fitting(line, layout.kinds)]
    text = b"\n".join(line for line in lines if hexadecimal not in line)
    count = text.count(b"\n") + 1

    read = native.read_columns(text, count, layout.kinds)
    table = columns.read_plainly(text, layout, count)

    assert read is not None and table is not None
    for array, column in zip(read.arrays, table.columns):
        (chunk,) = column.chunks
        assert array.equals(chunk)


def test_nothing_is_read_that_the_careful_way_refuses(drawn: Drawn) -> None:
    text, lines, _ = drawn
    layout = Layout(("srcport", "bytes", "start", "action"))

    read = native.read_columns(text, len(lines), layout.kinds)

    refused = {
        place
        for place, line in enumerate(lines)
        if check_line(line, layout) in {"bad_number", "bad_text", "too_few_fields"}
        or check_line(line, layout) == "too_many_fields"
    }
    assert read is None or refused <= set(read.misfits.tolist())


def test_a_column_may_have_many_distinct_values_and_hashes_stay_apart() -> None:
    names = [f"eni-{number:017x}" for number in range(20_000)] * 2
    text = "".join(f"{name} {number}\n" for number, name in enumerate(names)).encode()

    read = native.read_columns(text, len(names), ("text", "int32"))

    assert read is not None
    assert read.arrays[0].to_pylist() == names
    assert len(read.arrays[0].dictionary) == 20_000
    assert read.arrays[1].to_pylist() == list(range(len(names)))


def test_texts_are_told_apart_by_each_byte_and_by_their_length() -> None:
    alike = ["a" * size for size in range(1, 42)]
    others = [f"{one[:place]}b{one[place + 1 :]}" for one in alike for place in range(len(one))]
    texts = [*alike, *others]

    text = "\n".join([*texts, *texts]).encode()
    read = native.read_columns(text, 2 * len(texts), ("text",))

    assert read is not None
    assert read.arrays[0].dictionary.to_pylist() == texts
    assert read.arrays[0].indices.to_pylist() == [*range(len(texts))] * 2


@pytest.mark.parametrize("lines", [2, 4])
def test_text_of_another_number_of_lines_is_not_read(lines: int) -> None:
    assert native.read_columns(b"1\n2\n3\n", lines, ("int32",)) is None


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"this is no flow",
        FLOW % (1, 99) + b" more",
        (FLOW % (1, 99)).replace(b" 443 ", b" x443 "),
        (FLOW % (1, 99)).replace(b" ", b"  ", 1),
        (FLOW % (1, 99)) + b"\r",
        (FLOW % (1, 99)).replace(b"10.0.1.24", b"10.0.1.256"),
        (FLOW % (1, 99)).replace(b"ACCEPT", "né".encode()),
        b"2 123456789012 eni-0a1b2c3d - - - - - - - 1700000000 1700000058 - NODATA",
        b"version account-id interface-id srcaddr dstaddr",
        b"version version",
    ],
)
@pytest.mark.parametrize("place", [0, 17, 99])
def test_a_few_odd_lines_are_parsed_as_if_all_were_looked_at_line_by_line(
    bad: bytes, place: int
) -> None:
    rows = [FLOW % (number, 50_000 + number) for number in range(99)]
    rows.insert(place, bad)
    block = Lines(b"\n".join(rows) + b"\n", "flows.log", np.arange(100, dtype=np.int64) + 1)

    try:
        slow = linewise.parse_lines(columns.plain(block.data), block, None, ())
    except linewise.BadHeader:
        with pytest.raises(linewise.BadHeader):
            parse(block)
        return
    fast = parse(block)

    assert rows_of(fast.batches) == rows_of(slow.batches)
    assert fast.rejects == slow.rejects
    assert (fast.headers, fast.blanks, fast.layout) == (slow.headers, slow.blanks, slow.layout)


@given(rows=batches(min_rows=1), offset=st.integers(0, 3))
def test_rows_are_written_as_in_pieces(rows: pa.RecordBatch, offset: int) -> None:
    some = rows.slice(min(offset, rows.num_rows - 1))
    parts = [part for name in some.schema.names for part in column_parts(member(name), some.column(name))]  # fmt: skip

    fast = b"".join(lines(parts, some.num_rows))
    plain = b"".join(lines_in_pieces(parts, some.num_rows))

    assert fast == plain


@pytest.mark.parametrize("room", [1, 90, 1 << 20])
def test_rows_of_any_length_are_written_whatever_the_room(room: int) -> None:
    sizes = [0, 1, 15, 31, 32, 33, 70, 400]
    texts = pa.array(["x" * size for size in sizes])
    codes = np.array([*range(len(sizes)), -1], np.int32)
    numbers = pa.array([0, -1, 9, 10, 2**31 - 1, -(2**31), None, 7, 8], pa.int32())
    wide = pa.array([0, -(2**63), 2**63 - 1, 99, 100, None, None, 7, 8], pa.int64())
    columns = [
        native.Written(',"t":"', '"', "", texts, codes),
        native.Written(',"n":', "", ',"n":null', numbers=numbers),
        native.Written(',"w":', "", "", numbers=wide),
    ]

    buffers = list(native.write_rows(columns, len(codes), room=room) or ())

    rows = [json.loads(row) for buffer in buffers for row in buffer.tobytes().splitlines()]
    assert [row.get("t") for row in rows] == [*texts.to_pylist(), None]
    assert [row["n"] for row in rows] == numbers.to_pylist()
    assert [row.get("w") for row in rows] == wide.to_pylist()
    assert (len(buffers) > 1) == (room == 90 or room == 1)


def test_what_stands_at_a_null_is_not_looked_at() -> None:
    far = np.array([0, 2**30, -(2**30), 1] * 50, np.int32)
    valid = pa.py_buffer(np.packbits([True, False, False, True] * 50, bitorder="little"))
    codes = pa.Array.from_buffers(pa.int32(), len(far), [valid, pa.py_buffer(far)])

    written = native.write_rows(
        [native.Written(',"t":"', '"', "", pa.array(["a", "b"]), codes)], len(far), room=1 << 20
    )

    (buffer,) = written or ()
    assert buffer.tobytes().splitlines() == [b'{"t":"a"}', b"{}", b"{}", b'{"t":"b"}'] * 50


def test_lists_and_tags_are_written_from_where_they_are_sliced() -> None:
    texts = pa.array(["b", "a", "c", "a"]).dictionary_encode()
    struct = pa.StructArray.from_arrays([texts, texts[::-1]], ["key", "value"])
    lists = pa.ListArray.from_arrays(pa.array([0, 2, 2, None, 4]), texts)
    tags = pa.ListArray.from_arrays(pa.array([0, 2, 2, None, 4]), struct)

    found = []
    for first in range(3):
        columns = [
            native.Written(',"l":[', "]", "", lists=lists.slice(first)),
            native.Written(',"t":{', "}", "", lists=tags.slice(first)),
        ]
        written = native.write_rows(columns, 4 - first, room=1000)
        found.append([json.loads(row) for b in written or () for row in b.tobytes().splitlines()])

    whole = [
        {"l": ["b", "a"], "t": {"b": "a", "a": "c"}},
        {"l": [], "t": {}},
        {"l": ["c", "a"], "t": {"c": "a", "a": "b"}},
        {},
    ]
    assert found == [whole, whole[1:], whole[2:]]


def test_what_has_to_be_escaped_is_found_wherever_it_stands() -> None:
    for size in (1, 16, 33):
        for at in range(size):
            for odd in ('"', "\\", "\0", "\x1f", "a", "é", "\x7f"):
                text = "x" * at + odd + "x" * (size - at - 1)
                found = native.needs_escape(pa.array(["\n", text, "\n"]).slice(1, 1))
                assert found == (json.dumps(text, ensure_ascii=False) != f'"{text}"'), text


@given(st.lists(st.binary(max_size=70)))
def test_texts_are_encoded_as_the_standard_library_does(texts: list[bytes]) -> None:
    sizes = np.array([len(text) for text in texts], np.int64)

    encoded = native.to_base64(b"".join(texts), sizes)

    assert encoded == [base64.b64encode(text).decode() for text in texts]


@given(st.lists(st.binary(max_size=70)))
def test_texts_are_decoded_as_the_standard_library_does(texts: list[bytes]) -> None:
    encoded = [base64.b64encode(text).decode() for text in texts]

    decoded = native.from_base64(encoded)

    assert decoded is not None
    data, sizes = decoded
    assert data == b"".join(texts)
    assert sizes.tolist() == [len(text) for text in texts]


@given(st.text(st.sampled_from("Aa+/=-é\n"), max_size=9))
def test_what_is_decoded_is_base64_to_the_standard_library_too(text: str) -> None:
    decoded = native.from_base64(["QUJD", text, "QUJD"])

    if decoded is not None:
        assert decoded[0] == b"ABC" + binascii.a2b_base64(text, strict_mode=True) + b"ABC"


@pytest.mark.parametrize("seed", range(10))
def test_rows_are_mixed_as_in_numpy(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = int(draw.choice([0, 1, 70_000]))
    sources = [random_source(draw, rows) for _ in range(draw.integers(0, 8))]

    mixed = native.mix_rows(sources, rows, CONSTANTS)

    assert mixed is not None
    assert mixed.tobytes() == mix_plainly(sources, rows).tobytes()


@given(st.lists(st.text(max_size=40) | st.text(min_size=100), min_size=1), st.data())
def test_texts_are_hashed_as_in_numpy(texts: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(texts) - 1))
    array = pa.array(["before", *texts, "after"]).slice(1 + first, len(texts) - first)
    seeds = np.array(data.draw(st.tuples(WORDS, WORDS)), np.uint64)

    compiled = native.hash_texts(array, seeds, CONSTANTS, most=128)
    plain, has_longer = hash_plainly(array, seeds)

    assert compiled is not None
    assert compiled[0].tolist() == plain.tolist()
    assert compiled[1] == has_longer == any(len(text.encode()) > 128 for text in texts[first:])


def random_source(draw: np.random.Generator, rows: int) -> native.Source:
    valid = draw.random(rows) < 0.9 if draw.random() < 0.5 else None
    seed = draw.integers(2**64, dtype=np.uint64)
    kind = draw.choice([np.int32, np.int64])
    if draw.random() < 0.5:
        bounds = np.iinfo(kind)
        values = draw.integers(bounds.min, bounds.max, rows, dtype=kind, endpoint=True)
        return native.Source(values, None, seed, valid)
    hashes = draw.integers(2**64, size=(2, 100), dtype=np.uint64)
    return native.Source(draw.integers(100, size=rows, dtype=kind), hashes, seed, valid)


def test_ipv4_is_read_as_in_numpy_and_as_the_standard_library_does() -> None:
    draw = random.Random(7)
    texts = [random_quad(draw) for _ in range(20_000)]
    array = pa.array(texts)
    offsets, data = np.frombuffer(array.buffers()[1], np.int32), array.buffers()[2]

    compiled = native.read_ipv4(offsets, data)
    plain = read_quads(offsets, data)

    assert compiled is not None
    for one, other in zip(compiled, plain):
        assert one.tolist() == other.tolist()
    numbers = [standard_number(text) for text in texts]
    assert [n if good else None for n, good in zip(*(x.tolist() for x in compiled))] == numbers
    assert sum(number is not None for number in numbers) > 5_000


def random_quad(draw: random.Random) -> str:
    quad = list(".".join(str(draw.randint(0, 299 >> draw.randint(0, 6))) for _ in range(4)))
    if draw.random() < 0.3:
        quad[draw.randrange(len(quad))] = draw.choice(" .0123456789:/a-é")
    return "".join(quad)[draw.choice((0, 0, 0, 1)) : draw.choice((15, 15, 15, 9))]


def standard_number(text: str) -> int | None:
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError:
        return None


def test_the_library_is_there_where_the_build_can_make_it() -> None:
    assert native.is_available() == (own_platform() != "any")


@pytest.mark.integration
def test_nothing_outside_the_text_is_read_and_nothing_undefined_is_done(tmp_path: Path) -> None:
    traps = ("-fsanitize=undefined", "-fsanitize-trap=undefined")
    # What processors without SSE2 are given is tried too.
    found = {
        edge_cases(tmp_path / f"{number}.so", *traps, *more)
        for number, more in enumerate([(), ("-U__SSE2__",)])
    }

    (rows_and_checksum,) = found
    assert int(rows_and_checksum.split()[0]) > 10_000


def edge_cases(library: Path, *flags: str) -> str:
    compiler = (sys.executable, "-m", "ziglang", "cc", "-std=c11", "-O1", "-fPIC", "-shared")
    subprocess.run([*compiler, *flags, "-o", library, *SOURCES.glob("*.c")], check=True)
    done = subprocess.run([sys.executable, __file__, library], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.integration
def test_without_the_library_all_is_parsed_and_written_the_same(tmp_path: Path) -> None:
    bare = shutil.ignore_patterns("vpcflow.*", "__pycache__")
    shutil.copytree(ROOT / "src" / "vpcflow", tmp_path / "vpcflow", ignore=bare)
    # One made for another machine is no more than none.
    (tmp_path / "vpcflow" / "native" / "vpcflow.so").write_bytes(b"\x7fELF")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    names = "parse parse_properties corpus addresses pipeline json_lines".split()
    files = [*(f"tests/test_{name}.py" for name in names), "tests/enrich", "tests/schemas"]
    files += [f"tests/geo/test_{name}.py" for name in ("mmdb", "database")]
    files.append("tests/transform/test_transformation.py")
    which = "from vpcflow import native; assert not native.is_available(), native.__file__"

    subprocess.run([sys.executable, "-c", which], env=environment, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout[-4000:]


def read_at_the_edge(library: str) -> tuple[int, int]:
    """Read random text that ends where memory ends; give the number of rows read and a checksum of what they are."""
    functions = load(Path(library))
    libc = ctypes.CDLL(None, use_errno=True)
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 3 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert libc.mprotect(ctypes.c_void_p(start + 2 * page), page, 0) == 0
    random_ = random.Random(7)
    line = FLOW % (77, 51_000)
    read = checksum = 0
    for _ in range(3_000):
        text = bytearray(
            b"\n".join([line] * random_.randint(1, 40)) + b"\n" * random_.randint(0, 1)
        )
        text = text[random_.randint(0, 30) * random_.randint(0, 1) :]
        for _ in range(random_.choice((0, 0, 0, 1, 5))):
            text[random_.randrange(len(text))] = random_.choice(b"\0\n\r -09:.aZ\x7f\x80\xff")
        at = start + 2 * page - len(text)
        ctypes.memmove(at, bytes(text), len(text))
        lines = text.count(b"\n") + (not text.endswith(b"\n"))
        found = read_at(functions, at, len(text), lines, DEFAULT.kinds)
        if found:
            read += len(found.arrays[0])
            checksum = zlib.crc32(repr([a.to_pylist() for a in found.arrays]).encode(), checksum)
            checksum = zlib.crc32(found.misfits.tobytes(), checksum)
        read_quads_at(functions, at, len(text))
    return read, checksum


def read_quads_at(functions: Compiled, at: int, size: int) -> None:
    cuts = np.arange(0, size + 1, 9, dtype=np.int32)
    cuts[-1] = size
    numbers, good = np.empty(len(cuts), np.uint64), np.empty(len(cuts), np.bool_)
    places = (numbers.ctypes.data, good.ctypes.data)
    functions.read_ipv4(at, cuts.ctypes.data, len(cuts) - 1, *places)


def write_at_the_edge(library: str) -> tuple[int, int]:
    """Write rows of texts that end where memory ends into a room that does; give their number and a checksum."""
    functions = load(Path(library))
    random_, (text_end, room_end) = random.Random(7), (end_of_memory(), end_of_memory())
    written = checksum = 0
    for _ in range(2_000):
        sizes = random_.choices((0, 1, 7, 31, 32, 33, 64, 200), k=random_.randint(1, 8))
        offsets = np.cumsum([0, *sizes], dtype=np.int32)
        text = bytes(random_.choices(b"abc", k=int(offsets[-1])))
        ctypes.memmove(text_end - len(text), text, len(text))
        texts = Texts(offsets.ctypes.data, text_end - len(text), len(text))
        codes = np.array(random_.choices(range(-1, len(sizes)), k=20), np.int32)
        bounds = np.arange(0, 21, 2, dtype=np.int32)
        listed = np.abs(codes) % len(sizes)
        wide = np.array(random_.choices((0, -1, 2**63 - 1, -(2**63), 42), k=20), np.int64)
        held = [(b + bytes(32), len(b)) for b in (b',"x":"', b'"', b',"x":null')]
        kinds = ((codes, 5), (codes, 0), (wide, 3), (listed, 4), (codes, 6))
        laid_out = [Column(values=v.ctypes.data, texts=texts, kind=kind) for v, kind in kinds]
        columns = (Column * 5)(*laid_out)
        columns[3].bounds = bounds.ctypes.data
        for column in columns:
            for name, (padded, size) in zip(("before", "after", "null"), held):
                setattr(column, name, padded)
                setattr(column, f"{name}_size", size)
        room, size, row = random_.randint(1, 1500), ctypes.c_int64(), 0
        while row < 10:
            at = room_end - room
            row = functions.write_rows(columns, 5, row, 10, at, room, ctypes.byref(size))
            checksum = zlib.crc32(ctypes.string_at(at, size.value), checksum)
            room = min(2 * room, mmap.PAGESIZE) if not size.value else room
        written += row
        out = np.empty(4 * (len(text) // 3 + 1), np.uint8)
        sizes_ = np.array([len(text)], np.int64)
        pairs = np.empty(8192, np.uint8)
        place = ctypes.cast(text_end - len(text), ctypes.c_char_p)
        functions.to_base64(place, sizes_.ctypes.data, 1, out.ctypes.data, pairs.ctypes.data)
        checksum = zlib.crc32(out[: (len(text) + 2) // 3 * 4].tobytes(), checksum)
        functions.from_base64(place, sizes_.ctypes.data, 1, out.ctypes.data)
        hashes, by = np.empty(2 * len(sizes), np.uint64), (CONSTANTS.ctypes.data,) * 2
        at = text_end - len(text)
        functions.hash_texts(at, offsets.ctypes.data, len(sizes), 128, *by, hashes.ctypes.data)
        checksum = zlib.crc32(hashes.tobytes(), checksum)
        functions.needs_escape(text_end - len(text), len(text))
        checksum = zlib.crc32(write_ids(functions, codes, wide, room_end), checksum)
    return written, checksum


def write_ids(functions: Compiled, codes: np.ndarray, wide: np.ndarray, end: int) -> bytes:
    """Write community ids up to where memory ends."""
    places, is_ipv4 = np.abs(codes), (wide == 42).astype(np.uint8)
    arrays = [places, wide, wide, is_ipv4, places]
    ends = (ctypes.c_void_p * 10)(*[array.ctypes.data for array in arrays] * 2)
    size = 30 * len(codes)
    functions.community_ids(ends, places.ctypes.data, is_ipv4.ctypes.data, len(codes), end - size)
    return ctypes.string_at(end - size, size)


def find_at_the_edge(library: str) -> tuple[int, int]:
    """Look for values in damaged records that end where memory ends; give how many are found and a checksum."""
    functions = load(Path(library))
    random_, end = random.Random(7), end_of_memory()
    paths = (ctypes.c_char_p * 4)(b"city/names/en", b"location/latitude", b"subdivisions//en", b"")
    record = (
        b"\xe3\x44city\xe1\x45names\xe1\x42en\x45Osaka\x48location\xe1\x48latitude\x68" + bytes(8)
        + b"\x4csubdivisions\x01\x04\xe1\x42en\x20\x01"
    )  # fmt: skip
    seen = checksum = 0
    ends = np.empty(2, np.int64)
    for _ in range(20_000):
        data = bytearray(record[random_.randint(0, 3) * random_.randint(0, 9) :])
        for _ in range(random_.choice((0, 1, 1, 3))):
            data[random_.randrange(len(data))] = random_.choice(
                (0, 1, 4, 29, 30, 31, 32, 40, 48, 56, 223, 224, 253, 255, random_.randrange(256))
            )
        del data[len(data) - random_.choice((0, 0, 1, 5)) :]
        ctypes.memmove(end - len(data), bytes(data), len(data))
        records = np.array([0, random_.randint(-2, len(data))], np.int64)
        kinds, places, numbers = np.empty(8, np.uint8), np.empty(8, np.int64), np.empty(8, np.int64)
        outs = (array.ctypes.data for array in (kinds, places, numbers))
        section = (end - len(data), len(data))
        functions.find_values(*section, records.ctypes.data, 2, paths, 4, *outs)
        functions.walk_tree(
            end - len(data) // 7 * 7,
            *(28, len(data) // 7, 0, 32, numbers.ctypes.data, places.ctypes.data, 2),
            ends.ctypes.data,
        )
        seen += int(np.count_nonzero(kinds == native.TEXT))
        checksum = zlib.crc32(kinds.tobytes() + ends.tobytes(), checksum)
    return seen, checksum


def end_of_memory() -> int:
    """Give an address behind which nothing may be touched, and before which two pages may."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, 3 * mmap.PAGESIZE)
    _KEPT.append(memory)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert libc.mprotect(ctypes.c_void_p(start + 2 * mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
    return start + 2 * mmap.PAGESIZE


_KEPT: list[mmap.mmap] = []

if __name__ == "__main__":
    cases = (read_at_the_edge, write_at_the_edge, find_at_the_edge)
    print(*(number for case in cases for number in case(sys.argv[1])))
