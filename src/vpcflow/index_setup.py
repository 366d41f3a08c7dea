"""
What OpenSearch gets before a stream writes to it: its templates, and the rights of who writes and who looks.

The endpoint is given. A new one needs minutes until it knows its own access policies: what may be a matter of time is
tried again, until the time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vpcflow.errors import AwsError, SinkError
from vpcflow.index_install import answered, ask_product, install_policy, install_template
from vpcflow.index_products import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vpcflow.index_install import Endpoint, Response

SERVICES = ("es", "aoss")
"""A domain, or a serverless collection."""

WRITER = "vpcflow_writer_"
"""
Begins the name of the role that the stream gets in a domain with fine-grained access control; the index's name ends it,
since several stacks may share a domain.
"""

_SECURITY = "_plugins/_security/api"
_PAUSES_S = (2, 4, 8, 15)
_PASSING = frozenset({401, 403, 404, 429, 500, 502, 503, 504})
_NO_SUCH_API = "no handler found"
_HINT = (
    "; an existing domain has to let this function's role in, or a role in OpenSearchSetupRoleArn"
)


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
    schema, name = wanted.schema, wanted.index_name
    if wanted.service == "aoss":
        install_template(patient, schema, name, product=PRODUCTS["serverless"], layout="single")
        return
    product = ask_product(patient)
    keeps = wanted.keep_days is not None
    install_template(patient, schema, name, product=product, policy=keeps)
    if keeps:
        install_policy(patient, name, product=product, keep_days=wanted.keep_days)
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


def _let_in(patient: _Patient, role: str, arn: str) -> None:
    """Add someone to a mapping, and leave in who is there."""
    path = f"{_SECURITY}/rolesmapping/{role}"
    answer = patient.ask("GET", path)
    mapping = {} if answer.status == 404 else answer.body.get(role, {})
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

    def ask(self, method: str, path: str, body: Any = None) -> Response:
        """Give a good answer, or the one that there is nothing."""
        for pause_s in _pauses():
            problem = self._try(method, path, body)
            if not isinstance(problem, AwsError) and (
                problem.status < 300 or (method, problem.status) == ("GET", 404)
            ):
                return problem
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
            error = SinkError(f"{answered(problem, what)}{hint}")
            passes = problem.status in _PASSING
        if not passes or self._monotonic() + pause_s > self._until_s:
            raise error
        self._sleep(pause_s)


def _pauses() -> Iterator[float]:
    yield from _PAUSES_S
    while True:
        yield _PAUSES_S[-1]
