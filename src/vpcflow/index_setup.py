"""
What OpenSearch gets before a stream writes to it: the index template, and the rights of who writes and who looks.

The endpoint is given. A new one needs minutes until it knows its own access policies: what may be a matter of time is
tried again, until the time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vpcflow.errors import AwsError, SinkError
from vpcflow.index_template import index_template, without_flat_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICES = ("es", "aoss")
"""A domain, or a serverless collection."""

WRITER = "vpcflow_writer_"
"""
Begins the name of the role that the stream gets in a domain with fine-grained access control; the index's name ends it,
since several stacks may share a domain.
"""

POLICY = "vpcflow_"
"""Begins the name of the policy by which a domain deletes old indexes; the index's name ends it."""

_PRIORITY = 200
_SECURITY = "_plugins/_security/api"
_PAUSES_S = (2, 4, 8, 15)
_PASSING = frozenset({401, 403, 404, 429, 500, 502, 503, 504})
_NO_SUCH_API = "no handler found"
_HINT = (
    "; an existing domain has to let this function's role in, or a role in OpenSearchSetupRoleArn"
)


class Response(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def body(self) -> Any: ...

    @property
    def text(self) -> str: ...


class Endpoint(Protocol):
    """An OpenSearch endpoint."""

    def ask(self, method: str, path: str, body: Any = None) -> Response:
        """Make one request; any status is an answer. Raises ``AwsError`` where there is none."""
        ...


class Wanted(NamedTuple):
    """
    What is to be there: documents of a schema, in an index, written by a role and looked at by an administrator.

    ``keep_days`` is for how long a domain keeps the index of a day; None for ever.
    """

    service: str
    schema: str
    index_name: str
    writer_arn: str
    admin_arn: str | None = None
    keep_days: int | None = None


def set_up(
    wanted: Wanted,
    endpoint: Endpoint,
    *,
    within_s: float,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Install it all, as often as is wanted with the same result. Raises ``SinkError`` or ``AwsError``."""
    until_s = monotonic() + within_s
    patient = _Patient(endpoint, until_s, monotonic, sleep)
    template = index_template(wanted.schema, wanted.index_name)
    if wanted.service == "aoss":
        patient.ask("PUT", f"_index_template/{wanted.index_name}", without_flat_objects(template))
        return
    patient.ask("PUT", f"_index_template/{wanted.index_name}", template)
    if wanted.keep_days is not None:
        _keep_for(patient, wanted.index_name, wanted.keep_days)
    if not patient.has_access_control():
        return
    writer = WRITER + wanted.index_name
    patient.ask("PUT", f"{_SECURITY}/roles/{writer}", _writer_role(wanted.index_name))
    patient.ask("PUT", f"{_SECURITY}/rolesmapping/{writer}", {"backend_roles": [wanted.writer_arn]})
    if wanted.admin_arn:
        for role in ("all_access", "security_manager"):
            _let_in(patient, role, wanted.admin_arn)


def _writer_role(index: str) -> dict[str, Any]:
    """Give what Firehose does: it looks at the cluster, makes indexes and writes in bulk."""
    return {
        "description": "Written by vpcflow for its stream",
        "cluster_permissions": ["cluster_monitor", "cluster_composite_ops"],
        "index_permissions": [
            {
                "index_patterns": [index, f"{index}-*"],
                "allowed_actions": [
                    "crud",
                    "create_index",
                    "indices_monitor",
                    "indices:admin/mapping/put",
                    "indices:admin/mappings/get",
                ],
            },
            {
                "index_patterns": ["*"],
                "allowed_actions": ["indices_monitor", "indices:monitor/settings/get"],
            },
        ],
    }


def _keep_for(patient: _Patient, index: str, days: int) -> None:
    """Install the policy that deletes indexes so many days old, over the one that is there, if one is."""
    path = f"_plugins/_ism/policies/{POLICY}{index}"
    known = patient.ask("GET", path, absent=True)
    if known:
        # A policy is only replaced by who names the version that it replaces.
        path += f"?if_seq_no={known['_seq_no']}&if_primary_term={known['_primary_term']}"
    patient.ask("PUT", path, {"policy": _retention(index, days)})


def _retention(index: str, days: int) -> dict[str, Any]:
    old = {"state_name": "old", "conditions": {"min_index_age": f"{days}d"}}
    return {
        "description": "Written by vpcflow for the indexes of its stream",
        "default_state": "young",
        "states": [
            {"name": "young", "actions": [], "transitions": [old]},
            {"name": "old", "actions": [{"delete": {}}], "transitions": []},
        ],
        "ism_template": [{"index_patterns": [f"{index}-*"], "priority": _PRIORITY}],
    }


def _let_in(patient: _Patient, role: str, arn: str) -> None:
    """Add someone to a mapping, and leave in who is there."""
    path = f"{_SECURITY}/rolesmapping/{role}"
    mapping = patient.ask("GET", path, absent=True).get(role, {})
    kind = "users" if ":user/" in arn else "backend_roles"
    there = mapping.get(kind, [])
    if arn in there:
        return
    kept = {key: mapping[key] for key in ("backend_roles", "hosts", "users") if key in mapping}
    patient.ask("PUT", path, {**kept, kind: [*there, arn]})


class _Patient:
    """Asks again what may come right by itself: an endpoint that is not there yet, a policy that is not known yet."""

    def __init__(
        self,
        endpoint: Endpoint,
        until_s: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._endpoint = endpoint
        self._until_s = until_s
        self._monotonic = monotonic
        self._sleep = sleep

    def ask(self, method: str, path: str, body: Any = None, *, absent: bool = False) -> Any:
        """Give the body of a good answer; with ``absent`` that of a 404 is empty."""
        for pause_s in _pauses():
            problem = self._try(method, path, body)
            if not isinstance(problem, AwsError):
                if problem.status < 300:
                    return problem.body
                if absent and problem.status == 404:
                    return {}
            self._wait(pause_s, problem, f"{method} {path}")
        raise AssertionError

    def has_access_control(self) -> bool:
        """Tell whether the domain has roles of its own: an existing one may have none."""
        for pause_s in _pauses():
            problem = self._try("GET", f"{_SECURITY}/rolesmapping", None)
            if not isinstance(problem, AwsError):
                if problem.status < 300:
                    return True
                if problem.status < 500 and _NO_SUCH_API in problem.text:
                    return False
            self._wait(pause_s, problem, "GET rolesmapping")
        raise AssertionError

    def _try(self, method: str, path: str, body: Any) -> Response | AwsError:
        try:
            return self._endpoint.ask(method, path, body)
        except AwsError as error:
            if error.permanent:
                raise
            return error

    def _wait(self, pause_s: float, problem: Response | AwsError, what: str) -> None:
        if isinstance(problem, AwsError):
            error: Exception = problem
            passes = True
        else:
            hint = _HINT if problem.status in (401, 403) else ""
            error = SinkError(
                f"OpenSearch answered {what} with {problem.status}: {problem.text}{hint}"
            )
            passes = problem.status in _PASSING
        if not passes or self._monotonic() + pause_s > self._until_s:
            raise error
        self._sleep(pause_s)


def _pauses() -> Iterator[float]:
    yield from _PAUSES_S
    while True:
        yield _PAUSES_S[-1]
