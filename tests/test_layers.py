"""The walls of the house: imports go down only, and what is foreign stays in the room that needs it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "vpcflow"

# From the top down: in each row the rooms, each with its modules. A room imports itself and rooms of rows below,
# never a room beside it.
LAYERS: tuple[dict[str, str], ...] = (
    {"library": "__init__ __main__"},
    {"cli": "cli", "lambdas": "lambdas", "spark": "spark", "console": "console"},
    {"aws": "aws"},
    {"generate": "generate", "store": "store", "local_firehose": "local_firehose"},
    {
        "pipeline": "pipeline stats ingest redrive transform object_events object_delivery search_delivery",
        "fetched": "fetched",
    },
    {"rules": "rules"},
    {
        "enrich": "enrich",
        "sinks": "sinks",
        "sources": "sources",
        "index_setup": "index_setup",
        "dashboards": "dashboards",
    },
    {"index": "index_install index_lifecycle index_template index_products"},
    {"schemas": "schemas"},
    {"admission": "admission"},
    {
        "parse": "parse linewise columns careful tables ocsf documents csv_documents",
        "envelopes": "envelopes flow_envelope decode",
        "encode": "json_lines fragments",
        "output": "file_schema partitions pending_file row_groups",
        "inventory": "inventory",
        "geo": "geo",
        "networks": "networks",
        "aws_ranges": "aws_ranges",
        "index_types": "index_types",
    },
    {
        "words": "layout lines plain rejects prefixes special_ranges object_store time_range",
        "texts": "dictionaries iso_times community_id",
    },
    {"facts": "fields codes errors addresses"},
    {"native": "native"},
)
ROOM = {module: room for row in LAYERS for room, names in row.items() for module in names.split()}
LEVEL = {room: level for level, row in enumerate(reversed(LAYERS)) for room in row}

# Siblings in these rooms do not know each other; only the registry, in ``__init__``, knows all. What they may share:
SIBLINGS_APART: dict[str, set[str]] = {
    "enrich": {"answers", "judgement", "openers", "reference", "seen"},
    "schemas": set(),
    "sinks": {"__init__"},
    "sources": {"__init__"},
}

ONLY_IN = {
    "boto3": "aws",
    "botocore": "aws",
    "pyiceberg": "sinks/iceberg",
    "pyspark": "spark",
    "starlette": "console",
    "uvicorn": "console",
}

FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "misc", "manager"}
LINE_LIMIT = 600


class Import(NamedTuple):
    """One import: the importing file, its line, and the dotted name imported."""

    file: str
    line: int
    name: str

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line} imports {self.name}"


def modules() -> list[str]:
    return sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))


def top_of(file: str) -> str:
    return file.removesuffix(".py").split("/")[0]


def imports_of(file: str, text: str) -> Iterator[Import]:
    """Yield all imports, those under ``TYPE_CHECKING`` and in functions too; ``from x import y`` is ``x.y``."""
    package = ["vpcflow", *file.split("/")[:-1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*parents, node.module or ""]).strip(".")
            yield from (Import(file, node.lineno, f"{origin}.{a.name}") for a in node.names)


def faults_of(file: str, text: str) -> list[str]:
    return [
        fault
        for found in imports_of(file, text)
        for fault in (_foreign(found), _upwards(found), _sibling(found))
        if fault
    ]


def _foreign(found: Import) -> str | None:
    owner = ONLY_IN.get(found.name.split(".")[0])
    if owner is None or found.file.startswith((f"{owner}/", f"{owner}.")):
        return None
    return f"{found.where}, which only {owner}/ may"


def _upwards(found: Import) -> str | None:
    importer, imported = ROOM.get(top_of(found.file)), _room_imported(found)
    if importer is None or imported is None or imported == importer:
        return None
    if LEVEL[imported] < LEVEL[importer]:
        return None
    return f"{found.where}: {importer} may import only what lies below it"


def _room_imported(found: Import) -> str | None:
    """Give the room; ``from vpcflow import __version__`` and the like name none."""
    package, _, rest = found.name.partition(".")
    return ROOM.get(rest.split(".")[0]) if package == "vpcflow" else None


def _sibling(found: Import) -> str | None:
    room, _, own = found.file.removesuffix(".py").partition("/")
    parts = found.name.split(".")
    if room not in SIBLINGS_APART or own in ("", "__init__") or parts[:2] != ["vpcflow", room]:
        return None
    sibling = _module_in(room, parts[2:])
    if sibling == own.split("/")[0] or sibling in SIBLINGS_APART[room]:
        return None
    return f"{found.where}: siblings in {room}/ do not know each other"


def _module_in(room: str, names: list[str]) -> str:
    """Give the module of a room that an import takes something from: a lone name may be one of ``__init__``'s."""
    if not names or (len(names) == 1 and not list((SOURCE / room).glob(f"{names[0]}.py"))):
        return "__init__"
    return names[0]


@pytest.mark.parametrize("file", modules())
def test_imports_go_down_only(file: str) -> None:
    text = (SOURCE / file).read_text()

    faults = faults_of(file, text)

    assert faults == []


@pytest.mark.parametrize("file", modules())
def test_every_module_has_a_room_in_the_table(file: str) -> None:
    assert top_of(file) in ROOM, f"add {top_of(file)!r} to LAYERS, or move the module"


@pytest.mark.parametrize("file", modules())
def test_modules_are_short_and_well_named(file: str) -> None:
    path = Path(file)

    lines = (SOURCE / file).read_text().count("\n")

    assert lines <= LINE_LIMIT
    assert FORBIDDEN_NAMES.isdisjoint([*path.parts[:-1], path.stem])


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("parse.py", "from vpcflow.pipeline import run", "only what lies below"),
        ("geo/mmdb.py", "from vpcflow import inventory", "only what lies below"),
        ("fields.py", "def f():\n    import vpcflow.layout", "only what lies below"),
        ("sinks/files.py", "from ..cli import main", "only what lies below"),
        ("sinks/firehose.py", "from botocore.exceptions import ClientError", "only aws/"),
        ("cli/__init__.py", "import starlette", "only console/"),
        ("sinks/parquet.py", "import pyiceberg", "only sinks/iceberg/"),
        ("sinks/files.py", "from vpcflow.sinks.parquet import write", "siblings"),
        ("enrich/peer.py", "from . import eni", "siblings"),
        ("enrich/peer.py", "from vpcflow.enrich import ENRICHERS", "siblings"),
    ],
)
def test_a_breach_is_found(file: str, text: str, fault: str) -> None:
    assert [fault in found for found in faults_of(file, text)] == [True]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pipeline.py", "from vpcflow.fields import FIELDS; import pyarrow as pa"),
        ("enrich/__init__.py", "from vpcflow.enrich import eni, peer"),
        ("enrich/peer.py", "from vpcflow.enrich.answers import Answers"),
        ("sources/files.py", "from vpcflow.sources import Input"),
        (
            "inventory/load.py",
            "from .model import Inventory; from vpcflow.errors import FormatError",
        ),
        ("cli/__init__.py", "from vpcflow import __version__, pipeline"),
        ("aws/clients.py", "import boto3"),
    ],
)
def test_what_is_allowed_is_no_breach(file: str, text: str) -> None:
    assert faults_of(file, text) == []
