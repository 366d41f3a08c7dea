"""Putting templates on a server: what is missing or older is put, what is newer or another's is left alone."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import pytest

from vpcflow.errors import SinkError
from vpcflow.index_install import begin_rollover, install_policy, install_template
from vpcflow.index_products import ELASTICSEARCH, OPENSEARCH, PRODUCTS

FLOWS = "_index_template/flows"
MAPPINGS = "_component_template/vpcflow-mappings-flat"


class Answer(NamedTuple):
    status: int
    body: Any = None

    @property
    def text(self) -> str:
        return str(self.body)


class Server:
    """Keeps what is put, and gives it back as a search server does."""

    def __init__(self) -> None:
        self.there: dict[str, Any] = {}
        self.puts: list[str] = []
        self.refuses: str | None = None

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        if path == self.refuses:
            return Answer(400, {"error": "unknown type"})
        place = path.partition("?")[0]
        if method == "PUT":
            self.puts.append(path)
            self.there[place] = copy.deepcopy(body)
            return Answer(200, {"acknowledged": True})
        if place not in self.there:
            return Answer(404, {"error": "not found"})
        return Answer(200, _given_back(place, self.there[place]))


def _given_back(path: str, body: Any) -> Any:
    kind, _, name = path.partition("/")
    if kind in ("_component_template", "_index_template"):
        return {f"{kind[1:]}s": [{"name": name, kind[1:]: body}]}
    if "_ism" in path:
        return {"_seq_no": 7, "_primary_term": 1, "policy": body["policy"]}
    if kind == "_ilm":
        return {name.rpartition("/")[2]: {"version": 3, "policy": body["policy"]}}
    return body


@pytest.fixture
def server() -> Server:
    return Server()


def install(server: Server, schema: str = "flat", name: str = "flows") -> bool:
    return install_template(server, schema, name)


def test_what_an_index_template_is_composed_of_is_there_before_it(server: Server):
    assert install(server)

    assert server.puts == ["_component_template/vpcflow-settings", MAPPINGS, FLOWS]


def test_what_is_there_is_not_put_again(server: Server):
    install(server)
    server.puts.clear()

    assert not install(server)

    assert server.puts == []


def test_only_what_is_older_is_replaced(server: Server):
    install(server)
    server.puts.clear()
    server.there[MAPPINGS]["_meta"]["version"] = 0

    assert install(server)

    assert server.puts == [MAPPINGS]
    assert server.there[MAPPINGS]["_meta"]["version"] == 1


def test_what_is_newer_is_left_alone(server: Server):
    install(server)
    server.there[FLOWS]["_meta"] |= {"version": 2, "digest": "another"}
    server.there[FLOWS]["priority"] = 900

    assert not install(server)

    assert server.there[FLOWS]["priority"] == 900


def test_what_was_changed_by_hand_stays_until_there_is_a_newer_version(server: Server):
    install(server)
    server.there["_component_template/vpcflow-settings"]["template"]["settings"] = {}

    assert not install(server)


def test_another_schema_of_the_same_name_takes_its_place(server: Server):
    install(server)

    assert install(server, "appender")

    assert server.there[FLOWS]["composed_of"][1] == "vpcflow-mappings-appender"
    assert MAPPINGS in server.there


@pytest.mark.parametrize("version", [0, 1])
def test_who_knows_of_no_policy_takes_none_away(server: Server, version: int):
    install_template(server, "flat", "flows", product=ELASTICSEARCH, policy=True)
    server.there[FLOWS]["_meta"]["version"] = version

    assert install_template(server, "flat", "flows", product=ELASTICSEARCH) == (version == 0)

    settings = server.there[FLOWS]["template"]["settings"]["index"]
    assert settings["lifecycle.name"] == "vpcflow_flows"


def test_a_template_that_is_not_ours_is_not_replaced(server: Server):
    server.there[FLOWS] = {"index_patterns": ["flows-*"], "priority": 500, "template": {}}

    with pytest.raises(SinkError, match=r"_index_template/flows is there, and not vpcflow's"):
        install(server)

    assert server.puts == []


def test_the_template_that_stacks_put_before_is_ours(server: Server):
    server.there[FLOWS] = {
        "index_patterns": ["flows", "flows-*"],
        "priority": 200,
        "template": {"mappings": {"properties": {}}},
    }

    assert install(server)

    assert server.there[FLOWS]["_meta"]["managed_by"] == "vpcflow"


def test_an_index_that_has_the_name_of_the_alias_is_found_before_it_is_in_the_way(server: Server):
    server.there["flows/_alias"] = {"flows": {"aliases": {}}}

    with pytest.raises(SinkError, match="'flows' is an index, where it has to be the alias"):
        install(server)


def test_indexes_that_have_the_alias_are_not_in_the_way(server: Server):
    server.there["flows/_alias"] = {"flows-2026.11.24": {"aliases": {"flows": {}}}}

    assert install(server)


def test_the_server_is_asked_what_it_is(server: Server):
    server.there[""] = {"version": {"number": "7.10.2", "build_flavor": "oss"}}

    install(server)

    mapped = server.there[MAPPINGS]["template"]["mappings"]["properties"]
    assert mapped["eni_tags"] == {"type": "object", "enabled": False}


def test_what_the_server_refuses_is_said(server: Server):
    server.refuses = MAPPINGS

    with pytest.raises(
        SinkError, match=r"answered GET _component_template/\S+ with 400: .*unknown type"
    ):
        install(server)


@pytest.mark.parametrize("product", [OPENSEARCH, ELASTICSEARCH])
def test_a_policy_is_put_once_and_again_when_it_is_another(server: Server, product: Any):
    def put(days: int) -> bool:
        return install_policy(server, "flows", product=product, keep_days=days)

    assert put(35)
    assert not put(35)
    assert put(90)


def test_a_policy_of_opensearch_is_replaced_by_its_version(server: Server):
    install_policy(server, "flows", product=OPENSEARCH, keep_days=35)

    install_policy(server, "flows", product=OPENSEARCH, keep_days=90)

    path = "_plugins/_ism/policies/vpcflow_flows"
    assert server.puts == [path, f"{path}?if_seq_no=7&if_primary_term=1"]


def test_a_product_without_policies_says_so(server: Server):
    with pytest.raises(SinkError, match="elasticsearch-oss has no policies"):
        install_policy(server, "flows", product=PRODUCTS["elasticsearch-oss"], keep_days=35)


def test_the_first_index_of_a_rollover_is_made_once(server: Server):
    assert begin_rollover(server, "flows")
    server.there["_alias/flows"] = {"flows-000001": {"aliases": {"flows": {}}}}

    assert not begin_rollover(server, "flows")

    assert server.there["flows-000001"] == {"aliases": {"flows": {"is_write_index": True}}}


def test_the_first_index_of_a_rollover_may_have_been_made_by_another_run(server: Server):
    server.refuses = "flows-000001"
    asked: list[str] = []

    class Meanwhile:
        def ask(self, method: str, path: str, body: Any = None) -> Answer:
            asked.append(method)
            if asked == ["GET", "PUT"]:
                server.there["_alias/flows"] = {"flows-000001": {"aliases": {"flows": {}}}}
            return server.ask(method, path, body)

    assert not begin_rollover(Meanwhile(), "flows")


def test_a_rollover_that_cannot_begin_is_an_error(server: Server):
    server.refuses = "flows-000001"

    with pytest.raises(SinkError, match="PUT flows-000001 with 400"):
        begin_rollover(server, "flows")
