"""One emulator for each module, one build for all: a deployment costs more than all that is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployed import Network, build
from emulator import Emulator, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built template, beside the code it names."""
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def network(emulator: Emulator) -> Network:
    ec2 = emulator.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        for name in ("web", "monitored", "database")
    }

    def interface(*names: str) -> Any:
        made = ec2.create_network_interface(
            SubnetId=subnet, Groups=[groups[name] for name in names]
        )["NetworkInterface"]
        return (
            made["NetworkInterfaceId"],
            made["PrivateIpAddress"],
            sorted(groups[n] for n in names),
        )

    return Network(*interface("web", "monitored"), *interface("database"))
