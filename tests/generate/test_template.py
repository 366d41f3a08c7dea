"""Templates of the Kinesis Data Generator: what they make, and what is wrong with those that make nothing."""

from __future__ import annotations

import re
from random import Random

import pytest

from vpcflow.addresses import is_address
from vpcflow.errors import FormatError
from vpcflow.generate.fakes import METHODS
from vpcflow.generate.template import parse_template

# As aws-vpc-flow-log-appender's README has it: a brace is missing.
PUBLISHED = (
    "2 <<ACCOUNT_ID>> <<ENI_ID>> {{internet.ip}} 10.100.2.48 45928 6379 6 {{random.number(1)}}"
    " {{random.number(600)} 1493070293 1493070332 ACCEPT OK"
)
NOW_S = 1769860800.5

# What the generator of 2024 has, `helpers` aside, which make pages of HTML and the like.
GENERATORS_METHODS = {
    "random": "number arrayElement weightedArrayElement objectElement uuid boolean word words image locale"
    " alphaNumeric",
    "internet": "avatar email exampleEmail session userName protocol url domainName domainSuffix domainWord ip"
    " userAgent color mac password",
    "date": "past future between recent month weekday now utc simTime",
    "name": "firstName lastName findName jobTitle prefix suffix title jobDescriptor jobArea jobType",
    "address": "zipCode city cityPrefix citySuffix streetName streetAddress streetSuffix streetPrefix secondaryAddress"
    " county country countryCode state stateAbbr latitude longitude nearbyGPSCoordinate",
    "company": "suffixes companyName companySuffix catchPhrase bs catchPhraseAdjective catchPhraseDescriptor"
    " catchPhraseNoun bsAdjective bsBuzz bsNoun",
    "finance": "account accountName mask amount transactionType currencyCode currencyName currencySymbol"
    " bitcoinAddress",
    "image": "image avatar imageUrl abstract animals business cats city food nightlife fashion people nature sports"
    " technics transport",
    "lorem": "word words sentence sentences paragraph paragraphs text lines",
    "hacker": "abbreviation adjective noun verb ingverb phrase",
    "phone": "phoneNumber phoneNumberFormat phoneFormats",
    "commerce": "color department productName price productAdjective productMaterial product",
    "system": "fileName commonFileName mimeType commonFileType commonFileExt fileType fileExt directoryPath filePath"
    " semver",
}


def drawn(text: str, times: int = 200) -> list[str]:
    template, random = parse_template(text, {}), Random(1)
    return [template.render(random, NOW_S) for _ in range(times)]


def refused(text: str, **values: str) -> str:
    with pytest.raises(FormatError) as raised:
        parse_template(text, values)
    return str(raised.value)


def test_all_methods_of_the_generator_are_here() -> None:
    theirs = {
        f"{module}.{name}" for module, names in GENERATORS_METHODS.items() for name in names.split()
    }

    assert set(METHODS) == theirs


@pytest.mark.parametrize("method", METHODS)
def test_a_method_makes_one_line_of_text(method: str) -> None:
    found = drawn(f"{{{{{method}}}}}", 20)

    assert all(text and "\n" not in text and "{" not in text for text in found)


@pytest.mark.parametrize(
    ("call", "least", "most"),
    [
        ("random.number(1)", 0, 1),
        ("random.number(6)", 0, 6),
        ('random.number({"min":10,"max":15})', 10, 15),
        ('random.number({"min":-2,"max":2})', -2, 2),
        ("random.number(0)", 0, 0),
    ],
)
def test_numbers_include_both_ends(call: str, least: int, most: int) -> None:
    found = {int(text) for text in drawn(f"{{{{{call}}}}}", 400)}

    assert found == set(range(least, most + 1))


def test_a_number_without_an_argument_has_up_to_five_digits() -> None:
    found = [int(text) for text in drawn("{{random.number}}", 2000)]

    assert min(found) >= 0 and 90_000 < max(found) <= 99_999


