"""The build of the functions' code, which is in no package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]

_spec = importlib.util.spec_from_file_location("tools_build_code", ROOT / "tools" / "build_code.py")
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

MACHINES: dict[str, str] = _module.MACHINES
SERVICES: list[str] = _module.SERVICES
find_interpreter = _module.find_interpreter
