"""A folder takes another's place at once, and what stood there is not lost to a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.record import folders
from telemetry.record.folders import replace_folder
from tests.conftest import REPOSITORY


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "file").write_text(content)
    return path


def python(code: str, *words: object) -> subprocess.Popen[bytes]:
    head = (
        "import os, shutil, signal, sys\n"
        "from pathlib import Path\n"
        "from telemetry.record.folders import replace_folder\n"
        "def die(*_): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    return subprocess.Popen([sys.executable, "-c", head + code, *map(str, words)], cwd=REPOSITORY)


def test_a_folder_takes_a_free_place(tmp_path: Path) -> None:
    assert replace_folder(folder(tmp_path / "fresh", "new"), tmp_path / "target") is None
    assert (tmp_path / "target/file").read_text() == "new"


@pytest.mark.parametrize("swaps", [True, False])
def test_what_stood_in_the_place_is_handed_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, swaps: bool
) -> None:
    if not swaps:
        monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    target = folder(tmp_path / "target", "old")
    stale = replace_folder(folder(tmp_path / "fresh", "new"), target)
    assert stale is not None
    assert (stale / "file").read_text() == "old"
    assert (target / "file").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_reader_beside_a_writer_always_finds_the_folder(tmp_path: Path) -> None:
    target = folder(tmp_path / "target", "0")
    writer = python(
        "target = Path(sys.argv[1])\n"
        "for turn in range(1_000):\n"
        "    fresh = target.with_name(f'fresh-{turn}')\n"
        "    fresh.mkdir()\n"
        "    (fresh / 'file').write_text(str(turn))\n"
        "    replace_folder(fresh, target)\n",
        target,
    )
    looks = 0
    while writer.poll() is None:
        assert (target / "file").read_text()
        looks += 1
    assert writer.returncode == 0
    assert looks


def test_a_kill_where_the_old_folder_would_be_gone_leaves_it_in_its_place(tmp_path: Path) -> None:
    target = folder(tmp_path / "target", "old")
    folder(tmp_path / "fresh", "new")
    replaced = python(
        "os.rename = os.replace = shutil.rmtree = die\n"
        "replace_folder(Path(sys.argv[1]), Path(sys.argv[2]))\n",
        tmp_path / "fresh",
        target,
    )
    # Where names can be swapped nothing else is renamed, so nothing dies.
    assert replaced.wait() in {0, -signal.SIGKILL}
    assert (target / "file").read_text() in {"old", "new"}


def test_a_folder_that_is_not_there_leaves_the_old_one(tmp_path: Path) -> None:
    target = folder(tmp_path / "target", "old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "fresh", target)
    assert (target / "file").read_text() == "old"


def test_a_folder_that_is_not_there_leaves_the_old_one_where_names_cannot_be_swapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    target = folder(tmp_path / "target", "old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "fresh", target)
    assert (target / "file").read_text() == "old"
