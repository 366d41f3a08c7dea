"""The dashboards: the one table of them. The first is the original's, with its eight panels and their titles."""

from __future__ import annotations

from vpcflow.dashboards.model import (
    TIME,
    Causes,
    Controls,
    Dashboard,
    Grid,
    Is,
    Known,
    Metric,
    Not,
    OverTime,
    Panel,
    Records,
    Row,
    Terms,
)

RECORDS = Metric("count", None, "Records")
BYTES = Metric("sum", "bytes", "Bytes")
PACKETS = Metric("sum", "packets", "Packets")

ACCEPTED = Is("action", ("ACCEPT",))
REJECTED = Is("action", ("REJECT",))
IN = Is("direction", ("ingress",))
OUT = Is("direction", ("egress",))
INSIDE = Is("peer_scope", ("same_eni", "vpc", "peered_vpc", "transit", "other_known_vpc"))
INTERNET = Is("peer_scope", ("internet", "aws_service"))

GROUP = Terms("security_group_ids", "Security group", 20)
PEER_GROUP = Terms("peer_security_group_ids", "Peer's security group", missing=True)
PORT = Terms("dstport", "Destination port", 20)
ACTION = Terms("action", "Action", 2)
DIRECTION = Terms("direction", "Direction", 2)
PROTOCOL = Terms("protocol_name", "Protocol", 5)
SOURCE = Terms("srcaddr", "Source address", 20)
DESTINATION = Terms("dstaddr", "Destination address", 5)
PEER = Terms("peer_addr", "Peer", 10)
FROM_COUNTRY = Terms("src_geo_country_name", "Country of the source", 20)
TO_COUNTRY = Terms("dst_geo_country_name", "Country of the destination", 20)
INTERFACE = Terms("interface_id", "Network interface", 20)
OVER_TIME = OverTime()

CONTROLS = Controls(
    (
        ("security_group_ids", "Security group"),
        ("action", "Action"),
        ("direction", "Direction"),
        ("peer_scope", "Where the peer is"),
        ("dstport", "Destination port"),
        ("interface_id", "Network interface"),
    )
)

SHOWN = tuple(
    "action direction srcaddr srcport dstaddr dstport protocol packets bytes interface_id security_group_ids"
    " peer_security_group_ids peer_scope log_status reject_reason".split()
)

CAUSES = Causes(
    (
        ("Security group, network ACL or late packet", (Not(Known("reject_reason")),)),
        ("VPC Block Public Access", (Is("reject_reason", ("BPA",)),)),
        ("Encryption controls", (Is("reject_reason", ("EC",)),)),
    )
)


def distinct(column: str, label: str) -> Metric:
    """Count different values: exactly up to some 3,000 of them, nearly beyond."""
    return Metric("cardinality", column, label)


SG_DASHBOARD = Dashboard(
    "sg-dashboard",
    "SGDashboard",
    "Which security groups carry traffic, and which ports of theirs are really used, from where? Click a group, then read the"
    " other panels: a port that never shows up need not be open, and sources that are always the same need not be a wide range.",
    ("security_group_ids",),
    (
        Row(
            16,
            (
                Panel("SecurityGroups", "table", (PACKETS,), (GROUP,)),
                Panel(
                    "Destination",
                    "pie",
                    (PACKETS,),
                    (ACTION, DESTINATION, Terms("dstport", "Destination port", 5)),
                ),
                Panel("Destination Port", "table", (PACKETS,), (PORT,)),
                Panel(
                    "Source IP",
                    "table",
                    (PACKETS,),
                    (SOURCE, FROM_COUNTRY._replace(size=1, missing=True)),
                ),
            ),
        ),
        Row(
            12,
            (
                Panel("Action", "pie", (RECORDS,), (ACTION,)),
                Panel(
                    "Protocol", "pie", (RECORDS,), (Terms("protocol", "Protocol", 5, other=True),)
                ),
                Panel("Direction", "pie", (RECORDS,), (DIRECTION,)),
            ),
        ),
        Row(22, (Records("All", SHOWN),)),
    ),
)

