from __future__ import annotations

import pytest

from vpcflow.errors import SettingsError
from vpcflow.lambdas.settings import FUNCTIONS, SETTINGS, load_settings
from vpcflow.layout import parse_log_format

NEEDED = {
    "ingestor": {"DELIVERY_STREAM_NAME": "flows"},
    "decorator": {},
    "objects": {},
    "inventory": {"SNAPSHOTS": "s3://snapshots/"},
}
WRONG = {
    "GEOLOCATION_ENABLED": "yes",
    "GEOLOCATION_PROVIDER": "freegeoip",
    "GEO_CACHE_S": "-1",
    "GEO_MONTHLY_BUDGET": "many",
    "GEO_BULK": "1",
    "INVENTORY_MAX_AGE_S": "0",
    "INVENTORY_REFRESH_S": "1.5",
    "INVENTORY_HISTORY_S": "99999999999",
    "INVENTORY_LOOK_UPS": "on",
    "INVENTORY_LOOK_UPS_PER_MINUTE": "0",
    "SCHEMA": "Flat",
    "LOG_FORMAT": "${nothing here!}",
    "LOG_STATUSES": "OK,FINE",
    "ACTIONS": ",",
    "RAW_LINES": "maybe",
    "ONE_DOCUMENT": "one",
    "RESPONSE_LIMIT_BYTES": "6300000",
    "MAX_ATTEMPTS": "11",
    "SNAPSHOT_MIN_INTERVAL_S": "٣",
    "LOG_LEVEL": "TRACE",
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_must_be_set_is_enough(function: str) -> None:
    settings = load_settings(function, NEEDED[function])

    assert settings.metrics_namespace == "vpcflow"


def test_the_originals_three_settings_are_taken_as_the_original_took_them() -> None:
    settings = load_settings(
        "decorator",
        {
            "DELIVERY_STREAM_NAME": "VPCFlowLogsToElasticSearch",
            "GEOLOCATION_ENABLED": "false",
            "GEOLOCATION_API_KEY_NAME": "ipstack-api-key",
        },
    )

    assert settings.delivery_stream_name == "VPCFlowLogsToElasticSearch"
    assert settings.geolocation_enabled is False
    assert settings.geolocation_api_key_name == "ipstack-api-key"
    assert (settings.inventory, settings.schema) == ("aws", "appender")


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_a_wrong_value_is_named_with_what_it_may_be(name: str, value: str) -> None:
    function = next(s.functions[0] for s in SETTINGS if s.name == name)

    with pytest.raises(SettingsError) as caught:
        load_settings(function, NEEDED[function] | {name: value})

    assert str(caught.value).startswith(f"{name}={value!r}: ")
    assert "\n" not in str(caught.value)


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(SettingsError, match=r"GEO_BULK='1': .*; SCHEMA='x': .*; MAX_ATTEMPTS='x'"):
        load_settings("decorator", {"GEO_BULK": "1", "SCHEMA": "x", "MAX_ATTEMPTS": "x"})


def test_a_setting_of_another_function_is_not_read() -> None:
    settings = load_settings("ingestor", NEEDED["ingestor"] | {"SCHEMA": "nonsense"})

    with pytest.raises(AttributeError):
        _ = settings.schema


def test_an_empty_variable_is_not_set() -> None:
    settings = load_settings("decorator", {"SCHEMA": " ", "LOG_FORMAT": ""})

    assert settings.schema == "appender"
    assert settings.log_format == ()


def test_the_layout_is_read_by_the_rules_of_the_parser() -> None:
    settings = load_settings("decorator", {"LOG_FORMAT": "${version} ${account-id} ${tcp-flags}"})

    assert settings.log_format == (parse_log_format("version account-id tcp-flags"),)


def test_names_and_functions_of_the_table_are_known_and_unique() -> None:
    names = [setting.name for setting in SETTINGS]

    assert len(set(names)) == len(names)
    assert all(set(s.functions) <= set(FUNCTIONS) and s.functions for s in SETTINGS)
    assert all(s.help.endswith(".") for s in SETTINGS)
