"""
Compile the native part into the package, for this platform or another, and name the wheel after it.

The compiler is PyPI's ``ziglang``: the same on every machine, and it compiles for any platform. Where there is none, or
``VPCFLOW_PLATFORM=any``, the package is pure Python and does all the plain way.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("src/vpcflow/native")
LIBRARY = Path("vpcflow/native/vpcflow.so")

# What `VPCFLOW_PLATFORM` may be, as wheels spell it, and what the compiler calls it.
TARGETS = {
    "manylinux_2_17_x86_64": "x86_64-linux-gnu.2.17",
    "manylinux_2_17_aarch64": "aarch64-linux-gnu.2.17",
    "musllinux_1_2_x86_64": "x86_64-linux-musl",
    "musllinux_1_2_aarch64": "aarch64-linux-musl",
    "macosx_11_0_x86_64": "x86_64-macos.11.0",
    "macosx_11_0_arm64": "aarch64-macos.11.0",
}
PURE = "any"


class NativePart(BuildHookInterface):
    """Run by hatchling before it packs a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict) -> None:
        """Compile; an editable install gets the library beside its source, a wheel a copy."""
        wanted = os.environ.get("VPCFLOW_PLATFORM") or own_platform()
        if wanted != PURE and wanted not in TARGETS:
            raise ValueError(
                f"VPCFLOW_PLATFORM {wanted!r} is none of: {', '.join([*TARGETS, PURE])}"
            )
        root = Path(self.root)
        editable = version == "editable"
        library = root / ("src" if editable else f"build/{wanted}") / LIBRARY
        if wanted == PURE or importlib.util.find_spec("ziglang") is None:
            self.app.display_warning("vpcflow: nothing is compiled: all is done the plain way")
            if editable:
                library.unlink(missing_ok=True)
            return
        compile_library(root / SOURCES, library, TARGETS[wanted])
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{wanted}"
        if not editable:
            build_data["force_include"][str(library)] = str(LIBRARY)


def own_platform() -> str:
    """Name the platform this runs on, ``any`` where it is none of the known."""
    machine = platform.machine()
    if sys.platform == "darwin":
        name = f"macosx_11_0_{machine}"
    elif sys.platform == "linux":
        libc = "manylinux_2_17" if platform.libc_ver()[0] == "glibc" else "musllinux_1_2"
        name = f"{libc}_{machine}"
    else:
        name = PURE
    return name if name in TARGETS else PURE


def compile_library(sources: Path, library: Path, target: str) -> None:
    """Make the library; a message of the compiler ends the build."""
    library.parent.mkdir(parents=True, exist_ok=True)
    flags = "-std=c11 -O3 -s -fPIC -shared -fvisibility=hidden -Wall -Wextra -Werror".split()
    compiler = (sys.executable, "-m", "ziglang", "cc", "-target", target)
    made = library.with_suffix(f".{os.getpid()}")
    subprocess.run([*compiler, *flags, "-o", made, *sorted(sources.glob("*.c"))], check=True)
    # A process that has the old one open goes on with it.
    made.replace(library)
