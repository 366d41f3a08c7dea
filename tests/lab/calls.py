"""Who calls whom in the lab, when, and what goes to and fro."""

from __future__ import annotations

from dataclasses import dataclass

from lab.vpc import ESP, ICMP, ICMPV6, LAB, TCP, UDP


@dataclass(frozen=True)
class Call:
    """
    A connection, or what would be one.

    The client opens it ``at`` a second of the recording and speaks at each of ``beats``, seconds after that; the server
    answers, unless it is ``one_way``, and speaks unasked at ``pushes``. One with ``listens`` false knocks at a closed
    port. TCP ends a second after the last word, if it ``ends``. Where all was forgotten before it begins, as after the
    time-outs of connection tracking, it is ``fresh``. ``to`` is the address dialled; ``server`` is who has it.

    ``told_by`` is what tells who opened it, as far as flow records go: mostly there is more than its ``flags``; where
    the rules would let either end open it, both began in the same second and there are no flags, ``nothing`` does.
    """

    client: str
    client_addr: str
    client_port: int
    server: str
    to: str
    port: int
    protocol: int
    at: int
    beats: tuple[int, ...] = (1,)
    pushes: tuple[int, ...] = ()
    one_way: bool = False
    listens: bool = True
    ends: bool = True
    fresh: bool = False
    told_by: str = "more"


_HOSTS = {host.name: (host.ipv4, host.ipv6) for host in LAB.hosts}
_ADDRESSES = {
    one.name: (one.ipv4[0], *one.ipv6[:1], *one.ipv4[1:]) for one in LAB.interfaces
} | _HOSTS


def _call(
    client: str,
    server: str,
    port: int,
    client_port: int,
    at: int,
    protocol: int = TCP,
    **more: object,
) -> Call:
    """Make a call by IPv4; ``to`` and ``client_addr`` may be given, and ``v6``, ``public``, ``secondary``."""
    which = 1 if more.pop("v6", False) else 0
    to = more.pop("to", None) or _ADDRESSES[server][which]
    if more.pop("public", False):
        to = LAB.interface(server).public
    if more.pop("secondary", False):
        to = _ADDRESSES[server][2]
    client_addr = more.pop("client_addr", None) or _ADDRESSES[client][which]
    return Call(client, client_addr, client_port, server, to, port, protocol, at, **more)  # type: ignore[arg-type]


_TALK = (1, 2, 3)

