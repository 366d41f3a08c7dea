"""
Puts templates and policies on a search server, as often as is wanted with the same result.

What is there and newer is left as it is, and so is what was changed by hand without a newer version; what is not
ours is never replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from vpcflow.errors import SinkError
from vpcflow.index_lifecycle import ilm_policy, ism_policy
from vpcflow.index_products import product_of
from vpcflow.index_template import MANAGED_BY, POLICY, component_templates, index_template

if TYPE_CHECKING:
    from vpcflow.index_products import Product
    from vpcflow.index_template import Body, Layout


class Response(Protocol):
    @property
    def status(self) -> int: ...

    @property
    def body(self) -> Any: ...

    @property
    def text(self) -> str: ...


class Endpoint(Protocol):
    """A search server."""

    def ask(self, method: str, path: str, body: Any = None) -> Response:
        """Make one request; any status is an answer. Raises ``VpcflowError`` where there is none."""
        ...


def ask_product(endpoint: Endpoint) -> Product:
    """Ask a server what it is. Raises ``SinkError`` where it does not say."""
    return product_of(_get(endpoint, ""))


def install_template(
    endpoint: Endpoint,
    schema: str,
    name: str,
    *,
    product: Product | None = None,
    layout: Layout = "daily",
    policy: bool = False,
) -> bool:
    """
    Put the templates for documents of a schema where they are missing or older; tells whether any was.

    ``product``: None asks the server. ``policy``: the index's policy, which ``install_policy`` puts, is to be used; one
    that the template on the server uses stays. Raises ``SinkError`` where the server refuses, where another's template
    has the name, or where an index has the name that the alias needs.
    """
    product = product or ask_product(endpoint)
    if layout == "daily" and product.components:
        _refuse_index_of_that_name(endpoint, name)
    path = f"_index_template/{name}"
    known = _known(endpoint, path)
    policy = policy or bool(known and (known.get("_meta") or {}).get("policy"))
    template = index_template(schema, name, product, layout, policy=policy)
    # What a template is composed of has to be there before it.
    stale = {
        place: body
        for component, body in component_templates(schema, product).items()
        if _is_stale(place := f"_component_template/{component}", _known(endpoint, place), body)
    }
    if _is_stale(path, known, template):
        stale[path] = template
    for place, body in stale.items():
        _put(endpoint, place, body)
    return bool(stale)


def install_policy(
    endpoint: Endpoint,
    name: str,
    *,
    product: Product | None = None,
    layout: Layout = "daily",
    keep_days: int | None = None,
) -> bool:
    """
    Put the policy by which the index's old documents go, where it is another; tells whether it was.

    It is for indexes that begin from then on. Raises ``SinkError`` where the product has no policies.
    """
    product = product or ask_product(endpoint)
    if product.lifecycle == "ism":
        return _install_ism(endpoint, name, ism_policy(name, layout, keep_days))
    if product.lifecycle == "ilm":
        return _install_ilm(endpoint, name, ilm_policy(layout, keep_days))
    raise SinkError(f"{product.name} has no policies that delete old indexes; delete them yourself")


def begin_rollover(endpoint: Endpoint, name: str) -> bool:
    """Make the first of the indexes that a rollover numbers, unless the alias is there; tells whether it was made."""
    if _get(endpoint, f"_alias/{name}"):
        return False
    path = f"{name}-000001"
    response = endpoint.ask("PUT", path, {"aliases": {name: {"is_write_index": True}}})
    if response.status < 300:
        return True
    if not _get(endpoint, f"_alias/{name}"):
        raise answered(response, f"PUT {path}")
    # Another run has made it meanwhile, or this one by a request whose answer was lost.
    return False


def answered(response: Response, what: str) -> SinkError:
    """Say that a request was refused."""
    return SinkError(f"the search server answered {what} with {response.status}: {response.text}")


def _get(endpoint: Endpoint, path: str) -> Any:
    """Give the body of an answer, an empty one where there is nothing."""
    response = endpoint.ask("GET", path)
    if response.status == 404:
        return {}
    if response.status >= 300:
        raise answered(response, f"GET {path}")
    return response.body


def _put(endpoint: Endpoint, path: str, body: Body) -> None:
    response = endpoint.ask("PUT", path, body)
    if response.status >= 300:
        raise answered(response, f"PUT {path}")


def _refuse_index_of_that_name(endpoint: Endpoint, name: str) -> None:
    """An index that has the alias's name would keep every index of a day from being made."""
    if name in (_get(endpoint, f"{name}/_alias") or {}):
        raise SinkError(
            f"{name!r} is an index, where it has to be the alias of the indexes {name}-…: take another name, or delete"
            " the index after copying it with _reindex"
        )


def _is_stale(path: str, known: Body | None, body: Body) -> bool:
    if known is None:
        return True
    there, ours = known.get("_meta") or {}, body["_meta"]
    if there.get("managed_by") != MANAGED_BY:
        if _is_of_before(known, path.rpartition("/")[2]):
            return True
        raise SinkError(
            f"{path} is there, and not vpcflow's: take another name, or delete it, or leave the template to yourself"
        )
    version, digest = int(there.get("version", 0)), str(there.get("digest"))
    if version == ours["version"]:
        return digest != str(ours["digest"])
    return version < int(ours["version"])


def _known(endpoint: Endpoint, path: str) -> Body | None:
    """Give a template as the server has it: ``{"index_templates": [{"name": …, "index_template": {…}}]}``."""
    kind = path.partition("/")[0].removeprefix("_")
    found = _get(endpoint, path).get(f"{kind}s") or []
    return dict(found[0][kind]) if found else None


def _is_of_before(known: dict[str, Any], name: str) -> bool:
    """Tell the templates that the AWS stack put before they said whose they are."""
    return (
        known.get("index_patterns") == [name, f"{name}-*"]
        and known.get("priority") == 200
        and not known.get("composed_of")
        and known.get("template", {}).keys() == {"mappings"}
    )


def _install_ism(endpoint: Endpoint, name: str, body: Body) -> bool:
    path = f"_plugins/_ism/policies/{POLICY}{name}"
    known = _get(endpoint, path)
    if known:
        if known.get("policy", {}).get("description") == body["policy"]["description"]:
            return False
        # A policy is only replaced by who names the version that it replaces.
        path += f"?if_seq_no={known['_seq_no']}&if_primary_term={known['_primary_term']}"
    _put(endpoint, path, body)
    return True


def _install_ilm(endpoint: Endpoint, name: str, body: Body) -> bool:
    path = f"_ilm/policy/{POLICY}{name}"
    known = _get(endpoint, path).get(POLICY + name, {})
    if known.get("policy", {}).get("_meta") == body["policy"]["_meta"]:
        return False
    _put(endpoint, path, body)
    return True