OVERVIEW = Dashboard(
    "overview",
    "Overview",
    "How much traffic is there, whose is it, and where does it go? Look for a line that leaves its usual height, a group or"
    " instance at the top that was not there yesterday, and bytes that go to the internet from where none should. A record is one"
    " way of a connection: answers have records of their own.",
    ("peer_scope",),
    (
        Row(
            7,
            (
                Panel(
                    "In the time shown",
                    "metric",
                    (
                        RECORDS,
                        BYTES,
                        PACKETS,
                        distinct("interface_id", "Network interfaces"),
                        distinct("security_group_ids", "Security groups"),
                        distinct("peer_addr", "Peers"),
                    ),
                ),
            ),
        ),
        Row(5, (CONTROLS,)),
        Row(
            14,
            (
                Panel("Bytes by action", "area", (BYTES,), (OVER_TIME, ACTION)),
                Panel("Records by direction", "line", (RECORDS,), (OVER_TIME, DIRECTION)),
            ),
        ),
        Row(
            14,
            (
                Panel("Where the peers are", "pie", (BYTES,), (Terms("peer_scope", "Where the peer is", 12),)),
                Panel("Protocols", "pie", (BYTES,), (PROTOCOL._replace(other=True),)),
                Panel("Action", "pie", (RECORDS,), (ACTION,)),
                Panel("Ways out", "pie", (BYTES,), (Terms("traffic_path_name", "Traffic path", 8),), (OUT,)),
            ),
        ),
        Row(
            16,
            (
                Panel("Security groups", "table", (BYTES, RECORDS, PACKETS), (GROUP,)),
                Panel("Instances", "table", (BYTES, RECORDS), (Terms("eni_instance_name", "Instance", 20),)),
                Panel("VPCs", "table", (BYTES, RECORDS), (Terms("eni_vpc_id", "VPC", 20),)),
            ),
        ),
        Row(
            16,
            (
                Panel("Who talks to whom", "table", (BYTES, RECORDS), (SOURCE, DESTINATION), width=2),
                Panel("Destination ports", "table", (RECORDS, BYTES), (PORT, PROTOCOL), width=1),
                Panel(
                    "AWS services written to",
                    "table",
                    (BYTES, RECORDS),
                    (Terms("dst_aws_service", "Service", 20),),
                    (OUT,),
                ),
            ),
        ),
        Row(20, (Records("Records", SHOWN),)),
    ),
)  # fmt: skip

SECURITY_GROUPS = Dashboard(
    "security-groups",
    "Security groups",
    "Who talks to a group, through which ports? Look for ports that carry nothing, for groups that only ever meet one other"
    " group (a rule could name that group instead of addresses), and for anything accepted from the internet. Answers count too:"
    " ingress at a high port is mostly the answer to what the interface asked. An interface with several groups counts in each.",
    ("security_group_ids", "peer_security_group_ids"),
    (
        Row(5, (CONTROLS,)),
        Row(
            16,
            (
                Panel(
                    "Groups and their peers' groups",
                    "table",
                    (BYTES, RECORDS, distinct("peer_addr", "Peers")),
                    (GROUP, PEER_GROUP),
                    (ACCEPTED,),
                ),
                Panel("Group by peer's group", "heatmap", (RECORDS,), (PEER_GROUP._replace(missing=False), GROUP), (ACCEPTED,)),
            ),
        ),
        Row(
            14,
            (
                Panel("Accepted and rejected", "histogram", (RECORDS,), (GROUP, ACTION)),
                Panel("Bytes over time", "line", (BYTES,), (OVER_TIME, GROUP._replace(size=8))),
                Panel("By name", "table", (BYTES, RECORDS), (Terms("security_group_names", "Security group", 20),)),
            ),
        ),
        Row(
            18,
            (
                Panel(
                    "Ports that were reached",
                    "table",
                    (RECORDS, BYTES, distinct("peer_addr", "Peers")),
                    (GROUP, PORT._replace(size=10), PROTOCOL),
                    (ACCEPTED, IN),
                ),
                Panel(
                    "Sources let in",
                    "table",
                    (RECORDS, BYTES),
                    (GROUP, PEER, Terms("peer_scope", "Where the peer is", 1)),
                    (ACCEPTED, IN),
                ),
                Panel(
                    "Let in from the internet",
                    "table",
                    (distinct("srcaddr", "Sources"), RECORDS, BYTES),
                    (GROUP, PORT._replace(size=10)),
                    (ACCEPTED, IN, INTERNET),
                ),
            ),
        ),
    ),
)  # fmt: skip

