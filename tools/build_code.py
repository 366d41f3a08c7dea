"""
Build what the functions run on: vpcflow and its locked requirements, for Lambda's Python and processor, trimmed.

Nothing is compiled or run on the other machine: wheels are downloaded as pip chooses them for it, checked against
their hashes, and vpcflow's own native part is cross-compiled. The same commit and target give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]

# As Lambda names the processors, and as wheels do.
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
TARGET = re.compile(rf"python(3\.\d+)-({'|'.join(MACHINES)})")

GLIBC = ("2014", "_2_17", "_2_27", "_2_28", "_2_31", "_2_34")
"""What Amazon Linux 2023 can load, under Python 3.12 and newer: its glibc is 2.34."""

COMMAND_LINE = (
    "annotated_doc markdown_it mdurl pygments rich shellingham typer vpcflow/cli vpcflow/spark vpcflow/console"
).split()
"""Packages of the command line alone; no handler imports them."""

SERVICES = "ec2 firehose kms s3 sqs ssm sts".split()
"""AWS services that the functions call: the models of the others are 25 MB."""

UNUSED = (
    # Of Arrow: what sends and receives, and is linked to nothing that stays; sources, headers, names of a library.
    "pyarrow/libarrow_flight.*",
    "pyarrow/libarrow_s3.*",
    "pyarrow/libarrow_python_*",
    "pyarrow/libarrow_python.so",
    "pyarrow/libarrow_python.so.*.*",
    "pyarrow/_flight.*",
    "pyarrow/_substrait.*",
    "pyarrow/_s3fs.*",
    "pyarrow/_gcsfs.*",
    "pyarrow/_azurefs.*",
    "pyarrow/_hdfs.*",
    "pyarrow/_pyarrow_cpp_tests.*",
    "pyarrow/_parquet_encryption.*",
    "pyarrow/_orc.*",
    "pyarrow/_dataset*",
    "pyarrow/_acero.*",
    "pyarrow/include",
    "pyarrow/src",
    "pyarrow/includes",
    "pyarrow/**/*.pxi",
    "numpy/f2py",
    "numpy/**/*.a",
    "numpy/_core/include",
    # Of opensearch-py: gRPC, which it imports nowhere where it speaks HTTP.
    "grpc",
    "grpcio-*",
    "google",
    "protobuf-*",
    "opensearch",
    "opensearch_protobufs-*",
    # Translations; the tables of countries and regions stay.
    "pycountry/locales",
    # Everywhere.
    "bin",
    "**/tests",
    "**/*.h",
    "**/*.pxd",
    "**/*.pyx",
    "**/*.pyi",
    "**/py.typed",
    "*.dist-info/RECORD",
    "*.dist-info/direct_url.json",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("target", help="python3.13-arm64 and the like: runtime and architecture")
    parser.add_argument("folder", type=Path, help="where to put packages; what is there goes")
    given = parser.parse_args(arguments)
    named = TARGET.fullmatch(given.target)
    if not named:
        parser.error(f"{given.target!r} is no target; python3.13-arm64 is one")
    build(named[1], MACHINES[named[2]], given.folder)
    return 0


def build(python: str, machine: str, folder: Path) -> None:
    """Fill the folder with what a function needs on its path."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    platforms = [f"--platform=manylinux{glibc}_{machine}" for glibc in GLIBC]
    install = (
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"),
        *("--no-deps", "--no-compile", "--only-binary=:all:", "--implementation=cp"),
        *(f"--python-version={python}", *platforms, f"--target={folder}"),
    )
    run(*install, "--require-hashes", f"--requirement={ROOT / 'requirements/lambda.txt'}")
    with tempfile.TemporaryDirectory() as made:
        run(*install, "--no-index", own_wheel(machine, Path(made)))
    trim(folder)
    compile_sources(folder, python)


def own_wheel(machine: str, folder: Path) -> Path:
    """Make vpcflow's wheel with its native part for the machine."""
    platform = f"manylinux_2_17_{machine}"
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    run(*build, environment={"VPCFLOW_PLATFORM": platform})
    (wheel,) = folder.glob("*.whl")
    if platform not in wheel.name:
        raise SystemExit(f"build_code: {wheel.name} has no native part: ziglang is not installed")
    return wheel


def trim(folder: Path) -> None:
    """Remove what no function needs, and what differs from one build to the next."""
    remove(path for pattern in UNUSED for path in folder.glob(pattern))
    for name in COMMAND_LINE:
        distribution = f"{name}-*.dist-info"
        remove([folder / name, folder / f"{name}.py", *folder.glob(distribution)])
    keep = {*SERVICES, "endpoints.json", "partitions.json", "_retry.json"}
    data = folder / "botocore" / "data"
    remove(path for path in data.iterdir() if path.name not in keep and path.is_dir())
    remove([folder / "boto3" / "data", folder / "boto3" / "examples"])


def remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def compile_sources(folder: Path, python: str) -> None:
    """
    Compile the sources ahead, where this machine has the target's Python: Lambda's disk is read-only, and each cold
    start would compile them anew.
    """
    interpreter = find_interpreter(python)
    if interpreter is None:
        print(
            f"build_code: no python{python} here: nothing is compiled ahead, and each cold start takes three seconds"
            f" longer; install one (.venv/bin/uv python install {python}) and build again",
            file=sys.stderr,
        )
        return
    run(
        *(interpreter, "-I", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"),
        *("-s", folder, "-p", "/opt/python", folder),
        environment={"PYTHONHASHSEED": "0"},
    )


def find_interpreter(python: str) -> str | None:
    """Give a Python of this version: the running one, on the path, of pyenv or of uv."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        return sys.executable
    if (on_path := shutil.which(f"python{python}")) and _runs(on_path):
        return on_path
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    uv = Path.home() / ".local" / "share" / "uv" / "python"
    found = [
        *sorted(pyenv.glob(f"{python}.*/bin/python{python}")),
        *sorted(uv.glob(f"cpython-{python}.*/bin/python{python}")),
    ]
    return str(found[-1]) if found else None


def _runs(interpreter: str) -> bool:
    """Tell whether it is more than a stand-in, as pyenv puts on the path."""
    return subprocess.run([interpreter, "-c", ""], capture_output=True).returncode == 0


def run(*command: object, environment: dict[str, str] | None = None) -> None:
    """Run a command; its words are shown only where it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise SystemExit(f"build_code: {Path(str(command[0])).name} failed: {command[2:5]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
