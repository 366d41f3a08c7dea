import pytest

from vpcflow.geo.iso import country_name, region_code
from vpcflow.geo.place import Place, read_place

_NESTED = {
    "country": {"iso_code": "US", "names": {"de": "USA", "en": "United States"}},
    "registered_country": {"iso_code": "CA", "names": {"en": "Canada"}},
    "subdivisions": [
        {"iso_code": "WA", "names": {"en": "Washington"}},
        {"iso_code": "XX", "names": {"en": "King County"}},
    ],
    "city": {"names": {"en": "Seattle"}},
    "location": {"latitude": 47.6, "longitude": -122.3},
}
_FLAT = {
    "country_code": "US",
    "state1": "Washington",
    "state2": "King",
    "city": "Seattle",
    "latitude": "47.6",
    "longitude": "-122.3",
    "timezone": "America/Los_Angeles",
}
_SEATTLE = Place("US", "United States", "WA", "Washington", "Seattle", 47.6, -122.3)


@pytest.mark.parametrize("record", [_NESTED, _FLAT])
def test_both_layouts_give_the_same_place(record):
    place = read_place(record)

    assert place == _SEATTLE


def test_the_names_of_the_record_win_over_those_of_iso():
    country = {"iso_code": "BO", "names": {"en": "Bolivia (Plurinational)"}}
    regions = [{"iso_code": "H2", "names": {"en": "Chuquisaca"}}]

    place = read_place({"country": country, "subdivisions": regions})

    assert place[:4] == ("BO", "Bolivia (Plurinational)", "H2", "Chuquisaca")


def test_the_country_an_address_is_registered_in_is_not_where_it_is():
    place = read_place({"registered_country": {"iso_code": "CA", "names": {"en": "Canada"}}})

    assert place == Place()


@pytest.mark.parametrize(
    "record",
    [
        None,
        "US",
        {},
        {"country_code": "", "city": "", "latitude": "", "longitude": ""},
        {"country": {"iso_code": 1, "names": "x"}, "subdivisions": [], "location": 3},
        {"country": {}, "subdivisions": ["WA"], "city": {"names": ["x"]}},
        {"country_code": 840, "latitude": "north", "longitude": 1},
    ],
)
def test_what_is_missing_empty_or_odd_is_null(record):
    assert read_place(record) == Place()


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(1.5, None), ("nan", 1.5), (91, 0), (0, -181), (True, 1), ("inf", "0")],
)
def test_a_location_that_is_none_is_null_in_both_parts(latitude, longitude):
    place = read_place({"country_code": "US", "latitude": latitude, "longitude": longitude})

    assert (place.latitude, place.longitude) == (None, None)


def test_zero_degrees_are_a_location():
    place = read_place({"country_code": "GH", "latitude": "0.0", "longitude": 0})

    assert (place.latitude, place.longitude) == (0, 0)


@pytest.mark.parametrize("number", [64496, "64496", "AS64496", "as64496"])
def test_an_autonomous_system_is_a_number_and_an_organisation(number):
    place = read_place(
        {"autonomous_system_number": number, "autonomous_system_organization": "Example"}
    )

    assert place == Place(as_number=64496, as_org="Example")


@pytest.mark.parametrize("number", [0, "", "AS", -1, 1 << 32, 1.5, True, "٣"])
def test_what_is_no_autonomous_system_number_is_null(number):
    assert read_place({"autonomous_system_number": number}) == Place()


@pytest.mark.parametrize(
    ("code", "name"),
    [("US", "United States"), ("TW", "Taiwan"), ("UK", None), ("XX", None), ("", None)],
)
def test_a_country_is_named_by_its_code(code, name):
    assert country_name(code) == name


@pytest.mark.parametrize(
    ("country", "name", "code"),
    [
        ("US", "washington", "WA"),
        ("CA", "Quebec", "QC"),
        ("BR", "Sao Paulo", "SP"),
        ("GB", "England", "ENG"),
        ("AU", "Washington", None),
        ("DE", "Bavaria", None),
        ("XX", "Anywhere", None),
    ],
)
def test_a_region_has_the_code_of_the_one_subdivision_of_its_name(country, name, code):
    assert region_code(country, name) == code


def test_a_region_whose_name_several_subdivisions_have_has_no_code():
    """Azerbaijan's Lankaran is a municipality (LA) and a district (LAN)."""
    assert region_code("AZ", "Lənkəran") is None
