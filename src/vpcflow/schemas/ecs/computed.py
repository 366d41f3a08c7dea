"""The members of an ECS document that are no column: what they are, why, and how they are worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vpcflow.addresses import parse_addresses
from vpcflow.community_id import community_ids
from vpcflow.dictionaries import coalesce, codes_of, dictionary_array, spread
from vpcflow.fragments import Close, Member, Open, Part, column_parts, constant_parts, member
from vpcflow.index_types import ADDRESS, DATE, KEYWORD, LONG
from vpcflow.iso_times import iso_times
from vpcflow.schemas.ecs.forms import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from vpcflow.fragments import AnyPart
    from vpcflow.index_types import Property

    Make = Callable[[Source], Sequence[AnyPart] | pa.Array | None]
    """From the flows to what is written; None where they have nothing of it."""

    Mask = npt.NDArray[np.bool_]

__all__ = ["COMPUTED", "ECS_VERSION", "SPARED", "Computed", "Source"]

ECS_VERSION = "9.4.0"

_TYPES = (
    '["info"]',
    '["allowed"]',
    '["denied"]',
    '["connection"]',
    '["connection","allowed"]',
    '["connection","denied"]',
)
_VERDICTS = {"ACCEPT": 1, "REJECT": 2}
_GATEWAY_COLUMNS = ("resource_type", "tgw_id", "tgw_attachment_id")


class Computed(NamedTuple):
    """
    A member that is no column: its path and index property, its rule, and what ECS says of it, quoted.

    ``of`` are the columns it is made of; none is what all documents have.
    """

    path: str
    property: Property
    of: tuple[str, ...]
    make: Make
    rule: str
    says: str = ""


def _always(name: str, json: str) -> Make:
    return lambda source: constant_parts(f"{member(name).before}{json}", source.rows)


def _copy(column: str) -> Make:
    return lambda source: source.columns.get(column)


def _timestamp(source: Source) -> pa.Array | None:
    times = [source.columns[name] for name in ("end", "start") if name in source.columns]
    return iso_times(pc.coalesce(*times)) if times else None


def _verdicts(source: Source) -> npt.NDArray[np.int32]:
    """Tell in each row whether the traffic was let through (1), or not (2), or neither is known (0)."""
    actions = source.text("action")
    known = [_VERDICTS.get(text, 0) for text in actions.dictionary.to_pylist()]
    return np.array([*known, 0], np.int32)[codes_of(actions)]


def _event_type(source: Source) -> Sequence[AnyPart]:
    has_ends = [codes_of(source.text(name)) >= 0 for name in ("srcaddr", "dstaddr")]
    kinds = _verdicts(source) + np.int32(3) * (has_ends[0] & has_ends[1])
    pieces = [f"{member('type').before}{types}" for types in _TYPES]
    return [Part(pa.array(pieces, pa.string()), kinds.astype(np.int32))]


def _action(source: Source) -> pa.Array:
    return _lower(source.text("action"))


def _outcome(source: Source) -> pa.Array:
    return dictionary_array(
        np.where(_verdicts(source) > 0, np.int32(0), np.int32(-1)), pa.array(["success"])
    )


def _lower(column: pa.DictionaryArray) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(column.indices, pc.utf8_lower(column.dictionary))


def _of_gateway(name: str, of_vpc: str, of_gateway: str) -> Make:
    """Write one text for flow logs of a VPC, and another for those of a transit gateway."""

    def make(source: Source) -> Sequence[AnyPart] | pa.Array:
        found = [source.columns[one] for one in _GATEWAY_COLUMNS if one in source.columns]
        if not found:
            return constant_parts(f'{member(name).before}"{of_vpc}"', source.rows)
        is_gateway = np.zeros(source.rows, np.bool_)
        for column in found:
            is_gateway |= column.is_valid().to_numpy(zero_copy_only=False)
        return dictionary_array(is_gateway.astype(np.int32), pa.array([of_vpc, of_gateway]))

    return make


def _orchestrator(source: Source) -> pa.Array:
    named = [codes_of(source.text(f"ecs_cluster_{name}")) >= 0 for name in ("arn", "name")]
    return dictionary_array((named[0] | named[1]).astype(np.int32) - np.int32(1), pa.array(["ecs"]))


def _network_type(source: Source) -> pa.Array:
    logged = _lower(source.text("type"))
    for name in ("srcaddr", "dstaddr"):
        logged = coalesce(logged, _families(source.text(name)))
    return logged


def _families(addresses: pa.DictionaryArray) -> pa.DictionaryArray:
    found = parse_addresses(addresses.dictionary)
    family = np.where(found.valid, np.where(found.is_ipv4, 0, 1), -1).astype(np.int32)
    return dictionary_array(spread(family, codes_of(addresses)), pa.array(["ipv4", "ipv6"]))


def _community_id(source: Source) -> pa.Array:
    """Take the addresses in the packet where they are logged: those other tools see."""
    one, other = (
        coalesce(source.text(f"pkt_{name}"), source.text(name)) for name in ("srcaddr", "dstaddr")
    )
    numbers = (source.number(name) for name in ("srcport", "dstport", "protocol"))
    return community_ids(one, other, *numbers)


def _related(name: str, *places: tuple[str, ...]) -> Make:
    """Write an array of what the columns hold, each value once; of several columns at a place the first not null."""

    def make(source: Source) -> Sequence[AnyPart]:
        found = []
        for columns in places:
            texts = [source.columns[one] for one in columns if one in source.columns]
            if texts:
                found.append(coalesce(texts[0], texts[-1]))
        if not found:
            return []
        parts = [part for one in _once(found) for part in column_parts(Member(","), one)]
        return [Open(f"{member(name).before}["), *parts, Close("]")]

    return make


def _once(columns: Sequence[pa.DictionaryArray]) -> list[pa.DictionaryArray]:
    """Make null what an earlier column of the row holds."""
    merged = pa.chunked_array([one.dictionary for one in columns], pa.string())
    encoded = merged.combine_chunks().dictionary_encode()
    ends = np.cumsum([len(one.dictionary) for one in columns])[:-1]
    numbers = np.split(encoded.indices.to_numpy(), ends)
    codes = [spread(some, codes_of(one)) for some, one in zip(numbers, columns)]
    once = []
    for place, own in enumerate(codes):
        for earlier in codes[:place]:
            own = np.where(own == earlier, np.int32(-1), own)
        once.append(dictionary_array(own, encoded.dictionary))
    return once


COMPUTED: tuple[Computed, ...] = (
    Computed("@timestamp", DATE, ("end", "start"), _timestamp, "`end`; `start` where the log has no end", "typically representing when the event was generated by the source"),
    Computed("ecs.version", KEYWORD, (), _always("version", f'"{ECS_VERSION}"'), f"`{ECS_VERSION}`", "`ecs.version` is a required field and must exist in all events"),
    Computed("event.kind", KEYWORD, (), _always("kind", '"event"'), "`event`", "used to represent events that indicate that something happened"),
    Computed("event.category", KEYWORD, (), _always("category", '["network"]'), "`network`", "Relating to all network activity, including network connection lifecycle, network traffic"),
    Computed("event.type", KEYWORD, ("srcaddr", "dstaddr", "action"), _event_type, "`connection` where there are two addresses; with it `allowed` for `ACCEPT`, `denied` for `REJECT`; `info` where there is nothing of these, as in NODATA and SKIPDATA records", "connection: contain at least source and destination IP addresses … Flow analysis, including Netflow, IPFIX, and other flow-related events fit in this subcategory; denied: to indicate a network firewall event for which the firewall disposition was to deny the connection"),
    Computed("event.action", KEYWORD, ("action",), _action, "`action` in lower case", "The value is normally defined by the implementer"),
    Computed("event.outcome", KEYWORD, ("action",), _outcome, "`success` for `ACCEPT` and for `REJECT`; left out where there is no action", "Domain-specific actions, such as deny and allow, that could be considered outcomes are not captured in the `event.outcome` field … The blocking of this connection is expected. The outcome is a `success` from the perspective of the firewall emitting the event"),
    Computed("event.module", KEYWORD, (), _always("module", '"aws"'), "`aws`, as Elastic's integration has it", "Name of the module this data is coming from"),
    Computed("event.dataset", KEYWORD, (), _always("dataset", '"aws.vpcflow"'), "`aws.vpcflow`, as Elastic's integration has it", "recommended but not required to start the dataset name with the module name, followed by a dot, then the dataset name"),
    Computed("event.provider", KEYWORD, _GATEWAY_COLUMNS, _of_gateway("provider", "VPC Flow Logs", "Transit Gateway Flow Logs"), "`VPC Flow Logs`, or `Transit Gateway Flow Logs`", "the name of the software that generated the event"),
    Computed("cloud.provider", KEYWORD, (), _always("provider", '"aws"'), "`aws`", "Example values are aws, azure, gcp, or digitalocean"),
    Computed("source.address", KEYWORD, ("srcaddr",), _copy("srcaddr"), "`srcaddr`, as `source.ip`", "You should always store the raw address in the `.address` field. Then it should be duplicated to `.ip` or `.domain`"),
    Computed("destination.address", KEYWORD, ("dstaddr",), _copy("dstaddr"), "`dstaddr`, as `destination.ip`", "the same"),
    Computed("source.bytes", LONG, ("bytes",), _copy("bytes"), "`bytes`, as `network.bytes`: a record counts one direction", "Bytes sent from the source to the destination"),
    Computed("source.packets", LONG, ("packets",), _copy("packets"), "`packets`, as `network.packets`", "Packets sent from the source to the destination"),
    Computed("network.type", KEYWORD, ("type", "srcaddr", "dstaddr"), _network_type, "`type` in lower case; where the log has none, `ipv4` or `ipv6` after the addresses", "In the OSI Model this would be the Network Layer. ipv4, ipv6, ipsec, pim, etc. The field value must be normalized to lowercase"),
    Computed("network.community_id", KEYWORD, ("pkt_srcaddr", "srcaddr", "pkt_dstaddr", "dstaddr", "srcport", "dstport", "protocol"), _community_id, "The [community id](https://github.com/corelight/community-id-spec), version 1 with seed 0, of the addresses in the packet where they are logged; none for ICMP, whose type and code are not logged", "A hash of source and destination IPs and ports, as well as the protocol used in a communication"),
    Computed("observer.vendor", KEYWORD, (), _always("vendor", '"AWS"'), "`AWS`", "Vendor name of the observer"),
    Computed("observer.product", KEYWORD, _GATEWAY_COLUMNS, _of_gateway("product", "VPC", "Transit Gateway"), "`VPC`, or `Transit Gateway`", "The product name of the observer"),
    Computed("observer.type", KEYWORD, (), _always("type", '"sensor"'), "`sensor`", "There is no predefined list of observer types. Some examples are `forwarder`, `firewall`, `ids`, `ips`, `proxy`, `poller`, `sensor`"),
    Computed("observer.ingress.interface.id", KEYWORD, ("interface_id",), _copy("interface_id"), "`interface_id`, whichever the direction: a flow is seen at one interface", "Single armed monitoring such as a network sensor on a span port should only use observer.ingress to categorize traffic"),
    Computed("orchestrator.type", KEYWORD, ("ecs_cluster_arn", "ecs_cluster_name"), _orchestrator, "`ecs` where the log names an Amazon ECS cluster", "Orchestrator cluster type (e.g. kubernetes, nomad or cloudfoundry)"),
    Computed("related.ip", ADDRESS, ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr"), _related("ip", ("srcaddr",), ("dstaddr",), ("pkt_srcaddr",), ("pkt_dstaddr",)), "All addresses of the record, each once", "All of the IPs seen on your event"),
    Computed("related.hosts", KEYWORD, ("instance_id", "eni_instance_id", "eni_instance_name", "peer_instance_id", "peer_instance_name"), _related("hosts", ("instance_id", "eni_instance_id"), ("eni_instance_name",), ("peer_instance_id",), ("peer_instance_name",)), "Ids and names of the instances at both ends, each once", "All hostnames or other host identifiers seen on your event"),
)  # fmt: skip
"""In the order in which they stand in a document."""

SPARED = frozenset(
    "event.module event.provider observer.vendor observer.product observer.type related.ip related.hosts".split()
)
"""What says nothing that the rest of the document does not."""
