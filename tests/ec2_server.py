"""A small EC2 on this machine that really pages, for boto3 itself: a ``FakeEc2`` behind HTTP, in EC2's XML."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from ec2_fake import FakeEc2

_MODEL = botocore.session.get_session().get_service_model("ec2")


@contextlib.contextmanager
def ec2_server(fake: FakeEc2, throttled: int = 0) -> Iterator[str]:
    """Give the address of a server that answers for the fake; the first ``throttled`` calls find it busy."""
    left = [throttled]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            given = {name: values[0] for name, values in parse_qs(body).items()}
            if left[0]:
                left[0] -= 1
                self._send(503, _error("RequestLimitExceeded"))
                return
            try:
                self._send(200, _answer(fake, given))
            except ClientError as error:
                self._send(403, _error(error.response["Error"]["Code"]))

        def _send(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(fake: FakeEc2, given: dict[str, str]) -> str:
    parameters: dict[str, Any] = {"MaxResults": int(given["MaxResults"])}
    for name in ("NextToken", "PrefixListId", "IncludeManagedResources"):
        if name in given:
            parameters[name] = given[name]
    if "Filter.1.Name" in given:
        values = [v for k, v in given.items() if k.startswith("Filter.1.Value.")]
        parameters["Filters"] = [{"Name": given["Filter.1.Name"], "Values": values}]
    answer = getattr(fake, xform_name(given["Action"]))(**parameters)
    shape = _MODEL.operation_model(given["Action"]).output_shape
    return f"<{given['Action']}Response>{_xml(shape, answer)}</{given['Action']}Response>"


def _xml(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        parts = []
        for key, item in value.items():
            member = shape.members[key]
            name = member.serialization.get("name", key)
            parts.append(f"<{name}>{_xml(member, item)}</{name}>")
        return "".join(parts)
    if shape.type_name == "list":
        return "".join(f"<item>{_xml(shape.member, item)}</item>" for item in value)
    return str(value).lower() if isinstance(value, bool) else escape(str(value))


def _error(code: str) -> str:
    error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    return f"<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>"
