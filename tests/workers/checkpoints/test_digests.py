"""What was hashed once is known again, what changed is not, and anybody can make the digest."""

import dataclasses
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.support.checkpoints import write_hugging_face, write_meta
from workers.checkpoints import digests as checkpoint_record
from workers.checkpoints.digests import (
    CheckpointRecord,
    hash_files,
    record_path,
    verify,
)
from workers.checkpoints.files import CheckpointFiles, find_files


@pytest.fixture
def files(tmp_path: Path) -> CheckpointFiles:
    write_meta(tmp_path / "tiny", files=2)
    return find_files(tmp_path / "tiny")


def spy_on_hashing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are hashed from now on; they are hashed all the same."""
    hashed: list[str] = []
    real = checkpoint_record._digests

    def spy(
        paths: list[Path], algorithms: Sequence[str], tell: checkpoint_record.HashProgress
    ) -> list[dict[str, str]]:
        hashed.extend(path.name for path in paths)
        return real(paths, algorithms, tell)

    monkeypatch.setattr(checkpoint_record, "_digests", spy)
    return hashed


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (partial(write_meta, files=4), "consolidated.*.pth params.json"),
        (partial(write_hugging_face, shard_size="60KB"), "config.json model*.safetensors*"),
    ],
)
def test_the_digest_is_that_of_sha256sum(
    tmp_path: Path, write: Callable[[Path], object], names: str
) -> None:
    write(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"no part of the weights")
    command = f"sha256sum {names} | LC_ALL=C sort -k 2 | sha256sum"
    # The command line of the module's own text, as anybody would type it.
    said = subprocess.run(  # noqa: S602
        command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert hash_files(find_files(tmp_path)).digest == f"sha256-{said[:16]}"


def test_the_digest_does_not_hang_on_where_the_files_lie(
    tmp_path: Path, files: CheckpointFiles
) -> None:
    shutil.copytree(files.folder, tmp_path / "copy")
    copied = hash_files(find_files(tmp_path / "copy"))
    assert copied.digest == hash_files(files).digest


def test_every_file_of_the_weights_decides_the_digest(files: CheckpointFiles) -> None:
    digests = {hash_files(files).digest}
    for path in files.paths():
        path.write_bytes(path.read_bytes() + b" ")
        digests.add(hash_files(files).digest)
    assert len(digests) == 4


def test_a_record_is_read_as_it_was_written(tmp_path: Path, files: CheckpointFiles) -> None:
    record = hash_files(files)
    record.write(tmp_path)
    assert CheckpointRecord.read(tmp_path, files.folder) == record
    assert CheckpointRecord.read(tmp_path, tmp_path) is None


def test_a_record_that_is_none_is_refused(tmp_path: Path, files: CheckpointFiles) -> None:
    path = record_path(tmp_path, files.folder)
    path.parent.mkdir()
    path.write_text('{"files": [{"name": "x"}]}')
    with pytest.raises(ValueError, match="must hold the digests of a checkpoint"):
        CheckpointRecord.read(tmp_path, files.folder)


def test_what_is_known_is_not_hashed_again(
    files: CheckpointFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = spy_on_hashing(monkeypatch)
    record = hash_files(files)
    assert hashed == ["consolidated.00.pth", "consolidated.01.pth", "params.json"]
    hashed.clear()
    assert hash_files(files, record) == record
    assert hashed == []


def change_content(path: Path) -> None:
    held = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    # As a careless restore would: the size is the same and so, to the second, is the time.
    os.utime(path, ns=(held.st_atime_ns, held.st_mtime_ns // 10**9 * 10**9 + 1))


def replace_file(path: Path) -> None:
    held = path.stat()
    other = path.with_name("other")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    other.write_bytes(content)
    os.utime(other, ns=(held.st_atime_ns, held.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [change_content, replace_file])
def test_a_file_that_changed_is_hashed_again_alone(
    files: CheckpointFiles, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    record = hash_files(files)
    change(files.folder / "consolidated.01.pth")
    assert record.change() is not None
    hashed = spy_on_hashing(monkeypatch)
    assert hash_files(files, record).digest != record.digest
    assert hashed == ["consolidated.01.pth"]


def test_a_file_that_is_gone_is_a_change(files: CheckpointFiles) -> None:
    record = hash_files(files)
    (files.folder / "params.json").unlink()
    assert "params.json cannot be read" in str(record.change())


def test_two_nodes_need_not_agree_on_inodes(files: CheckpointFiles) -> None:
    record = hash_files(files)
    path = files.folder / "params.json"
    held = path.stat()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(held.st_atime_ns, held.st_mtime_ns))
    copy.replace(path)
    assert record.change() is not None
    assert record.change(inodes=False) is None


def test_a_file_that_changes_while_it_is_hashed_is_refused(
    files: CheckpointFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checkpoint_record._digests

    def change_meanwhile(
        paths: list[Path], algorithms: Sequence[str], tell: checkpoint_record.HashProgress
    ) -> list[dict[str, str]]:
        digests = real(paths, algorithms, tell)
        os.utime(files.folder / "consolidated.00.pth", ns=(1, 1))
        return digests

    monkeypatch.setattr(checkpoint_record, "_digests", change_meanwhile)
    with pytest.raises(ValueError, match=r"consolidated\.00\.pth did while it was hashed"):
        hash_files(files)


def test_hashing_that_takes_long_says_how_far_it_is(
    files: CheckpointFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A tenth of a second at 2 GB/s; the file's tail takes no room on the disk.
    os.truncate(files.folder / "consolidated.00.pth", 200_000_000)
    monkeypatch.setattr(checkpoint_record, "_TELL_S", 0.005)
    said: list[tuple[int, int]] = []
    hash_files(files, tell=lambda *at: said.append(at))
    total = sum(path.stat().st_size for path in files.paths())
    assert said
    assert all(0 <= done <= whole == total for done, whole in said)
    assert said == sorted(said)


def list_md5(files: CheckpointFiles) -> Path:
    path = files.folder / "checklist.chk"
    lines = [
        f"{hashlib.md5(one.read_bytes(), usedforsecurity=False).hexdigest()}  {one.name}\n"
        for one in files.paths()
    ]
    path.write_text("".join(lines))
    return path


def test_files_are_held_against_the_published_checklist(files: CheckpointFiles) -> None:
    assert not hash_files(files).checklist
    list_md5(files)
    assert hash_files(files).checklist


def test_files_hashed_before_are_read_again_once_a_checklist_is_there(
    files: CheckpointFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = hash_files(files)
    list_md5(files)
    hashed = spy_on_hashing(monkeypatch)
    listed = hash_files(files, record)
    assert len(hashed) == 3
    assert hash_files(files, listed) == listed
    assert len(hashed) == 3


def swap(folder: Path) -> None:
    first, second = folder / "consolidated.00.pth", folder / "consolidated.01.pth"
    first.rename(folder / "held")
    second.rename(first)
    (folder / "held").rename(second)


def test_slices_that_changed_places_are_told_by_the_checklist_alone(
    tmp_path: Path, files: CheckpointFiles
) -> None:
    swap(files.folder)
    record = hash_files(files)
    record.write(tmp_path)
    said = verify(files, record.digest, tmp_path, again=False, leads=True)
    assert said["order"].startswith("not known: slices are told apart by a checklist.chk alone")
    swap(files.folder)
    list_md5(files)
    listed = hash_files(files)
    listed.write(tmp_path)
    said = verify(files, listed.digest, tmp_path, again=False, leads=True)
    assert said["order"] == "each file has the MD5 that checklist.chk lists"
    swap(files.folder)
    with pytest.raises(ValueError, match=r"but the MD5 of consolidated\.00\.pth is"):
        hash_files(files)


def test_one_file_in_place_of_another_is_refused(tmp_path: Path, files: CheckpointFiles) -> None:
    record = hash_files(files)
    twin = dataclasses.replace(
        record,
        files=tuple(
            dataclasses.replace(one, sha256=record.files[0].sha256)
            if one.name == "consolidated.01.pth"
            else one
            for one in record.files
        ),
    )
    shutil.copy(files.folder / "consolidated.00.pth", files.folder / "consolidated.01.pth")
    message = r"consolidated\.00\.pth and consolidated\.01\.pth are the same file twice"
    with pytest.raises(ValueError, match=message):
        hash_files(files)
    # One that was hashed before twins were looked for.
    found = {path.name: path.stat() for path in files.paths()}
    dataclasses.replace(
        twin,
        files=tuple(
            dataclasses.replace(
                one,
                bytes=found[one.name].st_size,
                mtime_ns=found[one.name].st_mtime_ns,
            )
            for one in twin.files
        ),
    ).write(tmp_path)
    with pytest.raises(ValueError, match=message):
        verify(files, twin.digest, tmp_path, again=False, leads=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("consolidated.01.pth", "consolidated.09.pth", r"but lacks consolidated\.01\.pth"),
        ("  ", " ", None),
        ("consolidated.00.pth\n", "consolidated.00.pth or so\n", "lines of an MD5 and a name"),
    ],
)
def test_a_checklist_must_name_every_file(
    files: CheckpointFiles, old: str, new: str, message: str | None
) -> None:
    path = list_md5(files)
    path.write_text(path.read_text().replace(old, new))
    if message is None:
        assert hash_files(files).checklist
        return
    with pytest.raises(ValueError, match=message):
        hash_files(files)


def test_a_file_that_is_not_the_published_one_is_refused(files: CheckpointFiles) -> None:
    list_md5(files)
    change_content(files.folder / "consolidated.01.pth")
    with pytest.raises(ValueError, match=r"but the MD5 of consolidated\.01\.pth is [0-9a-f]{32}"):
        hash_files(files)


def test_one_rank_of_a_node_hashes_for_all(
    tmp_path: Path, files: CheckpointFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = hash_files(files)
    record.write(tmp_path)
    hashed = spy_on_hashing(monkeypatch)
    said = verify(files, record.digest, tmp_path, again=True, leads=False)
    assert said == {"digest": record.digest, "verified": "by the first rank of this node"}
    assert hashed == []
    verify(files, record.digest, tmp_path, again=True, leads=True)
    assert len(hashed) == 3