def test_a_number_has_the_precision_asked_for() -> None:
    found = set(drawn('{{random.number({"min":1,"max":2,"precision":0.5})}}'))

    assert found == {"1", "1.5", "2"}


def test_elements_of_lists_are_written_as_they_are() -> None:
    found = set(drawn('{{random.arrayElement([22,"a b",true,null,1.5,[1,null,"x"]])}}'))

    assert found == {"22", "a b", "true", "null", "1.5", "1,,x"}


def test_weights_weigh() -> None:
    found = drawn(
        '{{random.weightedArrayElement({"weights":[0.9,0.1,0],"data":["ACCEPT","REJECT","NEVER"]})}}',
        2000,
    )

    assert 1700 < found.count("ACCEPT") < 1900
    assert found.count("NEVER") == 0


def test_addresses_are_any_of_ipv4() -> None:
    found = drawn("{{internet.ip}}", 3000)

    assert all(is_address(text) for text in found)
    assert {text.split(".")[0] for text in found} >= {"0", "10", "224", "255"}


def test_times_are_the_records() -> None:
    found = drawn(
        '{{date.now("X")}} {{date.now}} {{date.utc}} {{date.simTime("YYYY")}} {{date.now(x)}}', 1
    )

    assert found == ["1769860800 2026-01-31T12:00:00+00:00 2026-01-31T12:00:00Z 2026 1769860800500"]


def test_the_old_name_of_the_time_is_known() -> None:
    assert drawn("{{current.timestamp}} {{current.timestamp}}", 1) == [
        "2026-01-31T12:00:00+00:00 2026-01-31T12:00:00+00:00"
    ]


def test_line_breaks_are_taken_out() -> None:
    found = drawn('\n  2 {{random.number(\n  {\n"min":5,\r\n"max":5}\n)}}\n OK \n', 1)

    assert found == ["2 5 OK"]


def test_a_record_may_be_json() -> None:
    found = drawn('{"a":{"b":{{random.number(0)}}}}', 1)

    assert found == ['{"a":{"b":0}}']


def test_names_are_filled_in_everywhere() -> None:
    text = '<<A>> {{random.arrayElement(["<<A>>-<<B_2>>"])}}'

    found = parse_template(text, {"A": "1", "B_2": "2"}).render(Random(1), 0)

    assert found == "1 1-2"


def test_the_same_seed_draws_the_same() -> None:
    text = "{{internet.ip}} {{random.uuid}} {{company.bs}} {{random.alphaNumeric(9)}}"

    assert drawn(text) == drawn(text)
    assert len(set(drawn(text))) == 200


def test_the_published_template_is_corrected() -> None:
    said = refused(PUBLISHED, ACCOUNT_ID="123456789012", ENI_ID="eni-0a1b2c3d")

    what, shown, caret, _, corrected = [line for line in said.splitlines() if line.strip()]
    assert "'{{random.number(600)}' is not closed by '}}'" in what
    assert shown[: len(caret)].endswith("{{random.number(600)}")
    assert corrected.strip() == PUBLISHED.replace("(600)}", "(600)}}")


def test_the_corrected_template_works() -> None:
    text = PUBLISHED.replace("(600)}", "(600)}}")

    found = parse_template(text, {"ACCOUNT_ID": "123456789012", "ENI_ID": "eni-0a1b2c3d"})

    record = found.render(Random(1), NOW_S)
    assert re.fullmatch(r"2 123456789012 eni-0a1b2c3d [\d.]+ 10\.100\.2\.48 .* ACCEPT OK", record)


