"""
Draw ``docs/images/architecture.svg``, the ways of flow logs through AWS: boxes and arrows from the two tables here.

The same tables give the same bytes. Colours follow the reader's light or dark theme; there is nothing but text, boxes
and lines, so that it can be read anywhere.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 1060, 640


class Box(NamedTuple):
    """A box at a place; its class says what it is: a service, a part of ours, what is known, what was put aside."""

    kind: str
    x: int
    y: int
    name: str
    lines: tuple[str, ...]
    width: int = 168
    height: int = 68


class Way(NamedTuple):
    """An arrow along right angles, from point to point; dashed where it is another way to the same."""

    points: tuple[tuple[int, int], ...]
    dashed: bool = False


class Note(NamedTuple):
    """Text beside an arrow."""

    x: int
    y: int
    text: str


BOXES: tuple[Box, ...] = (
    Box("service", 24, 20, "EC2", ("what you own, and", "its change events")),
    Box("function", 216, 20, "inventory", ("captures it; on a", "schedule, on changes")),
    Box("known", 408, 20, "Snapshots", ("in S3: who owned", "what, and when")),
    Box("known", 824, 20, "Places, networks", ("an MMDB file in S3, or", "ipstack (key: Parameter Store)"), 212),
    Box("service", 24, 276, "VPC flow logs", ("of a VPC, a subnet", "or an interface")),
    Box("service", 216, 196, "CloudWatch Logs", ("log group with a", "subscription")),
    Box("function", 408, 196, "ingestor", ("one record a line,", "refused ones again")),
    Box("function", 600, 124, "decorator", ("adds groups, direction,", "peer, places"), 168),
    Box("service", 600, 240, "Firehose", ("batches, has them", "decorated, tries again", "for a day"), 168, 120),
    Box("service", 824, 196, "OpenSearch", ("dashboards; an index a day,", "its template put first"), 212),
    Box("service", 824, 300, "Documents in S3", ("JSON lines, gzip,", "by day and hour"), 212),
    Box("service", 216, 436, "S3", ("AWS's files, one every", "five minutes")),
    Box("service", 408, 436, "SQS", ("a message for", "each object")),
    Box("function", 600, 436, "objects", ("a whole file at once;", "the same look-ups"), 168),
    Box("service", 824, 436, "Parquet in S3", ("by account, region, day", "and hour: Athena, Spark"), 212),
    Box("function", 600, 548, "vpcflow redrive", ("sends it again,", "nothing twice"), 168),
    Box("aside", 824, 548, "What was put aside", ("failed records in S3,", "dead-letter queues"), 212),
)  # fmt: skip

WAYS: tuple[Way, ...] = (
    Way(((192, 54), (216, 54))),
    Way(((384, 54), (408, 54))),
    Way(((576, 54), (650, 54), (650, 124))),
    Way(((824, 54), (718, 54), (718, 124))),
    Way(((108, 276), (108, 230), (216, 230))),
    Way(((384, 230), (408, 230))),
    Way(((576, 230), (588, 230), (588, 256), (600, 256))),
    Way(((300, 264), (300, 284), (600, 284)), dashed=True),
    Way(((192, 312), (600, 312))),
    Way(((108, 344), (108, 470), (216, 470))),
    Way(((384, 470), (408, 470))),
    Way(((576, 470), (600, 470))),
    Way(((662, 240), (662, 192))),
    Way(((706, 192), (706, 240))),
    Way(((768, 266), (796, 266), (796, 230), (824, 230))),
    Way(((768, 334), (824, 334))),
    Way(((684, 436), (684, 360))),
    Way(((768, 470), (824, 470))),
    Way(((768, 350), (796, 350), (796, 572), (824, 572))),
    Way(((824, 596), (768, 596))),
    Way(((600, 582), (588, 582), (588, 340), (600, 340))),
)

NOTES: tuple[Note, ...] = (
    Note(118, 222, "or"),
    Note(310, 300, "or unpacked by Firehose"),
    Note(310, 329, "or straight to Firehose"),
    Note(118, 462, "or"),
)

LEGEND = (
    ("function", "parts of this project"),
    ("known", "what they look things up in"),
    ("aside", "kept, to be sent again"),
)

STYLE = """
    text { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2933; }
    .name { font-weight: 600; font-size: 15px; }
    .small { font-size: 12.5px; fill: #52606d; }
    .service { fill: #ffffff; stroke: #9aa5b1; stroke-width: 1.25; }
    .function { fill: #e3f0ff; stroke: #2f6fb3; stroke-width: 1.5; }
    .known { fill: #eaf7ec; stroke: #3f8f50; stroke-width: 1.25; }
    .aside { fill: #fdf1e3; stroke: #b3731d; stroke-width: 1.25; }
    .way { fill: none; stroke: #52606d; stroke-width: 1.75; }
    .dashed { stroke-dasharray: 5 4; }
    .head { fill: #52606d; }
    .paper { fill: #f7f9fb; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .small { fill: #a9b6c2; }
      .service { fill: #1c232b; stroke: #5b6875; }
      .function { fill: #14304e; stroke: #5b9bdd; }
      .known { fill: #16301d; stroke: #5fb072; }
      .aside { fill: #38260f; stroke: #d39a4a; }
      .way { stroke: #a9b6c2; }
      .head { fill: #a9b6c2; }
      .paper { fill: #10161c; }
    }
"""

DESCRIPTION = """Flow logs reach Firehose through a CloudWatch log group and the ingestor function, or unpacked by it,
    or directly; or they reach S3, from where a queue hands each file to the objects function. The decorator function,
    which Firehose asks, and objects look up an inventory that the inventory function captures from EC2, and places.
    Documents go to OpenSearch or S3, files become Parquet; what failed is put aside and sent again by vpcflow
    redrive."""


def architecture() -> str:
    """Give the picture as SVG."""
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"',
            '  aria-labelledby="title desc">',
            "  <!-- Written by `make docs` from tools/architecture_diagram.py: change it there. -->",
            '  <title id="title">The ways of flow logs through AWS</title>',
            f'  <desc id="desc">{escape(DESCRIPTION)}</desc>',
            f"  <style>{STYLE}  </style>",
            f'  <rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="10"/>',
            *(_way(way) for way in WAYS),
            *(_box(box) for box in BOXES),
            *(f'  <text class="small" x="{n.x}" y="{n.y}">{escape(n.text)}</text>' for n in NOTES),
            *(_key(place, *entry) for place, entry in enumerate(LEGEND)),
            "</svg>",
            "",
        )
    )


def _box(box: Box) -> str:
    top = box.y + (box.height - 68) // 2
    lines = "".join(
        f'<text class="small" x="{box.x + 14}" y="{top + 43 + 16 * place}">{escape(line)}</text>'
        for place, line in enumerate(box.lines)
    )
    return (
        f'  <rect class="{box.kind}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"/>'
        f'<text class="name" x="{box.x + 14}" y="{top + 24}">{escape(box.name)}</text>{lines}'
    )


def _way(way: Way) -> str:
    """Draw the line up to the arrow's head, and the head, which points along the last stretch."""
    *before, (from_x, from_y), (x, y) = way.points
    along_x, along_y = _sign(x - from_x), _sign(y - from_y)
    line = " ".join(
        f"{px} {py}" for px, py in (*before, (from_x, from_y), (x - 9 * along_x, y - 9 * along_y))
    )
    base_x, base_y = x - 11 * along_x, y - 11 * along_y
    head = f"M{x} {y}L{base_x + 5 * along_y} {base_y + 5 * along_x}L{base_x - 5 * along_y} {base_y - 5 * along_x}z"
    dashed = " dashed" if way.dashed else ""
    return f'  <path class="way{dashed}" d="M{line}"/><path class="head" d="{head}"/>'


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _key(place: int, kind: str, text: str) -> str:
    y = 556 + 22 * place
    return (
        f'  <rect class="{kind}" x="24" y="{y}" width="18" height="14" rx="3"/>'
        f'<text class="small" x="52" y="{y + 12}">{escape(text)}</text>'
    )
