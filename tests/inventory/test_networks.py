"""Networks: their texts, and which lie in which."""

import ipaddress
import random

import pytest

from vpcflow.inventory.networks import Network, network, network_book


def slowly(text):
    """Read a network as ``ipaddress`` does."""
    try:
        parsed = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return Network(int(parsed.network_address), parsed.prefixlen, parsed.version == 4)


def random_texts(rng, count):
    for _ in range(count):
        four, six = rng.getrandbits(32), rng.getrandbits(128) >> rng.randrange(128)
        yield str(ipaddress.IPv4Address(four))
        yield str(ipaddress.IPv6Address(six))
        yield f"{ipaddress.IPv4Address(four)}/{rng.randint(0, 32)}"
        yield f"{ipaddress.IPv6Address(six)}/{rng.randint(0, 128)}"


def mutated(rng, text):
    at = rng.randrange(len(text))
    change = rng.choice(["", rng.choice("0123456789.:/ abcdefx%-+\0١é\n"), text[at] * 2])
    return text[:at] + change + text[at + 1 :]


@pytest.mark.parametrize("seed", range(5))
def test_texts_are_read_as_ipaddress_reads_them(seed):
    rng = random.Random(seed)
    texts = list(random_texts(rng, 200))
    texts += [mutated(rng, text) for text in texts for _ in range(5) if text]
    texts += ["", "1", "1.2.3", "1.2.3.04", "0x1.2.3.4", "1.2.3.4 ", "256.1.1.1", "::ffff:1.2.3.4"]

    assert [network(text) for text in texts] == [slowly(text) for text in texts]


@pytest.mark.parametrize("seed", range(5))
def test_networks_lie_in_those_that_hold_all_of_them(seed):
    rng = random.Random(seed)
    cidrs = {
        ipaddress.IPv4Network(
            (rng.getrandbits(6) << 26, rng.choice([0, 2, 4, 6, 8, 31, 32])), False
        )
        for _ in range(80)
    } | {
        ipaddress.IPv6Network((rng.getrandbits(6) << 122, rng.choice([0, 3, 6, 64, 128])), False)
        for _ in range(80)
    }
    networks = [slowly(str(cidr)) for cidr in cidrs]
    book = network_book(networks)

    nested = book.nested()

    for inner in cidrs:
        around = sorted(
            (c for c in cidrs if c != inner and c.version == inner.version and inner.subnet_of(c)),
            key=lambda c: -c.prefixlen,
        )
        expected = [book.numbers[slowly(str(cidr))] for cidr in around]
        assert nested.get(book.numbers[slowly(str(inner))], []) == expected
