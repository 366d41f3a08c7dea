"""
OCSF: events of the class Network Activity (4001), version 1.8.0, with the profiles ``cloud`` and ``security_control``.

https://schema.ocsf.io/1.8.0/classes/network_activity
"""

from __future__ import annotations

from vpcflow.schemas.ocsf.documents import encode_ocsf, encode_spare
from vpcflow.schemas.ocsf.paths import COMPUTED, Computed, mapping, place

__all__ = ["COMPUTED", "Computed", "encode_ocsf", "encode_spare", "mapping", "place"]
