"""S3's adapter: pages, and bodies that break."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError

from vpcflow.aws.s3 import S3
from vpcflow.errors import AwsError
from vpcflow.object_store import StoredObject


class Body(io.BytesIO):
    """A body that breaks after so many bytes, once: by an error, or by an end."""

    def __init__(self, data: bytes, breaks_at: int | None, fault: Exception | None) -> None:
        super().__init__(data if breaks_at is None else data[:breaks_at])
        self._fault = fault

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data and self._fault is not None:
            raise self._fault
        return data


class FakeClient:
    """One object, whose bodies break where they are told to; keys in pages of two."""

    def __init__(self, data: bytes = b"", breaks: list[int | None] | None = None) -> None:
        self.data = data
        self.breaks = breaks or []
        self.fault: Exception | None = None
        self.keys: list[str] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.etag = '"1"'

    def get_object(self, **given: Any) -> dict[str, Any]:
        self.calls.append(("get", given))
        if given.get("IfMatch", self.etag) != self.etag:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "GetObject")
        start = int(given.get("Range", "bytes=0-")[6:-1])
        breaks_at = self.breaks.pop(0) if self.breaks else None
        rest = self.data[start:]
        answer = {
            "Body": Body(rest, breaks_at, None if breaks_at is None else self.fault),
            "ContentLength": len(rest),
            "ETag": self.etag,
        }
        return answer | ({"ContentRange": f"bytes {start}-"} if start else {})

    def list_objects_v2(self, **given: Any) -> dict[str, Any]:
        self.calls.append(("list", given))
        start = int(given.get("ContinuationToken", "0"))
        page = [
            {"Key": key, "Size": 3, "LastModified": datetime(2026, 1, 31, tzinfo=UTC)}
            for key in self.keys[start : start + 2]
        ]
        more = start + 2 < len(self.keys)
        return {
            "Contents": page,
            "IsTruncated": more,
            **({"NextContinuationToken": f"{start + 2}"} if more else {}),
        }


def store(client: FakeClient, pauses: list[float] | None = None) -> S3:
    return S3(client, sleep=(pauses if pauses is not None else []).append)


def test_all_pages_are_listed() -> None:
    client = FakeClient()
    client.keys = ["a", "b", "c", "d", "e"]

    found = list(store(client).objects("logs", "p/"))

    assert [one.key for one in found] == ["a", "b", "c", "d", "e"]
    assert found[0] == StoredObject("a", 3, datetime(2026, 1, 31, tzinfo=UTC).timestamp())
    assert [call["Prefix"] for _, call in client.calls] == ["p/", "p/", "p/"]


@pytest.mark.parametrize("fault", [None, IncompleteReadError(actual_bytes=1, expected_bytes=2)])
def test_a_body_that_breaks_is_read_on_from_the_byte_reached(fault: Exception | None) -> None:
    data = bytes(range(256)) * 40
    client = FakeClient(data, breaks=[5000, 0, 1])
    client.fault = fault
    pauses: list[float] = []

    read = store(client, pauses).read("logs", "a")

    assert read == data
    ranges = [call.get("Range") for _, call in client.calls]
    assert ranges == [None, "bytes=5000-", "bytes=5000-", "bytes=5001-"]
    assert [call.get("IfMatch") for _, call in client.calls] == [None, '"1"', '"1"', '"1"']
    assert pauses == [0.2, 0.4, 0.2]


def test_a_body_that_never_goes_on_is_a_fault_and_no_end() -> None:
    client = FakeClient(b"x" * 100, breaks=[60, 0, 0, 0, 0, 0, 0])

    with store(client).open("logs", "a") as body:
        assert len(body.read(60)) == 60
        with pytest.raises(OSError, match="beyond byte 60 of 100: it ended early"):
            body.read(1)

    assert len(client.calls) == 6


def test_an_object_that_has_changed_meanwhile_is_not_read_on() -> None:
    client = FakeClient(b"x" * 100, breaks=[60])

    with store(client).open("logs", "a") as body:
        body.read(60)
        client.etag = '"2"'
        with pytest.raises(OSError, match="PreconditionFailed"):
            body.read(1)


def test_a_store_that_knows_no_ranges_is_found_out() -> None:
    class Whole(FakeClient):
        def get_object(self, **given: Any) -> dict[str, Any]:
            given.pop("Range", None)
            return super().get_object(**given)

    client = Whole(b"x" * 100, breaks=[60])

    with pytest.raises(AwsError, match="answers with the whole"):
        store(client).read("logs", "a")


def test_bytes_that_are_not_as_they_were_written_are_a_fault() -> None:
    client = FakeClient(b"x" * 100, breaks=[100])
    client.fault = IncompleteReadError(actual_bytes=1, expected_bytes=2)

    with pytest.raises(AwsError, match="as it was written") as caught:
        store(client).read("logs", "a")

    assert not caught.value.permanent
