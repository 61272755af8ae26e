"""A file of a foreign folder is a plain one, reached without a link, or it is refused by name."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from telemetry.record.files import file_sha256, read_json, read_plain
from telemetry.record.limits import FILE_BYTES, FOLDER_ENTRIES, BeyondLimitError
from telemetry.record.plain_file import NotPlainError, list_folder, plain_file

ATTEMPT = Path("results/run-1/attempt-001")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(before)


@pytest.mark.parametrize("make", [a_pipe, a_folder, a_link, a_socket])
def test_what_is_no_plain_file_is_refused_by_its_kind_and_name(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "model.json"
    make(path)
    with pytest.raises(
        NotPlainError, match=f"model.json must be a plain file, but is {kind(make)}"
    ):
        read_json(path)


def kind(make: Callable[[Path], None]) -> str:
    return make.__name__.replace("_", " ")


def test_a_device_is_not_even_opened() -> None:
    with pytest.raises(NotPlainError, match="but is a device"):
        read_plain(Path("/dev/zero"), most_bytes=10)


@pytest.mark.parametrize(
    "linked", ["run-1", "run-1/attempt-001", "run-1/attempt-001/shards", "run-1/attempt-001/hosts"]
)
def test_a_link_in_place_of_a_folder_inside_a_record_is_not_followed(
    tmp_path: Path, linked: str
) -> None:
    attempt = tmp_path / ATTEMPT
    for name in ("hosts/node0.json", "shards/samples/node0/part-00000.json"):
        (attempt / name).parent.mkdir(parents=True)
        (attempt / name).write_text("{}")
    folder = tmp_path / "results" / linked
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    name = (
        "hosts/node0.json" if linked.endswith("hosts") else "shards/samples/node0/part-00000.json"
    )
    with pytest.raises(NotPlainError, match=f"{folder} is a link"):
        read_json(attempt / name)


@pytest.mark.parametrize("room", ["prompts", "roots", "report"])
def test_a_link_in_place_of_a_room_of_the_results_is_not_followed(
    tmp_path: Path, room: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.json").write_text("{}")
    (tmp_path / room).symlink_to("elsewhere")
    with pytest.raises(NotPlainError, match="is a link"):
        read_json(tmp_path / room / "a.json")


def test_the_results_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / ATTEMPT).mkdir(parents=True)
    (tmp_path / ATTEMPT / "model.json").write_text("{}")
    (tmp_path / "scratch").symlink_to("results")
    assert read_json(tmp_path / "scratch" / "run-1" / "attempt-001" / "model.json") == {}


def test_what_is_missing_is_told_by_its_whole_path(tmp_path: Path) -> None:
    path = tmp_path / ATTEMPT / "model.json"
    with pytest.raises(FileNotFoundError) as caught:
        read_json(path)
    assert caught.value.filename == str(path)


def test_a_file_of_holes_is_refused_by_its_size_and_not_hashed(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    path.touch()
    os.truncate(path, 10 << 30)
    with pytest.raises(BeyondLimitError, match=f"at most {FILE_BYTES.most} bytes, but has"):
        file_sha256(path)


def test_a_file_of_the_users_own_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    (tmp_path / "link").symlink_to("data")
    assert file_sha256(tmp_path / "link", follow=True) == file_sha256(tmp_path / "data")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / ATTEMPT / "shards" / "model.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(20):
        with plain_file(path):
            pass
        read_json(path)
        list_folder(path.parent)
        with pytest.raises(FileNotFoundError):
            read_json(path.with_name("no.json"))
        with pytest.raises(FileNotFoundError):
            read_json(path.parent / "no" / "no" / "no.json")
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_folder_of_more_than_any_has_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        (tmp_path / name).touch()
    assert [path.name for path in list_folder(tmp_path)] == ["a", "b", "c"]
    object.__setattr__(FOLDER_ENTRIES, "most", 2)
    try:
        with pytest.raises(BeyondLimitError, match="at most 2 entries, but has 3"):
            list_folder(tmp_path)
    finally:
        object.__setattr__(FOLDER_ENTRIES, "most", 100_000)
