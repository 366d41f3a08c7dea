"""S3's adapter against moto's server, over HTTP: any key, many keys, uploads that appear whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto_server import S3_PAGE_KEYS, moto_server

from vpcflow.aws.s3 import S3
from vpcflow.errors import AwsError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with moto_server() as url:
        yield boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


@pytest.fixture
def bucket(client: Any, request: pytest.FixtureRequest) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)[:60].strip("-")
    client.create_bucket(Bucket=name)
    return name


def test_keys_of_any_spelling(client: Any, bucket: str) -> None:
    keys = ["a b+c.log", "d/e/f", "d/ü%20.log"]
    s3 = S3(client)
    for key in keys:
        s3.put(bucket, key, key.encode())

    assert [one.key for one in s3.objects(bucket, "")] == keys
    assert [one.key for one in s3.objects(bucket, "", keys[1])] == keys[2:]
    assert [s3.read(bucket, key).decode() for key in keys] == keys
    below = list(s3.folder(bucket, "d/"))
    assert [one if isinstance(one, str) else one.key for one in below] == [keys[2], "d/e/"]
    s3.delete(bucket, keys[0])
    assert len(list(s3.objects(bucket, ""))) == 2


def test_more_keys_than_a_page(client: Any, bucket: str) -> None:
    s3 = S3(client)
    for i in range(2 * S3_PAGE_KEYS + 1):
        s3.put(bucket, f"{i:04}", b"")

    assert [one.key for one in s3.objects(bucket, "")] == [
        f"{i:04}" for i in range(2 * S3_PAGE_KEYS + 1)
    ]


@pytest.mark.parametrize("size", [0, 5 << 20, (12 << 20) + 7])
def test_an_upload_appears_whole(client: Any, bucket: str, size: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * (size // 256) + bytes(size % 256))
    s3 = S3(client, part_bytes=5 << 20)

    upload = s3.upload(bucket, "a")
    upload.send(file)
    before = list(s3.objects(bucket, ""))
    upload.complete()

    assert before == []
    assert s3.read(bucket, "a") == file.read_bytes()


def test_an_upload_ends_with_the_checksums_of_its_parts_which_s3_asks_for(
    client: Any, bucket: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes((5 << 20) + 1))
    given: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.s3.CompleteMultipartUpload",
        lambda params, **_: given.extend(params["MultipartUpload"]["Parts"]),
    )

    upload = S3(client, part_bytes=5 << 20).upload(bucket, "a")
    upload.send(file)
    upload.complete()

    assert [one["PartNumber"] for one in given] == [1, 2]
    assert all(one.get("ChecksumCRC32") for one in given)


def test_an_upload_goes_without_checksums_where_a_store_knows_none(
    client: Any, bucket: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 10)
    plain = boto3.client(
        "s3",
        endpoint_url=client.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(request_checksum_calculation="when_required"),
    )

    upload = S3(plain).upload(bucket, "a")
    upload.send(file)
    upload.complete()

    head = client.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head.get("ChecksumCRC32")) == (10, None)


def test_an_aborted_upload_leaves_nothing(client: Any, bucket: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    upload = S3(client).upload(bucket, "a")
    upload.send(file)

    upload.abort()
    upload.abort()

    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    assert list(S3(client).objects(bucket, "")) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda s3: list(s3.objects("no-such-bucket", "")),
        lambda s3: s3.read("no-such-bucket", "a"),
        lambda s3: s3.put("no-such-bucket", "a", b""),
        lambda s3: s3.upload("no-such-bucket", "a"),
    ],
)
def test_a_missing_bucket_is_an_error_that_no_retry_mends(client: Any, call: Any) -> None:
    with pytest.raises(AwsError, match="no-such-bucket") as caught:
        call(S3(client))

    assert (caught.value.code, caught.value.permanent) == ("NoSuchBucket", True)
