"""Files are whole or not there."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.record.files import create_json, file_sha256, read_json, write_bytes, write_json
from tests.conftest import REPOSITORY


def test_json_comes_back_with_every_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"name": "Zürich ⚡", "n": 1})
    assert read_json(path) == {"name": "Zürich ⚡", "n": 1}
    assert path.read_text().endswith("\n")


def test_number_that_json_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()
    (path / "inside").write_text("kept")
    with pytest.raises(OSError, match="taken"):
        write_bytes(path, b"new")
    assert [child.name for child in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_lies_under_the_name_of_a_temporary_file_is_neither_followed_nor_waited_for(
    tmp_path: Path, kind: str
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("kept")
    planted = tmp_path / f".a.json.{os.getpid()}.tmp"
    if kind == "link":
        planted.symlink_to(mine)
    else:
        os.mkfifo(planted)
    write_json(tmp_path / "a.json", {"n": 1})
    assert mine.read_text() == "kept"
    assert read_json(tmp_path / "a.json") == {"n": 1}
    assert not (tmp_path / "a.json").is_symlink()


def test_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"0" * 1_000_000)
    code = (
        "import sys; from pathlib import Path; from telemetry.record.files import write_bytes\n"
        "for turn in range(1, 60):\n"
        "    write_bytes(Path(sys.argv[1]), str(turn % 10).encode() * 1_000_000)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=REPOSITORY)
    seen = set()
    while writer.poll() is None:
        data = path.read_bytes()
        assert len(data) == 1_000_000
        assert len(set(data)) == 1
        seen.add(data[:1])
    assert writer.returncode == 0
    assert seen


def test_only_the_first_creation_counts(tmp_path: Path) -> None:
    path = tmp_path / "ended.json"
    assert create_json(path, {"by": "rank 0"})
    assert not create_json(path, {"by": "launcher"})
    assert read_json(path) == {"by": "rank 0"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "but is not JSON"), ("[1]", "but is a list instead"), ("\xff", "but is not JSON")],
)
def test_file_that_is_no_json_object_is_refused_by_its_path(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as caught:
        read_json(path)
    assert str(path) in str(caught.value)


def test_hash_of_a_large_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    data = os.urandom((1 << 20) + 17)
    path.write_bytes(data)
    assert file_sha256(path) == hashlib.sha256(data).hexdigest()
