"""What is counted while places are looked up: a closed set of names, for logs and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "geo_unknown": "The database or ipstack answered, and knows no place for the address",
        "geo_database_missing": "There is no database: it could not be fetched from S3",
        "geo_database_corrupt": "The database turned out to be damaged on a look-up",
        "geo_no_key": "ipstack's key could not be read from Parameter Store, or is no key",
        "geo_key_refused": "ipstack does not know the key (101); no call for an hour",
        "geo_account_inactive": "ipstack's account is not active (102); no call for an hour",
        "geo_quota_spent": "The month's requests of ipstack's plan are spent (104); no call until the month ends",
        "geo_https_not_in_plan": "ipstack's plan has no https (105); no call for an hour, and never one over http",
        "geo_address_refused": "ipstack takes the address for none (106)",
        "geo_refused": "ipstack refused with another code",
        "geo_rate_limited": "ipstack was asked too often (status 429); no call for a minute",
        "geo_bad_status": "ipstack answered with a status other than 200",
        "geo_bad_answer": "What ipstack answered is no JSON, or not of the form it documents",
        "geo_timed_out": "ipstack did not answer in time",
        "geo_unreachable": "No connection to ipstack could be made or kept",
        "geo_budget_spent": "The requests that GEO_MONTHLY_BUDGET allows by now are spent",
        "geo_time_spent": "The time for calls to ipstack was up: the address is looked up with a later batch",
    }
)
"""
Why a public address has no place. Each such address counts once in a look-up: the sources of a batch are one look-up,
its destinations another.
"""

COUNTED: Mapping[str, str] = MappingProxyType(
    {
        "geo_misses": "Public addresses left without a place, for whatever reason",
        **REASONS,
        "geo_requests": "Requests sent to ipstack",
        "geo_refresh_failed": "A database in S3 could not be looked at or fetched; one that was there stays in use",
        "geo_database_old": "Times that a database was found to be older than 90 days when it was looked at",
    }
)