_HARD = (
    # From outside, over public addresses and IPv6; client ports that look like services.
    _call("internet", "proxy", 443, 50001, 5, public=True, beats=_TALK),
    _call("internet", "proxy", 443, 8443, 20, public=True, beats=_TALK),
    _call("office", "proxy", 443, 5432, 30, public=True, beats=(1, 40, 80, 130)),
    _call("internet", "proxy", 443, 50002, 40, v6=True),
    _call("internet", "proxy", 443, 443, 45, v6=True, beats=(1, 70)),
    _call("internet", "proxy", 22, 50003, 50, public=True),
    _call("internet", "proxy", 8443, 443, 55, v6=True),
    _call("internet", "proxy", 80, 50004, 61, public=True, beats=(1, 3, 7)),
    _call("office", "ops", 22, 50010, 65, public=True, beats=(1, 50, 100, 190, 200)),
    _call("office", "ops", 22, 3389, 70, v6=True, beats=(1, 50)),
    _call("internet", "ops", 22, 22, 75, public=True),
    _call("internet", "ops", 22, 50011, 76, v6=True),
    # Inside: references to groups, overlapping rules, a secondary address.
    _call("proxy", "app1", 8080, 3306, 80, beats=_TALK),
    _call("proxy", "app1", 8080, 40001, 90, beats=(1, 59, 118, 177), pushes=(30, 90)),
    _call("proxy", "app2", 8080, 40002, 95, secondary=True, beats=_TALK),
    _call("proxy", "app1", 8080, 40003, 100, v6=True),
    _call("proxy", "app1", 9000, 40004, 105),
    _call("app1", "app2", 7100, 7200, 110, beats=(1, 65), told_by="flags"),
    _call("app2", "app1", 7300, 22, 115),
    _call("app2", "app1", 7301, 8000, 118, client_addr="10.0.1.112"),
    _call("app2", "app1", 9001, 7400, 120, beats=(2, 6)),
    _call("app1", "database", 5432, 45000, 125, beats=(1, 50, 100, 150, 300, 350, 600, 900)),
    _call("app1", "database", 5432, 45001, 130, beats=(1, 1200), ends=False),
    _call("app2", "database", 5432, 5432, 135, beats=(1, 2, 62)),
    _call("app2", "database", 5432, 3306, 140, v6=True, beats=_TALK),
    _call("app1", "database", 5433, 45002, 145),
    _call("app1", "database", 22, 45003, 150),
    _call("database", "app1", 8080, 45004, 155, beats=(1, 3)),
    _call("ops", "app1", 22, 443, 160, beats=(1, 2, 3, 4)),
    _call("ops", "database", 3306, 5432, 165),
    _call("ops", "database", 9999, 46000, 170, listens=False, beats=(), ends=False),
    _call("ops", "metrics", 22, 46001, 175, secondary=True),
    _call("ops", "database", 22, 46002, 180, v6=True),
    _call("app1", "ops", 22, 46003, 185),
    # Public addresses called from inside: references to groups don't reach them.
    _call("ops", "proxy", 443, 46010, 190, public=True),
    _call("ops", "open", 9443, 46011, 195, public=True),
    _call("ops", "open", 9443, 46012, 200),
    # Through the NAT gateway, and past it by IPv6.
    _call("app1", "internet", 443, 47000, 205, beats=(1, 2, 75)),
    _call("app2", "internet", 443, 443, 210, told_by="flags"),
    _call("app1", "internet", 443, 47001, 215, v6=True),
    _call("app1", "internet", 80, 47002, 220),
    _call("app1", "proxy", 443, 47003, 225, public=True),
    # Not tracked.
    _call("internet", "open", 80, 48000, 230, public=True, beats=(1, 65)),
    _call("office", "open", 80, 80, 235, public=True, told_by="flags"),
    _call("proxy", "open", 443, 48001, 240),
    _call("internet", "open", 5005, 48002, 245, UDP, public=True, beats=(0, 10, 70), told_by="nothing"),
    # UDP.
    _call("proxy", "metrics", 53, 33000, 250, UDP, beats=(0,)),
    _call("proxy", "metrics", 53, 53, 252, UDP, beats=(0, 20)),
    _call("app1", "metrics", 53, 33001, 255, UDP, beats=(0,)),
    _call("app1", "metrics", 8125, 8125, 260, UDP, beats=(0, 20, 40, 60, 80), one_way=True),
    _call("app2", "metrics", 53, 33002, 265, UDP, secondary=True, beats=(0,)),
    _call("app2", "metrics", 53, 33003, 270, UDP, v6=True, beats=(0, 5)),
    _call("app1", "app2", 7946, 7946, 275, UDP, beats=(0, 20, 40, 60), told_by="nothing"),
    _call("app2", "app1", 7946, 7946, 1000, UDP, beats=(0, 20), fresh=True, told_by="nothing"),
    _call("app1", "app2", 7946, 33004, 280, UDP, beats=(0,)),
    _call("metrics", "app1", 9999, 33005, 285, UDP, beats=(0, 1)),
    _call("app1", "database", 53, 33006, 290, UDP, beats=(0, 2, 61)),
    _call("internet", "metrics", 53, 33007, 292, UDP, v6=True, beats=(0,)),
    # ICMP has no ports: the client's is the number of the ping.
    _call("ops", "app1", 0, 101, 300, ICMP, beats=(0, 1, 2)),
    _call("proxy", "app1", 0, 102, 305, ICMP, beats=(0, 20)),
    _call("proxy", "app1", 0, 102, 700, ICMP, beats=(0,), fresh=True),
    _call("ops", "database", 0, 103, 310, ICMP, beats=(0,)),
    _call("app1", "ops", 0, 104, 315, ICMP, beats=(0, 1)),
    _call("internet", "proxy", 0, 105, 320, ICMP, public=True, beats=(0, 1)),
    _call("app1", "app2", 0, 106, 325, ICMPV6, v6=True, beats=(0, 1), told_by="nothing"),
    _call("database", "metrics", 0, 107, 330, ICMPV6, v6=True, beats=(0,)),
    # Another protocol.
    _call("ops", "database", 0, 0, 335, ESP, beats=(0, 1, 70)),
    _call("ops", "app1", 0, 0, 340, ESP, beats=(0,), one_way=True),
)  # fmt: skip

_PATHS = (
    ("internet", "proxy", 443, {"public": True}),
    ("internet", "proxy", 443, {"v6": True}),
    ("office", "ops", 22, {"public": True}),
    ("proxy", "app1", 8080, {}),
    ("proxy", "app2", 8080, {"v6": True}),
    ("app1", "app2", 7500, {}),
    ("app1", "database", 5432, {}),
    ("app2", "database", 5432, {"v6": True}),
    ("ops", "app2", 22, {}),
    ("app1", "internet", 443, {}),
)
_EACH = 15

_ORDINARY = tuple(
    _call(client, server, port, 52_000 + 100 * path + number, 360 + 53 * number + path, **more)
    for path, (client, server, port, more) in enumerate(_PATHS)
    for number in range(_EACH)
)
"""What most traffic is like: clients with ephemeral ports, one call after the other."""

CALLS = _HARD + _ORDINARY
