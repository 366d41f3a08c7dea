"""Setting OpenSearch up: what is installed, in which order, and what is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from vpcflow.errors import AwsError, SinkError
from vpcflow.index_setup import Wanted, set_up
from vpcflow.index_template import component_templates, index_template

WRITER = "arn:aws:iam::123456789012:role/delivery"
ADMIN = "arn:aws:iam::123456789012:role/analyst"
DOMAIN = Wanted("es", "appender", "flows", WRITER)
SECURITY = "_plugins/_security/api"
TEMPLATES = [
    "_component_template/vpcflow-settings",
    "_component_template/vpcflow-mappings-appender",
    "_index_template/flows",
]


class Answer(NamedTuple):
    status: int
    body: Any = None

    @property
    def text(self) -> str:
        return str(self.body)


class Endpoint:
    """Answers with what was prepared for a request, one after the other, and then with 200 and an empty object."""

    def __init__(self, **prepared: Sequence[Answer | AwsError]) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.now = 0.0
        self._prepared = {path: list(answers) for path, answers in prepared.items()}

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        self.asked.append((method, path, body))
        answers = self._prepared.get(path.rpartition("/")[2], [])
        answer = answers.pop(0) if answers else Answer(200, {})
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def changes(self) -> list[str]:
        return [path for method, path, _ in self.asked if method == "PUT"]


def run(wanted: Wanted, endpoint: Endpoint, within_s: float = 60) -> None:
    set_up(
        wanted, endpoint, within_s=within_s, monotonic=lambda: endpoint.now, sleep=endpoint.sleep
    )


def test_a_domain_gets_the_template_before_the_stream_gets_its_rights():
    endpoint = Endpoint()

    run(DOMAIN, endpoint)

    bodies = {path.rpartition("/")[2]: body for _, path, body in endpoint.asked if body}
    templates = {**component_templates("appender"), "flows": index_template("appender", "flows")}
    assert templates.items() <= bodies.items()
    assert endpoint.changes == [
        *TEMPLATES,
        f"{SECURITY}/roles/vpcflow_writer_flows",
        f"{SECURITY}/rolesmapping/vpcflow_writer_flows",
    ]
    assert endpoint.asked[-1][2] == {"backend_roles": [WRITER]}


def test_a_collection_gets_the_template_and_has_no_roles():
    endpoint = Endpoint()

    run(DOMAIN._replace(service="aoss"), endpoint)

    assert endpoint.changes == ["_index_template/flows"]
    template = endpoint.asked[-1][2]
    assert template["index_patterns"] == ["flows"]
    assert "source-location" in template["template"]["mappings"]["properties"]
    assert template.keys() == {"index_patterns", "priority", "template", "_meta"}


def test_an_older_domain_gets_no_type_that_it_does_not_know():
    banner = {"version": {"distribution": "opensearch", "number": "2.5.0"}}
    endpoint = Endpoint(**{"": [Answer(200, banner)]})

    run(DOMAIN._replace(schema="flat"), endpoint)

    (mappings,) = [body for _, path, body in endpoint.asked if body and "mappings-flat" in path]
    assert mappings["template"]["mappings"]["properties"]["eni_tags"]["type"] == "object"


def test_an_administrator_is_let_in_beside_who_is_there():
    there = {
        "all_access": {"reserved": False, "backend_roles": ["setup"], "hosts": [], "users": []}
    }
    endpoint = Endpoint(all_access=[Answer(200, there)], security_manager=[Answer(404)])

    run(DOMAIN._replace(admin_arn=ADMIN), endpoint)

    bodies = {path.rpartition("/")[2]: body for method, path, body in endpoint.asked if body}
    assert bodies["all_access"] == {"backend_roles": ["setup", ADMIN], "hosts": [], "users": []}
    assert bodies["security_manager"] == {"backend_roles": [ADMIN]}


def test_an_administrator_who_is_there_changes_nothing():
    there = {"all_access": {"users": ["arn:aws:iam::123456789012:user/ann"]}}
    endpoint = Endpoint(all_access=[Answer(200, there)], security_manager=[Answer(404)])

    run(DOMAIN._replace(admin_arn="arn:aws:iam::123456789012:user/ann"), endpoint)

    assert f"{SECURITY}/rolesmapping/all_access" not in endpoint.changes
    assert endpoint.asked[-1][2] == {"users": ["arn:aws:iam::123456789012:user/ann"]}


def test_a_domain_without_access_control_has_no_roles_to_map():
    endpoint = Endpoint(
        rolesmapping=[Answer(400, {"error": "no handler found for uri [/_plugins]"})]
    )

    run(DOMAIN, endpoint)

    assert endpoint.changes == TEMPLATES


@pytest.mark.parametrize(
    "passing", [Answer(403), Answer(503), AwsError("no answer", code="X", permanent=False)]
)
def test_what_may_come_right_by_itself_is_tried_again(passing: Answer | AwsError):
    endpoint = Endpoint(flows=[Answer(404), passing, passing])

    run(DOMAIN, endpoint)

    assert endpoint.changes[2:5] == ["_index_template/flows"] * 3
    assert endpoint.now == 6


def test_what_stays_wrong_ends_within_the_time_and_says_what_to_do():
    endpoint = Endpoint(**{"": [Answer(403, "no permissions")] * 100})

    with pytest.raises(SinkError, match=r"403: no permissions; .*OpenSearchSetupRoleArn"):
        run(DOMAIN, endpoint, within_s=60)

    assert 45 <= endpoint.now <= 60


def test_a_request_that_opensearch_does_not_understand_is_not_repeated():
    endpoint = Endpoint(flows=[Answer(404), Answer(400, {"error": "unknown type"})])

    with pytest.raises(SinkError, match=r"PUT _index_template/flows with 400.*unknown type"):
        run(DOMAIN, endpoint)

    assert endpoint.changes == TEMPLATES


def test_missing_credentials_are_not_waited_for():
    endpoint = Endpoint(flows=[AwsError("no credentials", code="X", permanent=True)])

    with pytest.raises(AwsError, match="no credentials"):
        run(DOMAIN, endpoint)

    assert endpoint.now == 0


def test_a_domain_deletes_indexes_of_longer_ago_than_is_wanted():
    endpoint = Endpoint(vpcflow_flows=[Answer(404)])

    run(DOMAIN._replace(keep_days=35), endpoint)

    (policy,) = [body["policy"] for _, path, body in endpoint.asked if body and "_ism" in path]
    young, old = policy["states"]
    assert young["transitions"] == [{"state_name": "old", "conditions": {"min_index_age": "35d"}}]
    assert old["actions"] == [{"delete": {}}]
    assert policy["ism_template"][0]["index_patterns"] == ["flows-*"]


def test_a_policy_that_is_there_is_replaced_by_its_version():
    endpoint = Endpoint(vpcflow_flows=[Answer(200, {"_seq_no": 7, "_primary_term": 1})])

    run(DOMAIN._replace(keep_days=35), endpoint)

    assert "_plugins/_ism/policies/vpcflow_flows?if_seq_no=7&if_primary_term=1" in endpoint.changes
