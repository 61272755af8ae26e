"""Bulk files take the place of older ones at once: no reader and no kill finds a gap."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.record.bulk_files import replace_text
from tests.conftest import REPOSITORY

TURNS = 3_000


def replaces(path: Path, code: str) -> subprocess.Popen[bytes]:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from telemetry.record.bulk_files import replace_text\n"
        "path = Path(sys.argv[1])\n" + code
    )
    return subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=REPOSITORY)


def test_a_reader_beside_a_writer_always_finds_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "submitted.json"
    replace_text(path, "0")
    writer = replaces(
        path, f"for turn in range({TURNS}):\n    replace_text(path, str(turn % 10) * 5_000)\n"
    )
    seen = set()
    while writer.poll() is None:
        seen.add(path.read_text())
    assert writer.returncode == 0
    assert {len(text) for text in seen - {"0"}} == {5_000}
    assert all(len(set(text)) == 1 for text in seen)


def test_a_writer_killed_as_it_gives_the_name_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "submitted.json"
    replace_text(path, "old")
    killed = replaces(
        path,
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.rename = os.replace = os.link = die\n"
        "replace_text(path, 'new')\n",
    )
    assert killed.wait() == -signal.SIGKILL
    assert path.read_text() == "old"


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_text(tmp_path / "folder", "text")
    assert [child.name for child in tmp_path.iterdir()] == ["folder"]