@pytest.mark.parametrize(
    ("text", "before_the_caret", "corrected"),
    [
        ("a {{random.number(600)} b", "a {{random.number(600)}", "a {{random.number(600)}} b"),
        ("a {{random.number(600) b", "a {{random.number(600)", "a {{random.number(600)}} b"),
        ("a {{internet.ip} {{random.number}}", "a {{internet.ip}", "a {{internet.ip}} {{random.number}}"),
        ('{{random.number({"min":1})} b', '{{random.number({"min":1})}', '{{random.number({"min":1})}} b'),
        ("a {{", "a {", None),
        ("a {{internet.ip} {{", "a {{internet.ip}", None),
        ("{{internet.ip}}} b", "{{internet.ip}}}", None),
        ("{internet.ip}} b", "{internet.ip}}", None),
        ("a } b", "a }", None),
        ("a { b", "a {", None),
        ("a }} {{internet.ip}}", "a }", None),
    ],
)  # fmt: skip
def test_braces_out_of_balance_are_shown(
    text: str, before_the_caret: str, corrected: str | None
) -> None:
    said = refused(text).splitlines()

    assert "the braces of the template are not in balance" in said[0]
    shown, caret = said[2], said[3]
    assert shown.strip() == text
    assert shown[: len(caret)].strip() == before_the_caret
    assert caret.strip() == "^"
    assert [line.strip() for line in said[7:8]] == ([corrected] if corrected else [])


def test_the_place_is_shown_in_a_long_template_too() -> None:
    said = refused("x " * 100 + "{{internet.ip} " + "y " * 100).splitlines()

    shown, caret = said[2], said[3]
    assert len(shown) < 120
    assert shown[: len(caret)].endswith("{{internet.ip}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{internet.ipv6}}", "Invalid method: internet.ipv6 (known: internet.avatar, internet.color,"),
        ("{{random.nothing(5)}}", "Invalid method: random.nothing (known: random.alphaNumeric,"),
        ("{{foo.bar}}", "Invalid module: foo (known: address, commerce, company, date,"),
        ("{{ random.number }}", "is no placeholder: write {{module.method}}"),
        ("{{random.number()}}", "is no placeholder: write {{module.method}}"),
        ("{{random}}", "is no placeholder: write {{module.method}}"),
        ("{{}}", "is no placeholder: write {{module.method}}"),
        ('{{random.arrayElement(["a)","b"])}}', "without ')' in the argument"),
        ('{{random.number("x")}}', "random.number: the argument may be a number"),
        ("{{random.number(NaN)}}", "random.number: the argument may be a number"),
        ("{{random.number(1e400)}}", "random.number: the argument may be a number"),
        ('{{random.number({"min":5,"max":1})}}', "random.number: there is no number from 5 to 1"),
        ("{{random.arrayElement([])}}", "random.arrayElement: the argument has to be a list"),
        ("{{random.arrayElement([NaN])}}", "random.arrayElement: the argument has to be a list"),
        ("{{random.arrayElement(['a'])}}", "random.arrayElement: the argument has to be a list"),
        ('{{random.objectElement(["a"])}}', "random.objectElement: the argument has to be like"),
        ('{{random.weightedArrayElement(["a"])}}', "the argument has to be like"),
        ('{{random.weightedArrayElement({"weights":[1],"data":["a","b"]})}}', "there are 1 weights for 2 data"),
        ('{{random.weightedArrayElement({"weights":[0],"data":["a"]})}}', "weights have to be numbers"),
        ("{{random.alphaNumeric(-1)}}", "has to be a whole number"),
        ("", "the template is empty"),
    ],
)  # fmt: skip
def test_what_makes_no_record_is_refused_before_the_first(text: str, said: str) -> None:
    assert said in refused(text)


def test_names_left_over_are_refused_by_name() -> None:
    said = refused("2 <<ACCOUNT_ID>> <<ENI_ID>> <<VPC>>", ENI_ID="eni-0a1b2c3d")

    assert said == (
        "the template has no value for <<ACCOUNT_ID>>, <<VPC>>: give --set ACCOUNT_ID=… --set VPC=…"
    )


def test_a_value_for_no_name_is_refused() -> None:
    said = refused("2 <<ACCOUNT_ID>>", ACOUNT_ID="123456789012")

    assert said == (
        "--set names what the template does not have: ACOUNT_ID (it has: <<ACCOUNT_ID>>)"
    )


def test_a_value_with_braces_is_refused() -> None:
    assert "a value must not have braces" in refused("<<A>>", A="{{internet.ip}}")
