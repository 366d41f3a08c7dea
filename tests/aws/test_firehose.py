"""A stream over HTTP: what botocore makes of the service's answers, and of none."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from vpcflow.aws.clients import Patience
from vpcflow.aws.firehose import FirehoseStream, open_stream
from vpcflow.errors import AwsError

QUICK = Patience(1, 0.3, 8)


class Service(HTTPServer):
    """Answers PutRecordBatch with what ``answers`` holds, in turn; None is no answer at all."""

    def __init__(self, answers: list[tuple[int, Any] | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.requests: list[Any] = []


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(json.loads(body))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, value = answer
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    server = Service([])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def stream() -> FirehoseStream:
    return open_stream("flows", region="eu-west-1", patience=QUICK)


def answered(*codes: str | None) -> tuple[int, Any]:
    responses = [{"RecordId": "1"} if code is None else {"ErrorCode": code} for code in codes]
    refused = len(codes) - codes.count(None)
    return 200, {"FailedPutCount": refused, "RequestResponses": responses}


def test_each_record_has_its_code_in_order(service: Service):
    service.answers = [answered(None, "ServiceUnavailableException", None)]

    codes = stream().put([b"a", b"\xff", b"c"])

    assert codes == [None, "ServiceUnavailableException", None]
    assert service.requests[0]["DeliveryStreamName"] == "flows"
    sent = [base64.b64decode(record["Data"]) for record in service.requests[0]["Records"]]
    assert sent == [b"a", b"\xff", b"c"]


@pytest.mark.parametrize(
    ("code", "permanent"),
    [("ServiceUnavailableException", False), ("ResourceNotFoundException", True)],
)
def test_a_refused_call_is_made_once_and_says_whether_a_retry_can_mend_it(
    service: Service, code: str, permanent: bool
):
    service.answers = [(503 if not permanent else 400, {"__type": code, "message": "no"})]

    with pytest.raises(AwsError, match=f"'flows': {code}: no") as caught:
        stream().put([b"a"])

    assert (caught.value.code, caught.value.permanent) == (code, permanent)
    assert len(service.requests) == 1


def test_a_call_without_answer_is_not_repeated_by_the_client(service: Service):
    service.answers = [None]

    with pytest.raises(AwsError) as caught:
        stream().put([b"a"])

    assert caught.value.code == "ConnectionClosedError"
    assert len(service.requests) == 1


def test_an_answer_for_fewer_records_than_were_sent_is_an_error(service: Service):
    service.answers = [answered(None)]

    with pytest.raises(AwsError, match="2 were sent and 1 answered"):
        stream().put([b"a", b"b"])
