"""Compiled code and maxminddb read the same places out of records, whatever these hold."""

import maxminddb.decoder
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import Encoder, MmdbF32

from vpcflow import native
from vpcflow.geo.place import Place, read_place
from vpcflow.geo.place_columns import PATHS, place_columns

KEYS = [*sorted({key for path in PATHS for key in path.split("/") if key}), "de", "geoname_id"]
ODD = st.one_of(
    st.sampled_from(
        ["", "US", "de", "Ohio", "Zürich", "AS64496", "64496", "47.5", "nan", "x" * 400]
    ),
    st.sampled_from([True, False, 0, 47, -3, 64496, 1 << 31, 1 << 40, 1 << 63, 1 << 70, b"US"]),
    st.sampled_from([0.0, -47.5, 90.5, 180.5, float("nan"), float("inf"), MmdbF32(47.5)]),
)
NESTED = st.fixed_dictionaries(
    {},
    optional={
        "city": st.fixed_dictionaries(
            {"names": st.dictionaries(st.sampled_from(["de", "en"]), ODD)}
        ),
        "continent": st.fixed_dictionaries({"code": ODD}),
        "country": st.fixed_dictionaries(
            {"iso_code": ODD, "names": st.fixed_dictionaries({"en": ODD})}
        ),
        "location": st.fixed_dictionaries({"latitude": ODD, "longitude": ODD}),
        "subdivisions": st.lists(
            st.fixed_dictionaries({"iso_code": ODD, "names": st.fixed_dictionaries({"en": ODD})}),
            max_size=2,
        ),
    },
)
ANYTHING = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner)
)
RECORDS = st.lists(
    st.one_of(NESTED, st.dictionaries(st.sampled_from(KEYS), ODD), ANYTHING), min_size=1, max_size=5
)


def encoded(records: list[object], *, with_pointers: bool) -> tuple[bytes, list[int]]:
    """Give a data section of these records, and where in it each is."""
    encoder = Encoder(cache=with_pointers)
    ends = [encoder.encode(record) for record in records]
    data = b"".join(encoder.data_list)
    places = np.cumsum([len(data), *map(len, ends)]).tolist()
    return data + b"".join(ends), places[:-1]


def found(data: bytes, places: list[int]) -> list[Place] | None:
    section = np.frombuffer(data, np.uint8)
    values = native.find_values(section, np.array(places, np.int64), PATHS)
    assert values is not None
    columns = place_columns(values, section)
    if columns is None:
        return None
    numbers = {
        name: [None if np.isnan(number) else number for number in column.tolist()]
        for name, column in columns.numbers.items()
    }
    rows = {**columns.texts, **numbers}
    return [Place(*row) for row in zip(*(rows[field] for field in Place._fields))]


@pytest.mark.parametrize("with_pointers", [False, True])
@given(records=RECORDS)
def test_places_are_those_of_the_records_one_by_one(records, with_pointers):
    data, places = encoded(records, with_pointers=with_pointers)
    decoder = maxminddb.decoder.Decoder(data, 0)

    columns = found(data, places)

    assert columns == [read_place(decoder.decode(place)[0]) for place in places]


def test_texts_of_all_lengths_are_found():
    records = [{"city": "x" * size} for size in (1, 28, 29, 284, 285, 65_820, 65_821, 70_000)]
    data, places = encoded(records, with_pointers=True)

    columns = found(data, places)

    assert columns == [read_place(record) for record in records]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xe1\x44city\x45Se",  # the city is cut off
        b"\xe1\x44city\x28\x00",  # a pointer to outside
        b"\xe1\x44city\x20\x08\x20\x00",  # a pointer to a pointer
        b"\xe2\x44cit_\xff\xff\xff\xff",  # a map that never ends
        b"\xe1\x44city\x42\xc3\x28",  # no UTF-8
        b"\xe1\x48latitude\x64\x00\x00\x00\x00",  # a double of four bytes
    ],
)
def test_a_broken_record_has_to_be_looked_at_more_closely(data):
    assert found(data, [0]) is None


def test_a_record_outside_of_the_data_has_to_be_looked_at_more_closely():
    assert found(b"\xe0", [-3]) is None
    assert found(b"\xe0", [1]) is None
