"""What really happened, a JSON object for each connection: who opened it, and which rules let it pass."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import orjson

from vpcflow.generate.admission import (
    ACCEPTED,
    REJECTED_EGRESS,
    REJECTED_INGRESS,
    REPLY_REJECTED_EGRESS,
    REPLY_REJECTED_INGRESS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vpcflow.generate.admission import Admission
    from vpcflow.generate.endpoints import Endpoints
    from vpcflow.generate.network import Network
    from vpcflow.generate.traffic import Connections, Pattern


class TruthWriter:
    """
    Writes connections as lines of JSON.

    Addresses and ports are the ends' own, as in the packets; ``…_logged_addr`` is what an end's own ENI shows for its
    address as a destination; ``via_…`` is the NAT gateway between. Times are Unix seconds. ``egress_rule_ids`` are all
    rules of the initiator's groups that admit it, ``ingress_rule_ids`` those of the responder's: null where that end is
    no ENI, or the connection never came so far; empty where they rejected it.

    ``reject_cause`` is what stopped it: ``security_group``, also where a network ACL would have too, or
    ``network_acl``; ``rejected`` tells whether that was the ``request`` or the ``reply``, and
    ``rejected_interface_id`` and ``rejected_direction`` whose record shows it. All are null where nothing did. What
    an end sent counts in packets and bytes, also where it was rejected.
    """

    def __init__(
        self,
        file: IO[bytes],
        network: Network,
        endpoints: Endpoints,
        patterns: tuple[Pattern, ...],
        admission: Admission,
        start_s: int,
    ) -> None:
        self._file = file
        self._network = network
        self._endpoints = endpoints
        self._patterns = patterns
        self._admission = admission
        self._start_s = start_s

    def write(self, connections: Connections) -> None:
        for document in self._documents(connections):
            self._file.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))

    def _documents(self, connections: Connections) -> Iterator[dict[str, Any]]:
        eni, texts = self._endpoints.eni, self._endpoints.texts
        shown = self._endpoints.shown
        columns = (column.tolist() for column in connections)
        for (
            number, pattern, start, duration, initiator, responder, initiator_port, responder_port, protocol,
            packets_out, packets_in, bytes_out, bytes_in, verdict, via, via_port, _,
        ) in zip(*columns, strict=True):  # fmt: skip
            own, far = int(eni[initiator]), int(eni[responder])
            port = self._patterns[pattern].port
            answered = verdict == ACCEPTED
            replied = verdict not in (REJECTED_EGRESS, REJECTED_INGRESS)
            egress = self._rules(own, responder, True, protocol, port)
            ingress = self._rules(far, initiator, False, protocol, port)
            if verdict == REJECTED_EGRESS:
                ingress = None
            yield {
                "connection": number,
                "pattern": self._patterns[pattern].name,
                "start": round(self._start_s + start, 3),
                "end": round(self._start_s + start + duration, 3),
                "protocol": protocol,
                "initiator_addr": texts[initiator],
                "initiator_port": initiator_port,
                "initiator_logged_addr": texts[shown[initiator]],
                "initiator_interface_id": self._interface_id(own),
                "responder_addr": texts[responder],
                "responder_port": responder_port,
                "responder_logged_addr": texts[shown[responder]],
                "responder_interface_id": self._interface_id(far),
                "via_interface_id": self._interface_id(via if answered else -1),
                "via_addr": self._network.enis[via].ipv4[0] if via >= 0 and answered else None,
                "via_port": via_port if via >= 0 and answered else None,
                "action": "ACCEPT" if answered else "REJECT",
                "egress_rule_ids": egress,
                "ingress_rule_ids": ingress,
                **self._reject(verdict, own, far, is_admitted=egress != () and ingress != ()),
                "packets_out": packets_out,
                "packets_in": packets_in if replied else 0,
                "bytes_out": bytes_out,
                "bytes_in": bytes_in if replied else 0,
            }

    def _reject(
        self, verdict: int, initiator: int, responder: int, *, is_admitted: bool
    ) -> dict[str, str | None]:
        """Tell what stopped a connection where; ``is_admitted`` is whether the rules asked admit it."""
        if verdict == ACCEPTED:
            return dict.fromkeys(
                ("reject_cause", "rejected", "rejected_interface_id", "rejected_direction")
            )
        at_initiator = verdict in (REJECTED_EGRESS, REPLY_REJECTED_INGRESS)
        leaves = verdict in (REJECTED_EGRESS, REPLY_REJECTED_EGRESS)
        is_request = verdict in (REJECTED_EGRESS, REJECTED_INGRESS)
        return {
            "reject_cause": "network_acl" if is_admitted else "security_group",
            "rejected": "request" if is_request else "reply",
            "rejected_interface_id": self._interface_id(initiator if at_initiator else responder),
            "rejected_direction": "egress" if leaves else "ingress",
        }

    def _interface_id(self, eni: int) -> str | None:
        return self._network.enis[eni].id if eni >= 0 else None

    def _rules(
        self, eni: int, peer: int, egress: bool, protocol: int, port: int
    ) -> tuple[str, ...] | None:
        if eni < 0:
            return None
        return self._admission.rules(eni, peer, egress=egress, protocol=protocol, port=port)
