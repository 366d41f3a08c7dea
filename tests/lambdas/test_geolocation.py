"""Who is asked for places, by the settings of a function."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import orjson
import pyarrow as pa
import pytest
from moto_server import moto_server
from transforming import FakeClock, event, line

from vpcflow.addresses import parse_addresses
from vpcflow.aws.clients import client
from vpcflow.errors import AwsError, SettingsError
from vpcflow.geo.served import Version
from vpcflow.lambdas.decorator import Decorator
from vpcflow.lambdas.enrichment import Enrichment
from vpcflow.lambdas.geolocation import IN_AWS, Services, open_geolocation
from vpcflow.lambdas.settings import load_settings
from vpcflow.lambdas.telemetry import Telemetry
from vpcflow.pipeline import Layouts

HERE = "192.175.48.1"
ADDRESSES = parse_addresses(pa.array([HERE, "10.0.0.1"]))
BUILT_S = 1767225600


@pytest.fixture
def write_database(tmp_path):
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

    def write(record, type_):
        writer = MMDBWriter(4, type_)
        writer.insert_network(IPSet(["192.175.48.0/24"]), record)
        path = tmp_path / f"{type_}.mmdb"
        writer.to_db_file(str(path))
        return path

    return write


@pytest.fixture
def city_database(write_database):
    return write_database({"country_code": "US", "city": "Seattle"}, "Test-City")


class Asked:
    """Services that note what they are asked for."""

    def __init__(self, data=b""):
        self.data = data
        self.said = []
        self.services = Services(self._origin, self._secret, lambda: self._get)

    def _origin(self, url):
        self.said.append(str(url))
        return self

    def newer(self, mark):
        self.said.append(mark)
        return Version("1", len(self.data), None, [self.data])

    def _secret(self, name):
        self.said.append(name)
        return lambda: "a-key"

    def _get(self, path, within_s):
        self.said.append(path)
        return 200, orjson.dumps({"ip": HERE, "country_code": "US", "city": "Paris"})


def opened(asked, **environ):
    settings = load_settings("decorator", environ)
    return open_geolocation(settings, clock=lambda: BUILT_S, services=asked.services)


def cities(lookup):
    return lookup.places(ADDRESSES).column("city").to_pylist()


def test_by_default_nobody_is_asked():
    found = opened(asked := Asked(), GEO_DATABASE="s3://b/c.mmdb", ASN_DATABASE="s3://b/a.mmdb")

    assert (found.geo, found.asn, asked.said) == (None, None, [])


def test_a_database_in_a_file(city_database):
    found = opened(Asked(), GEOLOCATION_ENABLED="true", GEO_DATABASE=str(city_database))

    assert cities(found.geo) == ["Seattle", None]
    assert found.counts == {}


def test_a_database_in_s3_is_fetched_with_the_first_address(city_database):
    asked = Asked(city_database.read_bytes())
    found = opened(asked, GEOLOCATION_ENABLED="true", GEO_DATABASE="s3://b/city.mmdb")

    before = list(asked.said)

    assert cities(found.geo) == ["Seattle", None]
    assert (before, asked.said) == (["s3://b/city.mmdb"], ["s3://b/city.mmdb", None])


def test_a_database_in_s3_that_cannot_be_had_is_counted():
    found = opened(Asked(b"none"), GEOLOCATION_ENABLED="true", GEO_DATABASE="s3://b/city.mmdb")

    assert cities(found.geo) == [None, None]
    assert found.counts == {"geo_refresh_failed": 1, "geo_misses": 1, "geo_database_missing": 1}


@pytest.mark.parametrize("provider", ["auto", "ipstack"])
def test_without_a_database_ipstack_is_asked(provider):
    asked = Asked()
    found = opened(asked, GEOLOCATION_ENABLED="true", GEOLOCATION_PROVIDER=provider)

    assert cities(found.geo) == ["Paris", None]
    assert asked.said == ["ipstack-api-key", f"/{HERE}?access_key=a-key"]
    assert found.counts == {"geo_requests": 1}


def test_ipstack_may_be_asked_though_there_is_a_database(city_database):
    asked = Asked()
    found = opened(
        asked,
        GEOLOCATION_ENABLED="true",
        GEOLOCATION_PROVIDER="ipstack",
        GEO_DATABASE=str(city_database),
        GEOLOCATION_API_KEY_NAME="/keys/ipstack",
    )

    assert cities(found.geo) == ["Paris", None]
    assert asked.said[0] == "/keys/ipstack"


@pytest.mark.parametrize(
    ("environ", "place"),
    [({"GEO_MONTHLY_BUDGET": "0"}, None), ({"GEO_WAIT_MS": "0"}, None), ({}, "Paris")],
)
def test_limits_are_those_of_the_settings(environ, place):
    found = opened(Asked(), GEOLOCATION_ENABLED="true", **environ)

    assert cities(found.geo) == [place, None]


def test_autonomous_systems_come_beside_places(write_database):
    record = {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"}
    path = write_database(record, "Test-ASN")

    found = opened(Asked(), GEOLOCATION_ENABLED="true", ASN_DATABASE=str(path))

    assert found.asn.places(ADDRESSES).column("as_number").to_pylist() == [64496, None]


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"GEOLOCATION_PROVIDER": "mmdb"}, "GEOLOCATION_PROVIDER='mmdb': needs GEO_DATABASE"),
        ({"GEO_DATABASE": "none.mmdb"}, "GEO_DATABASE='none.mmdb': no geolocation database"),
        ({"ASN_DATABASE": "none.mmdb"}, "ASN_DATABASE='none.mmdb': no geolocation database"),
        ({"GEO_DATABASE": "s3:///city.mmdb"}, "GEO_DATABASE='s3:///city.mmdb': .*s3://BUCKET/KEY"),
        ({"GEO_DATABASE": "s3://b/folder/"}, "GEO_DATABASE='s3://b/folder/': names no file"),
    ],
)
def test_settings_that_cannot_work_stop_the_cold_start(environ, named):
    with pytest.raises(SettingsError, match=named):
        opened(Asked(), GEOLOCATION_ENABLED="true", **environ)


def test_a_database_of_another_kind_stops_the_cold_start(city_database):
    with pytest.raises(SettingsError, match=r"ASN_DATABASE=.*knows places"):
        opened(Asked(), GEOLOCATION_ENABLED="true", ASN_DATABASE=str(city_database))


def test_the_sdk_is_not_imported_before_it_is_needed():
    program = (
        "import sys\n"
        "from vpcflow.lambdas.geolocation import open_geolocation\n"
        "from vpcflow.lambdas.settings import load_settings\n"
        "open_geolocation(load_settings('decorator', {}))\n"
        "print([m for m in ('boto3', 'botocore', 'http.client', 'typer') if m in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


@pytest.mark.integration
def test_in_aws_the_database_comes_from_s3_and_the_key_from_parameter_store(
    city_database, monkeypatch
):
    with moto_server() as url:
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }.items():
            monkeypatch.setenv(name, value)
        client("s3").create_bucket(Bucket="databases")
        client("s3").put_object(
            Bucket="databases", Key="geo/city.mmdb", Body=city_database.read_bytes()
        )
        client("ssm").put_parameter(Name="ipstack-api-key", Value=KEY, Type="SecureString")
        settings = load_settings(
            "decorator",
            {"GEOLOCATION_ENABLED": "true", "GEO_DATABASE": "s3://databases/geo/city.mmdb"},
        )
        found = open_geolocation(settings)

        assert cities(found.geo) == ["Seattle", None]
        assert IN_AWS.secret("ipstack-api-key")() == KEY


class NoInventory:
    """Knows no interface."""

    def __init__(self):
        self.counts = Counter()
        self.age_s = None

    def look_up(self, interface_ids):
        from enriching import inventory

        return inventory()

    def layouts(self, stream_arn=None):
        return Layouts()


def nowhere(name, region):
    raise AssertionError("nothing is put back")


KEY = "sentinel0123456789abcdef"


def answered(code, status=200):
    body = {"success": False, "error": {"code": code, "info": f"no {KEY}"}}
    return status, orjson.dumps(body)


FAULTS = {
    "bad key": (answered(101), "geo_key_refused"),
    "inactive": (answered(102), "geo_account_inactive"),
    "quota": (answered(104), "geo_quota_spent"),
    "no https": (answered(105), "geo_https_not_in_plan"),
    "unknown code": (answered(999), "geo_refused"),
    "server fault": ((500, b"no " + KEY.encode()), "geo_bad_status"),
    "too often": ((429, b""), "geo_rate_limited"),
    "no JSON": ((200, b"<html>"), "geo_bad_answer"),
    "no answer": (TimeoutError(KEY), "geo_timed_out"),
    "no connection": (ConnectionRefusedError(KEY), "geo_unreachable"),
    "no key": (
        AwsError("no such parameter", code="ParameterNotFound", permanent=True),
        "geo_no_key",
    ),
}


@pytest.mark.parametrize(("fault", "reason"), FAULTS.values(), ids=FAULTS)
def test_whatever_ipstack_does_every_record_is_delivered_with_blank_geo(fault, reason, capfd):
    def get(path, within_s):
        if isinstance(fault, Exception):
            raise fault
        return fault

    def key():
        if isinstance(fault, AwsError):
            raise fault
        return KEY

    settings = load_settings("decorator", {"GEOLOCATION_ENABLED": "true"})
    services = Services(secret=lambda name: key, transport=lambda: get)
    lines: list[str] = []
    telemetry = Telemetry("decorator", settings, write=lines.append)
    geolocation = open_geolocation(settings, services=services)
    enrichment = Enrichment(settings, NoInventory(), geolocation)
    clock = FakeClock()
    decorator = Decorator(
        settings, enrichment, nowhere, telemetry, monotonic=clock, sleep=clock.sleep
    )
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, aws_request_id="x")

    answer = decorator(event(*(line(port, src=HERE) for port in range(1, 21))), context)

    documents = [orjson.loads(base64.b64decode(one["data"])) for one in answer["records"]]
    assert [one["result"] for one in answer["records"]] == ["Ok"] * 20
    assert {document["source-country-code"] for document in documents} == {""}
    told = orjson.loads(lines[-1])
    assert (told["records_delivered"], told["geo_misses"], told[reason]) == (20, 1, 1)
    assert "other" not in told
    assert KEY not in lines[-1] and HERE not in lines[-1]
    assert KEY not in "".join(capfd.readouterr())
