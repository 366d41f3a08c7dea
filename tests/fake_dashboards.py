"""
Fakes of a dashboards server and of the search server behind it: their documented answers, and nothing more.

Neither OpenSearch Dashboards nor Kibana is to be had for the tests. What is here of them is out of
https://www.elastic.co/guide/en/kibana/7.10/saved-objects-api-import.html and of the same API's route in OpenSearch
Dashboards: which headers it wants, that the file is a form's and ends in .ndjson, what it says of each object.
"""

from __future__ import annotations

import email
import json
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from https_server import say

Key = tuple[str, str]

# The newest forms of objects that the oldest version knows which is said to do: Kibana 7.10.
NEWEST = {
    "index-pattern": "7.6.0",
    "search": "7.9.3",
    "visualization": "7.10.0",
    "dashboard": "7.9.3",
}


class FakeDashboards:
    """
    Takes imports, and keeps objects by tenant or space.

    ``xsrf`` is the header it asks for; ``authorization`` the one that lets in, None for everyone; ``refused`` are ids
    it has something against; ``taken`` are ids that another space has.
    """

    def __init__(self, xsrf: str, authorization: str | None = None, path: str = "") -> None:
        self.xsrf = xsrf
        self.authorization = authorization
        self.path = path
        self.objects: dict[str, dict[Key, dict[str, Any]]] = {}
        self.refused: dict[str, dict[str, Any]] = {}
        self.taken: set[str] = set()
        self.headers: list[Message] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.headers.append(handler.headers)
        status, answer = self._answer(handler.path, handler.headers, body)
        say(status, json.dumps(answer).encode())(handler)

    def _answer(self, target: str, headers: Message, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(target)
        if self.authorization is not None and headers["Authorization"] != self.authorization:
            return 401, {"statusCode": 401, "error": "Unauthorized", "message": "Unauthorized"}
        if self.xsrf not in headers:
            return 400, {
                "statusCode": 400,
                "message": f"Request must contain a {self.xsrf} header.",
            }
        place, found, rest = parts.path.removeprefix(self.path).partition(
            "/api/saved_objects/_import"
        )
        if not found or rest or not parts.path.startswith(self.path):
            return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}
        where = headers["securitytenant"] or place.removeprefix("/s/")
        overwrite = parse_qs(parts.query).get("overwrite") == ["true"]
        file, name = form_file(headers["Content-Type"], body)
        if not name.endswith(".ndjson"):
            return 400, {"statusCode": 400, "message": "Invalid file extension"}
        return self._import(where, file, overwrite)

    def _import(self, where: str, file: bytes, overwrite: bool) -> tuple[int, Any]:
        sent = [json.loads(line) for line in file.splitlines()]
        if newer := [
            one for one in sent if one["migrationVersion"][one["type"]] > NEWEST[one["type"]]
        ]:
            said = f"Document {newer[0]['id']!r} belongs to a more recent version"
            return 422, {"statusCode": 422, "message": said}
        there = self.objects.setdefault(where, {})
        keys = {(one["type"], one["id"]) for one in sent}
        errors, results = [], []
        for one in sent:
            key = (one["type"], one["id"])
            missing = [
                {"type": r["type"], "id": r["id"]}
                for r in one["references"]
                if (r["type"], r["id"]) not in keys | set(there)
            ]
            error = self.refused.get(one["id"])
            if missing:
                error = {"type": "missing_references", "references": missing}
            elif key in there and not overwrite:
                error = {"type": "conflict"}
            if error is not None:
                errors.append({"type": one["type"], "id": one["id"], "error": error, "meta": {}})
                continue
            there[key] = one
            renamed = {"destinationId": f"{one['id']}-2"} if one["id"] in self.taken else {}
            results.append({"type": one["type"], "id": one["id"], "meta": {}, **renamed})
        answer = {"success": not errors, "successCount": len(results), "successResults": results}
        return 200, {**answer, **({"errors": errors} if errors else {})}


class FakeCluster:
    """Keeps what is put, by path, and says what it is."""

    def __init__(self, banner: dict[str, Any], authorization: str | None = None) -> None:
        self.banner = banner
        self.authorization = authorization
        self.kept: dict[str, Any] = {}
        self.puts: list[str] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
        path = handler.path.strip("/")
        if self.authorization not in (None, handler.headers["Authorization"]):
            return say(401, b'{"error": "Unauthorized"}')(handler)
        if handler.command == "PUT":
            self.kept[path.partition("?")[0]] = json.loads(body)
            self.puts.append(path)
            return say(200, b'{"acknowledged": true}')(handler)
        answer = self.banner if not path else self._get(path)
        say(404 if answer is None else 200, json.dumps(answer or {}).encode())(handler)

    def _get(self, path: str) -> Any:
        if path not in self.kept:
            return None
        kind = path.partition("/")[0].removeprefix("_")
        if kind.endswith("_template"):
            return {f"{kind}s": [{"name": path.partition("/")[2], kind: self.kept[path]}]}
        return {"_seq_no": 1, "_primary_term": 1, **self.kept[path]}


def form_file(content_type: str, body: bytes) -> tuple[bytes, str]:
    """Take a form apart that is the one file ``file``; give it and its name."""
    form = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    (part,) = form.get_payload()
    assert isinstance(part, Message)
    assert part.get_param("name", header="Content-Disposition") == "file"
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload, part.get_filename() or ""
