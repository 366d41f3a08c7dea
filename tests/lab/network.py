"""
Network namespaces, one for each interface and host, around one that routes.

They have no names: a namespace lives as long as this process holds it open, so none outlives it, however it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import TracebackType
    from typing import Self

    from lab.vpc import Interface, Vpc

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_libc = ctypes.CDLL(None, use_errno=True)

_GATEWAY = "10.255.255.1"
_GATEWAY_6 = "fe80::1"
_ROUTER = "router"
_ROUTER_MAC, _END_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"


class Network:
    """The VPC's interfaces, each behind ``eth0`` of a namespace of its own, and the hosts outside."""

    def __init__(self, vpc: Vpc) -> None:
        self.vpc = vpc
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._spaces: dict[str, int] = {}
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the namespaces go, and with them all that is in them."""
        for space in (*self._spaces.values(), self._home):
            os.close(space)
        self._spaces.clear()

    @property
    def names(self) -> list[str]:
        return [name for name in self._spaces if name != _ROUTER]

    @contextlib.contextmanager
    def inside(self, name: str) -> Generator[None, None, None]:
        """Make sockets and processes in a namespace; sockets stay there."""
        _enter(self._spaces[name])
        try:
            yield
        finally:
            _enter(self._home)

    def load_rules(self, name: str, rules: str) -> None:
        """Load an nftables script into a namespace."""
        with self.inside(name):
            _run(["nft", "--file", "-"], rules)

    def forget(self, name: str, protocol: str) -> None:
        """Let a namespace forget all connections of a protocol, as they are after their time-out."""
        with self.inside(name):
            # It ends with 1 where there was none.
            subprocess.run(["conntrack", "-D", "-p", protocol], capture_output=True, check=False)

    def _build(self) -> None:
        ends = [*self.vpc.interfaces, *self.vpc.hosts]
        for name in (_ROUTER, *(end.name for end in ends)):
            self._spaces[name] = _new_space()
            _enter(self._home)
        with self.inside(_ROUTER):
            _set("net/ipv4/ip_forward", 1)
            _set("net/ipv6/conf/all/forwarding", 1)
            _set("net/ipv6/conf/default/accept_dad", 0)
        for one in self.vpc.interfaces:
            self._attach(one.name, one.addresses)
        for host in self.vpc.hosts:
            self._attach(host.name, (host.ipv4, host.ipv6))
        for subnet, nat in self.vpc.by_nat.items():
            self._route_by_nat(subnet, self.vpc.interface(nat))
        self.load_rules(_ROUTER, _internet_gateway(self.vpc))

    def _attach(self, name: str, addresses: Sequence[str]) -> None:
        """Lead ``eth0`` of a namespace to the router, which is the way to everywhere."""
        space = self._spaces[name]
        with self.inside(name):
            _set("net/ipv6/conf/default/accept_dad", 0)
            _set("net/ipv6/conf/default/accept_ra", 0)
            _set("net/ipv6/conf/default/router_solicitations", 0)
        with self.inside(_ROUTER):
            path = f"/proc/{os.getpid()}/fd/{space}"
            _ip(
                [
                    f"link add to-{name} address {_ROUTER_MAC} type veth"
                    f" peer name eth0 address {_END_MAC} netns {path}"
                ]
            )
            _ip(
                [
                    f"link set to-{name} up",
                    f"address add {_GATEWAY}/32 dev to-{name}",
                    f"address add {_GATEWAY_6}/64 dev to-{name} nodad",
                    *(f"route add {_host_route(a)} dev to-{name}" for a in addresses),
                    *(_neighbour(a, _END_MAC, f"to-{name}") for a in addresses),
                ]
            )
        with self.inside(name):
            _ip(
                [
                    "link set lo up",
                    "link set eth0 up",
                    *(f"address add {_host_route(a)} dev eth0{_nodad(a)}" for a in addresses),
                    f"route add {_GATEWAY} dev eth0",
                    f"route add default via {_GATEWAY} dev eth0 src {addresses[0]}",
                    f"route add ::/0 via {_GATEWAY_6} dev eth0",
                    *(_neighbour(a, _ROUTER_MAC, "eth0") for a in (_GATEWAY, _GATEWAY_6)),
                ]
            )

    def _route_by_nat(self, subnet: str, nat: Interface) -> None:
        with self.inside(nat.name):
            _set("net/ipv4/ip_forward", 1)
            _set("net/ipv4/conf/all/send_redirects", 0)
            _set("net/ipv4/conf/eth0/send_redirects", 0)
        with self.inside(_ROUTER):
            private = [one for one in self.vpc.interfaces if one.subnet == subnet]
            outside = [host.ipv4 for host in self.vpc.hosts]
            outside += [one.public for one in self.vpc.interfaces if one.public]
            _ip(
                [
                    *(f"rule add iif to-{one.name} lookup 100" for one in private),
                    *(f"route add {a} dev to-{nat.name} table 100" for a in outside),
                    *(_neighbour(a, _END_MAC, f"to-{nat.name}") for a in outside),
                ]
            )


def _internet_gateway(vpc: Vpc) -> str:
    """Write what exchanges private and public addresses one to one, also where a public one is called from inside."""
    public = [(one.ipv4[0], one.public) for one in vpc.interfaces if one.public]
    outside = ", ".join(f'"to-{host.name}"' for host in vpc.hosts)
    private_ends = ", ".join(f'"to-{o.name}"' for o in vpc.interfaces if o.subnet in vpc.by_nat)
    to_private = ", ".join(f"{public} : {private}" for private, public in public)
    to_public = ", ".join(f"{private} : {public}" for private, public in public)
    return f"""
table ip gateway {{
    chain before {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname != {{ {private_ends} }} dnat to ip daddr map {{ {to_private} }}
    }}
    chain after {{
        type nat hook postrouting priority srcnat; policy accept;
        oifname {{ {outside} }} snat to ip saddr map {{ {to_public} }}
        ct status dnat iifname != {{ {outside} }} snat to ip saddr map {{ {to_public} }}
    }}
}}
"""


def _new_space() -> int:
    if _libc.unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "a network namespace cannot be made")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _enter(space: int) -> None:
    if _libc.setns(space, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "a network namespace cannot be entered")


def _set(name: str, value: int) -> None:
    Path("/proc/sys", name).write_text(str(value))


def _ip(commands: Sequence[str]) -> None:
    _run(["ip", "-batch", "-"], "".join(f"{command}\n" for command in commands))


def _run(command: Sequence[str], text: str) -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}\nof\n{text}")


def _host_route(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


def _neighbour(address: str, mac: str, device: str) -> str:
    """Say whose address it is: a packet that waits for an answer to that might be lost."""
    return f"neighbour add {address} lladdr {mac} dev {device} nud permanent"


def _nodad(address: str) -> str:
    return " nodad" if ":" in address else ""
