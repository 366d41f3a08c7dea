"""The picture of the architecture: well-formed, and its text stays within its boxes."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from architecture_diagram import BOXES, HEIGHT, WAYS, WIDTH, Box, architecture

_NAME_PX, _LINE_PX = 8.6, 6.5  # a character of a wide font, at 15 and 12.5 px


def test_it_is_well_formed_and_says_what_it_shows() -> None:
    picture = ElementTree.fromstring(architecture())

    names = {element.tag.rpartition("}")[2] for element in picture}
    assert {"title", "desc", "style"} <= names


@pytest.mark.parametrize("box", BOXES, ids=lambda box: box.name)
def test_text_stays_within_its_box(box: Box) -> None:
    assert 14 + _NAME_PX * len(box.name) <= box.width
    assert all(14 + _LINE_PX * len(line) <= box.width for line in box.lines)
    assert box.x + box.width <= WIDTH
    assert box.y + box.height <= HEIGHT


def test_arrows_run_along_right_angles_and_end_at_a_box() -> None:
    for way in WAYS:
        for (x, y), (next_x, next_y) in zip(way.points, way.points[1:]):
            assert (x == next_x) != (y == next_y)
        x, y = way.points[-1]
        assert any(
            (x in (b.x, b.x + b.width) and b.y <= y <= b.y + b.height)
            or (y in (b.y, b.y + b.height) and b.x <= x <= b.x + b.width)
            for b in BOXES
        )