REJECTS = Dashboard(
    "rejects",
    "Rejects",
    "What was turned away, and why? AWS names Block Public Access and encryption controls; all else is a security group, a network"
    " ACL, or a packet that came after its connection was closed (flags without SYN). Look for rejects between your own groups: there"
    " a rule is missing, or someone is where they should not be. One source at many ports is a scanner.",
    ("action",),
    (
        Row(
            7,
            (
                Panel(
                    "Turned away",
                    "metric",
                    (
                        RECORDS,
                        PACKETS,
                        distinct("srcaddr", "Sources"),
                        distinct("dstport", "Destination ports"),
                        distinct("security_group_ids", "Security groups"),
                    ),
                    where=(REJECTED,),
                ),
            ),
        ),
        Row(5, (CONTROLS,)),
        Row(
            14,
            (
                Panel("Causes over time", "area", (RECORDS,), (OVER_TIME, CAUSES), (REJECTED,), 2),
                Panel("Causes", "pie", (RECORDS,), (CAUSES,), (REJECTED,)),
                Panel("TCP flags", "pie", (RECORDS,), (Terms("tcp_flag_names", "TCP flag", 8),), (REJECTED,)),
            ),
        ),
        Row(
            16,
            (
                Panel(
                    "Security groups that did not let it in or out",
                    "table",
                    (RECORDS, PACKETS, distinct("peer_addr", "Peers")),
                    (GROUP, DIRECTION),
                    (REJECTED,),
                ),
                Panel("Ports", "table", (RECORDS, distinct("srcaddr", "Sources")), (PORT, PROTOCOL), (REJECTED,)),
                Panel(
                    "Between your own",
                    "table",
                    (RECORDS,),
                    (GROUP, PEER_GROUP, PORT._replace(size=5)),
                    (REJECTED, INSIDE),
                ),
            ),
        ),
        Row(
            16,
            (
                Panel(
                    "Scanners: sources at most ports",
                    "table",
                    (distinct("dstport", "Ports"), distinct("dstaddr", "Addresses"), RECORDS),
                    (SOURCE,),
                    (REJECTED, IN),
                ),
                Panel(
                    "Sources",
                    "table",
                    (RECORDS, distinct("dstaddr", "Addresses")),
                    (SOURCE, FROM_COUNTRY._replace(size=1, missing=True)),
                    (REJECTED,),
                ),
                Panel("Interfaces", "table", (RECORDS, distinct("srcaddr", "Sources")), (INTERFACE,), (REJECTED,)),
            ),
        ),
        Row(20, (Records("Rejected records", SHOWN, (REJECTED,)),)),
    ),
)  # fmt: skip

GEOGRAPHY = Dashboard(
    "geography",
    "Geography",
    "Where does traffic come from, and where does it go? Look for a country that has no business with you, above all where your own"
    " interfaces send to it. A database knows where a network is registered or was last seen: take a city for a hint, not for a fact.",
    ("src_geo_country_code",),
    (
        Row(5, (CONTROLS,)),
        Row(
            18,
            (
                Panel("Bytes from", "region_map", (BYTES,), (Terms("src_geo_country_code", "Country", 250),), (IN,)),
                Panel("Bytes to", "region_map", (BYTES,), (Terms("dst_geo_country_code", "Country", 250),), (OUT,)),
            ),
        ),
        Row(
            16,
            (
                Panel("From countries", "table", (BYTES, RECORDS, distinct("srcaddr", "Sources")), (FROM_COUNTRY,), (IN,)),
                Panel("To countries", "table", (BYTES, RECORDS, distinct("dstaddr", "Destinations")), (TO_COUNTRY,), (OUT,)),
                Panel("Turned away by country", "table", (RECORDS, distinct("srcaddr", "Sources")), (FROM_COUNTRY,), (REJECTED, IN)),
            ),
        ),
        Row(
            18,
            (
                Panel("Places it comes from", "tile_map", (RECORDS,), (Grid("src_geo_latitude"),), (IN,)),
                Panel("Places it goes to", "tile_map", (RECORDS,), (Grid("dst_geo_latitude"),), (OUT,)),
            ),
        ),
        Row(
            14,
            (
                Panel("Countries over time", "line", (RECORDS,), (OVER_TIME, FROM_COUNTRY._replace(size=8)), (IN,), 2),
                Panel("Cities it goes to", "tagcloud", (BYTES,), (Terms("dst_geo_city", "City", 30),), (OUT,)),
                Panel("Networks it goes to", "table", (BYTES, RECORDS), (Terms("dst_as_org", "Autonomous system", 20),), (OUT,)),
            ),
        ),
    ),
)  # fmt: skip

