from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter, TreeWriter
from netaddr import IPSet

WriteMmdb = Callable[..., Path]


class _Writer(MMDBWriter):
    build_epoch = 1767225600  # 2026-01-01

    def _build_meta(self):
        return {**super()._build_meta(), "build_epoch": self.build_epoch}


class _Tree(TreeWriter):
    """A tree with records of a size of our choice; the writer itself takes the smallest."""

    wanted_record_size = 24

    def _adjust_record_size(self):
        super()._adjust_record_size()
        self.record_size = self.wanted_record_size
        self.data_offset = self.record_size // 4 * self._node_counter


@pytest.fixture
def write_mmdb(tmp_path: Path) -> WriteMmdb:
    """Give a function that writes a database of networks and their records."""

    def write(
        records: Mapping[str, object],
        *,
        type_: str = "Test-City",
        ip_version: int = 6,
        record_size: int = 24,
        name: str = "test.mmdb",
    ) -> Path:
        writer = _Writer(
            ip_version,
            type_,
            languages=["en"],
            description={"en": "Places of test"},
            ipv4_compatible=ip_version == 6,
        )
        for network, record in records.items():
            writer.insert_network(IPSet([network]), record)
        tree = _Tree(writer.tree, writer._build_meta())
        tree.wanted_record_size = record_size
        tree.write(str(tmp_path / name))
        return tmp_path / name

    return write
