"""OCSF Network Activity rows, as Security Lake writes them, are the flows they were made of."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from vpcflow.fields import FIELDS
from vpcflow.tables import parse_rows

TEXT = pa.string()
ENDPOINT = pa.struct(
    {
        "port": pa.int32(),
        "svc_name": TEXT,
        "ip": TEXT,
        "intermediate_ips": pa.list_(TEXT),
        "interface_uid": TEXT,
        "vpc_uid": TEXT,
        "instance_uid": TEXT,
        "subnet_uid": TEXT,
    }.items()
)
CONNECTION = pa.struct(
    {
        "protocol_num": pa.int32(),
        "tcp_flags": pa.int32(),
        "protocol_ver": TEXT,
        "boundary_id": pa.int32(),
        "direction": TEXT,
    }.items()
)
SCHEMA = pa.schema(
    {
        "metadata": pa.struct([("product", pa.struct([("version", TEXT), ("name", TEXT)]))]),
        "cloud": pa.struct([("account_uid", TEXT), ("region", TEXT), ("zone", TEXT)]),
        "src_endpoint": ENDPOINT,
        "dst_endpoint": ENDPOINT,
        "connection_info": CONNECTION,
        "traffic": pa.struct([("packets", pa.int64()), ("bytes", pa.int64())]),
        "start_time": pa.int64(),
        "end_time": pa.int64(),
        "status_code": TEXT,
        "class_uid": pa.int32(),
        "disposition": TEXT,
        "unmapped": pa.map_(TEXT, TEXT),
    }.items()
)


def endpoint(
    ip: str | None, port: int | None, *, own: bool, middle: list[str] | None = None
) -> Any:
    return {
        "port": port,
        "svc_name": "S3" if ip == "192.0.2.7" else "-",
        "ip": ip,
        "intermediate_ips": middle,
        "interface_uid": "eni-0a" if own else None,
        "vpc_uid": "vpc-0a" if own else None,
        "instance_uid": "i-0a" if own else None,
        "subnet_uid": "subnet-0a" if own else None,
    }


def ocsf_row(**changed: Any) -> dict[str, Any]:
    return {
        "metadata": {"product": {"version": "5", "name": "Amazon VPC"}},
        "cloud": {"account_uid": "012345678901", "region": "us-east-1", "zone": "use1-az1"},
        "src_endpoint": endpoint("10.0.1.20", 40001, own=True),
        "dst_endpoint": endpoint("192.0.2.7", 443, own=False),
        "connection_info": {
            "protocol_num": 6,
            "tcp_flags": 3,
            "protocol_ver": "IPv4",
            "boundary_id": 11,
            "direction": "Outbound",
        },
        "traffic": {"packets": 1, "bytes": 40},
        "start_time": 1766000000000,
        "end_time": 1766000059000,
        "status_code": "OK",
        "class_uid": 4001,
        "disposition": "Allowed",
        "unmapped": [("sublocation_id", "-"), ("sublocation_type", "outpost")],
        **changed,
    }


def ocsf_flows(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    parsed = parse_rows(pa.RecordBatch.from_pylist(list(rows), schema=SCHEMA), "x", 1)
    assert parsed.rejects == ()
    return [
        {k: v for k, v in flow.items() if v is not None and not k.startswith("source_")}
        for flow in parsed.batch.to_pylist()
    ]


def test_an_ocsf_row_is_the_flow_it_was_made_of() -> None:
    assert ocsf_flows(ocsf_row()) == [
        {
            "version": 5,
            "account_id": "012345678901",
            "interface_id": "eni-0a",
            "srcaddr": "10.0.1.20",
            "dstaddr": "192.0.2.7",
            "srcport": 40001,
            "dstport": 443,
            "protocol": 6,
            "packets": 1,
            "bytes": 40,
            "start": 1766000000,
            "end": 1766000059,
            "action": "ACCEPT",
            "log_status": "OK",
            "vpc_id": "vpc-0a",
            "subnet_id": "subnet-0a",
            "instance_id": "i-0a",
            "tcp_flags": 3,
            "type": "IPv4",
            "pkt_srcaddr": "10.0.1.20",
            "pkt_dstaddr": "192.0.2.7",
            "region": "us-east-1",
            "az_id": "use1-az1",
            "sublocation_type": "outpost",
            "pkt_dst_aws_service": "S3",
            "flow_direction": "egress",
            "traffic_path": 8,
        }
    ]


def test_an_ocsf_row_of_ingress_has_its_interface_at_the_destination() -> None:
    connection = {**ocsf_row()["connection_info"], "direction": "Inbound", "boundary_id": 99}
    row = ocsf_row(
        src_endpoint=endpoint("198.51.100.7", 40001, own=False, middle=["10.0.9.9"]),
        dst_endpoint=endpoint("10.0.1.99", 443, own=True, middle=["10.0.1.20"]),
        connection_info=connection,
        disposition="Blocked",
    )

    [flow] = ocsf_flows(row)

    assert flow["interface_id"] == "eni-0a"
    assert (flow["srcaddr"], flow["pkt_srcaddr"]) == ("10.0.9.9", "198.51.100.7")
    assert (flow["dstaddr"], flow["pkt_dstaddr"]) == ("10.0.1.20", "10.0.1.99")
    assert (flow["flow_direction"], flow["action"]) == ("ingress", "REJECT")
    assert "traffic_path" not in flow


def test_an_ocsf_row_of_nodata_has_nulls() -> None:
    row = ocsf_row(
        src_endpoint=endpoint("-", None, own=True),
        dst_endpoint=endpoint("-", None, own=False),
        connection_info=dict.fromkeys(ocsf_row()["connection_info"]) | {"direction": "-"},
        traffic={"packets": None, "bytes": None},
        status_code="NODATA",
        disposition="-",
    )

    [flow] = ocsf_flows(row)

    assert flow["log_status"] == "NODATA"
    assert flow["interface_id"] == "eni-0a"
    assert not {"srcaddr", "action", "flow_direction", "bytes", "traffic_path"} & set(flow)


def test_every_ocsf_path_of_the_table_of_fields_is_read_or_known_not_to_be() -> None:
    flow = ocsf_flows(ocsf_row())[0]

    unread = {f.column for f in FIELDS if f.since <= 5 and f.column not in flow}

    assert unread == {"sublocation_id", "pkt_src_aws_service"}
