"""
Run our decorator on events in one process, with its settings from the environment: ``python -m bench.decorator_run``.

Reads events from standard input, writes as JSON: milliseconds of each, without and with the runtime client's JSON on
both sides, the bytes of the last response, how many records were Ok.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from typing import Any

from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

started = time.perf_counter()
from vpcflow.lambdas.decorator import handler  # noqa: E402

_IMPORT_MS = (time.perf_counter() - started) * 1000


class Context:
    """What the runtime's client gives."""

    aws_request_id = "8a7f6c5d-0b1e-4c3d-9e2f-001122334455"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def main() -> None:
    events = [json.dumps(event) for event in json.loads(sys.stdin.buffer.read())]
    marshaller, context = LambdaMarshaller(), Context()
    took: dict[str, list[float]] = {"handler_ms": [], "with_json_ms": []}
    answer: dict[str, Any] = {}
    text = ""
    for event in events:
        begun = time.perf_counter()
        given = marshaller.unmarshal_request(event)
        handed = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            answer = handler(given, context)
        answered = time.perf_counter()
        text, _ = marshaller.marshal_response(answer)
        took["handler_ms"].append((answered - handed) * 1000)
        took["with_json_ms"].append((time.perf_counter() - begun) * 1000)
    ok = sum(one["result"] == "Ok" for one in answer["records"])
    print(json.dumps({**took, "import_ms": _IMPORT_MS, "response_bytes": len(text), "ok": ok}))


if __name__ == "__main__":
    main()
