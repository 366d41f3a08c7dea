"""One emulator for each module: a deployment costs more than all that is asked of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulator import Emulator, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with running_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running
