import pytest
from typer.testing import CliRunner

from vpcflow.cli.geo import app
from vpcflow.errors import ReferenceDataError
from vpcflow.geo.fetch import FILE_NAME


@pytest.fixture
def run(tmp_path):
    environ = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    return lambda *arguments: CliRunner().invoke(app, list(arguments), env=environ)


def test_show_tells_what_a_database_is(run, write_mmdb):
    path = write_mmdb({"192.0.2.0/24": {"country_code": "US"}}, type_="DBIP-City-Lite")

    result = run("show", str(path))

    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert result.exit_code == 0
    assert shown["type"] == "DBIP-City-Lite"
    assert shown["description"] == "Places of test"
    assert shown["built"].startswith("2026-01-01 (")
    assert shown["attribution"] == "IP Geolocation by DB-IP (https://db-ip.com)"


def test_show_without_a_file_shows_the_fetched_one(run, write_mmdb, tmp_path):
    path = tmp_path / "data" / "vpcflow" / "geo" / FILE_NAME
    path.parent.mkdir(parents=True)
    write_mmdb({"192.0.2.0/24": {"country_code": "US"}}).rename(path)

    result = run("show")

    assert str(path) in result.stdout


def test_show_without_any_file_says_how_to_get_one(run):
    result = run("show")

    assert isinstance(result.exception, ReferenceDataError)
    assert "vpcflow geo fetch" in str(result.exception)


def test_a_database_that_is_there_is_not_fetched_again(run, write_mmdb, tmp_path):
    path = tmp_path / "data" / "vpcflow" / "geo" / FILE_NAME
    path.parent.mkdir(parents=True)
    write_mmdb({"192.0.2.0/24": {"country_code": "US"}}).rename(path)

    result = run("fetch")

    assert result.exit_code == 0
    assert "already there" in result.stderr
    assert str(path) in result.stdout
