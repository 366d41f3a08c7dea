"""A database in S3, by moto's server: fetched once, and again where it was put anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto_server import moto_server

from vpcflow.aws.s3 import S3
from vpcflow.aws.stored_database import StoredDatabase
from vpcflow.errors import AwsError
from vpcflow.object_store import ObjectUrl

pytestmark = pytest.mark.integration

URL = ObjectUrl("databases", "geo/city.mmdb")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with moto_server() as url:
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        client.create_bucket(Bucket=URL.bucket)
        yield client


def test_a_version_comes_whole_and_once(client: Any) -> None:
    data = bytes(range(256)) * 10_000
    digest = hashlib.sha256(data).hexdigest()
    client.put_object(Bucket=URL.bucket, Key=URL.key, Body=data, Metadata={"sha256": digest})
    database = StoredDatabase(URL, lambda: S3(client))

    first = database.newer(None)
    assert first is not None
    same = database.newer(first.mark)
    client.put_object(Bucket=URL.bucket, Key=URL.key, Body=b"another")
    other = database.newer(first.mark)

    assert b"".join(first.pieces) == data
    assert (first.size_bytes, first.sha256) == (len(data), digest)
    assert same is None
    assert other is not None and (b"".join(other.pieces), other.sha256) == (b"another", None)


def test_an_object_that_is_missing_is_an_error(client: Any) -> None:
    database = StoredDatabase(ObjectUrl("databases", "none"), lambda: S3(client))

    with pytest.raises(AwsError, match="s3://databases/none"):
        database.newer(None)