LOG_HEALTH = Dashboard(
    "log-health",
    "Log health",
    "How far can these records be trusted? SKIPDATA means that AWS left records out: nothing can be said of what is not there. A gap"
    " in the line is a log that stopped. `unknown` interfaces have no security groups here, and an inventory that is hours old may"
    " have others by now: capture it more often, or look for an account that is not described.",
    ("log_status", "inventory_state"),
    (
        Row(
            7,
            (
                Panel(
                    "In the time shown",
                    "metric",
                    (
                        RECORDS,
                        distinct("interface_id", "Network interfaces"),
                        distinct("account_id", "Accounts"),
                        Metric("max", "inventory_age_s", "Oldest inventory, seconds"),
                        Metric("max", "duration_s", "Longest interval, seconds"),
                    ),
                ),
            ),
        ),
        Row(
            14,
            (
                Panel("Records by log status", "area", (RECORDS,), (OVER_TIME, Terms("log_status", "Log status", 3)), width=2),
                Panel("Log status", "pie", (RECORDS,), (Terms("log_status", "Log status", 3),)),
                Panel("Versions", "pie", (RECORDS,), (Terms("version", "Version", 10),)),
            ),
        ),
        Row(
            14,
            (
                Panel("Answers of the inventory", "area", (RECORDS,), (OVER_TIME, Terms("inventory_state", "Answer", 4)), width=2),
                Panel("Answer", "pie", (RECORDS,), (Terms("inventory_state", "Answer", 4),)),
                Panel(
                    "Age of the inventory, seconds",
                    "line",
                    (Metric("avg", "inventory_age_s", "Mean"), Metric("max", "inventory_age_s", "Oldest")),
                    (OVER_TIME,),
                ),
            ),
        ),
        Row(
            16,
            (
                Panel("SKIPDATA: records were left out", "table", (RECORDS, Metric("max", TIME, "Last")), (INTERFACE,), (Is("log_status", ("SKIPDATA",)),)),
                Panel("NODATA: no traffic", "table", (RECORDS, Metric("max", TIME, "Last")), (INTERFACE,), (Is("log_status", ("NODATA",)),)),
                Panel(
                    "Unknown interfaces",
                    "table",
                    (RECORDS, Metric("min", TIME, "First"), Metric("max", TIME, "Last")),
                    (INTERFACE, Terms("account_id", "Account", 1)),
                    (Is("inventory_state", ("unknown",)),),
                ),
            ),
        ),
        Row(
            14,
            (
                Panel(
                    "Where records come from",
                    "table",
                    (RECORDS, distinct("interface_id", "Interfaces"), Metric("max", TIME, "Last")),
                    (Terms("account_id", "Account", 20), Terms("eni_vpc_id", "VPC", 20, missing=True)),
                ),
                Panel("How directions are known", "pie", (RECORDS,), (Terms("direction_basis", "From", 2),)),
            ),
        ),
    ),
)  # fmt: skip

RULE_USAGE = Dashboard(
    "rule-usage",
    "Rule usage",
    "Which security group rules does the traffic need? Look for rules of a group that never show up, and for wide rules that few peers"
    " use. A rule counts as used only where a record can be put down to it; read Log health before you remove one.",
    ("rule_ids", "rule_match"),
    (
        Row(5, (CONTROLS,)),
        Row(
            18,
            (
                Panel(
                    "Rules",
                    "table",
                    (
                        RECORDS,
                        BYTES,
                        distinct("peer_addr", "Peers"),
                        Metric("min", TIME, "First"),
                        Metric("max", TIME, "Last"),
                    ),
                    (Terms("rule_ids", "Rule", 100),),
                    (ACCEPTED,),
                    2,
                ),
                Panel("How records match", "pie", (RECORDS,), (Terms("rule_match", "Match", 10),), (ACCEPTED,)),
            ),
        ),
        Row(
            16,
            (
                Panel("Rules of a group", "table", (RECORDS, BYTES), (GROUP, Terms("rule_ids", "Rule", 20)), (ACCEPTED,)),
                Panel("Ports of a rule", "table", (RECORDS, BYTES), (Terms("rule_ids", "Rule", 20), PORT._replace(size=10)), (ACCEPTED,)),
                Panel("Rules over time", "line", (RECORDS,), (OVER_TIME, Terms("rule_ids", "Rule", 10)), (ACCEPTED,)),
            ),
        ),
    ),
)  # fmt: skip

DASHBOARDS = (
    OVERVIEW,
    SECURITY_GROUPS,
    RULE_USAGE,
    REJECTS,
    GEOGRAPHY,
    LOG_HEALTH,
    SG_DASHBOARD,
)
"""In the order of the links at their heads."""
