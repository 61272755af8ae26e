"""The results folder's file system is tried, and left as it was."""

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.doctor import results_disk
from launcher.doctor.observation import Standing
from launcher.doctor.situation import Situation, settle

MOUNTS = """\
22 1 254:1 / / rw - ext4 /dev/vda1 rw
23 22 0:20 / /scratch rw shared:1 master:2 - lustre 10.0.0.1@o2ib:/fs rw
24 23 0:21 / /scratch/my\\040group rw - nfs4 server:/export/my\\040group rw
25 22 0:22 / /dev/shm rw - tmpfs tmpfs rw
26 22 0:23 / /box rw - overlay overlay rw
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 512 KiB; skipped where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,nr_inodes=40", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def login(tmp_path: Path) -> Situation:
    return settle("slurm", str(tmp_path), {"PATH": ""}, tmp_path)


@pytest.mark.parametrize(
    ("folder", "kind", "source"),
    [
        ("/home/me", "ext4", "/dev/vda1"),
        ("/scratch/x", "lustre", "10.0.0.1@o2ib:/fs"),
        ("/scratch/my group/r", "nfs4", "server:/export/my group"),
        ("/scratchy", "ext4", "/dev/vda1"),
    ],
)
def test_a_folder_lies_on_what_is_mounted_nearest_above_it(
    folder: str, kind: str, source: str, tmp_path: Path
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    mount = results_disk.mount_of(Path(folder), tmp_path / "mounts")
    assert (mount.kind, mount.source) == (kind, source)


def test_the_later_of_two_mounts_at_one_place_counts(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(MOUNTS + "27 22 0:24 / /scratch rw - beegfs node rw\n")
    assert results_disk.mount_of(Path("/scratch/x"), tmp_path / "mounts").kind == "beegfs"


@pytest.mark.parametrize("kind", ["tmpfs", "overlay", "ramfs"])
def test_a_disk_that_does_not_outlast_the_machine_is_told(kind: str, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(f"22 1 0:1 / / rw - {kind} x rw\n")
    (one,) = results_disk.kind(str(tmp_path), tmp_path / "mounts")
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert kind in one.found


def test_what_a_record_needs_is_tried_and_nothing_of_it_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    before = tmp_path.stat().st_mode
    (one,) = results_disk.tries(str(tmp_path / "results" / "deeper"))
    assert one.standing is Standing.THERE
    for words in ("write and fsync", "replace at once", "one hard link", "rename of a folder"):
        assert words in one.found
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert tmp_path.stat().st_mode == before


def test_a_file_system_that_lacks_a_thing_stops_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **named: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    # FAT and some file servers' mounts know no hard link.
    monkeypatch.setattr(os, "link", refuse)
    (one,) = results_disk.tries(str(tmp_path))
    assert one.stops
    assert one.found == "cannot: one hard link: Operation not permitted"
    assert list(tmp_path.iterdir()) == []


def test_two_that_are_first_to_link_one_name_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(*words: object) -> None:
        """A server that says that it did."""

    monkeypatch.setattr(os, "link", forget)
    (one,) = results_disk.tries(str(tmp_path))
    assert one.stops
    assert "two were first to link one name" in one.found


def test_a_full_disk_stops_and_is_told_by_its_write(small_disk: Path) -> None:
    (one,) = results_disk.tries(str(small_disk))
    assert one.stops
    assert "write and fsync: No space left on device" in one.found
    assert list(small_disk.iterdir()) == []


def test_little_room_is_told_with_what_is_left(small_disk: Path) -> None:
    (one,) = results_disk.space(str(small_disk))
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "0.0 GiB free" in one.found
    assert "inodes free" in one.found


def test_a_folder_that_this_user_may_not_write_to_stops(tmp_path: Path) -> None:
    if os.getuid() == 0:
        # Root may write anywhere but where nobody may.
        (one,) = results_disk.tries("/proc/results")
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        (one,) = results_disk.tries(str(tmp_path / "closed"))
    assert one.stops
    assert "nothing can be made in" in one.found


def test_whether_nodes_share_it_a_login_node_never_says(login: Situation, tmp_path: Path) -> None:
    (one,) = results_disk.shared(login)
    assert one.standing is Standing.UNSEEN
    assert f"inode {tmp_path.stat().st_ino}" in one.found
    assert f"stat --format=%i {tmp_path}" in str(one.remedy)
    local = dataclasses.replace(login, executor="local")
    assert results_disk.shared(local)[0].standing is Standing.ELSEWHERE


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "must be a results folder"),
        ("$SCRATCH/r", "no shell has filled in"),
        ("f", "is a file"),
    ],
)
def test_what_cannot_be_a_folder_is_refused(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "f").touch()
    assert words in str(results_disk.fault_of(name))


@pytest.mark.parametrize(
    ("word", "rather"), [("cluster=slurm", "--cluster slurm"), ("results=runs", "runs")]
)
def test_a_key_is_no_folder(word: str, rather: str) -> None:
    fault = results_disk.fault_of(word)
    assert fault is not None
    assert fault.endswith(f"but is the key {word!r} instead; did you mean {rather}?")


def test_a_folder_with_an_equals_sign_in_its_name_is_one(tmp_path: Path) -> None:
    assert results_disk.fault_of(str(tmp_path / "lr=1")) is None
