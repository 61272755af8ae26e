"""A dead run's folder may be anybody's by now: who puts its GPUs back writes nowhere else."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry.power.book import Book, Entry, boot_id
from telemetry.power.card import SettableCard
from telemetry.power.record import GpuPower, Knob, NodePower, ReadValue, Setting, Way
from telemetry.power.restoring import restore_left
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths

UUID = "GPU-00000000-fa4e-4000-8000-000000000000"
LIMIT = Knob.POWER_LIMIT
KEPT = "nobody's to change\n"


class Board:
    """A card that answers in this process, and does something when it is read for a record."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.uuid = UUID
        self.limit_w = 250.0
        self._then = then
        self._read = 0

    def read(self, quantity: str) -> tuple[float | None, str | None]:
        del quantity
        self._read += 1
        if self._read == 3:
            self._then()
        return self.limit_w, None

    def in_force(self, quantity: str) -> tuple[float | None, str | None]:
        del quantity
        return self.limit_w, None

    def set(self, quantity: str, value: float) -> str | None:
        del quantity
        self.limit_w = value
        return None


class Dead:
    """The record of a run that died, and what the book of its node remembers of it."""

    def __init__(self, folder: Path) -> None:
        self.attempt = AttemptPaths(folder=folder / "results" / "run" / "attempt-001")
        self.attempt.power.mkdir(parents=True)
        self.path = self.attempt.host_power("n1")
        write_json(self.path, record())
        self.foreign = folder / "foreign"
        self.foreign.mkdir()
        self.secret = self.foreign / "n1.json"

    def restore(self, then: Callable[[], object] = lambda: None, **changes: Any) -> tuple[str, ...]:
        """Put back what it left; what is told."""
        told = {
            **{"uuid": UUID, "boot_id": boot_id(), "attempt": str(self.attempt.folder)},
            **{"host": "n1", "t_us": 1, "before": {LIMIT: 500.0}, "asked": {LIMIT: 250.0}},
            **{"folder": self.attempt.folder.stat().st_ino, **changes},
        }
        book = Book()
        book.remember(Entry(**told))
        board: Any = Board(then)
        one: SettableCard = board
        done = restore_left([one], book, by="restore")
        assert (done.failed, board.limit_w, book.uuids()) == (0, 500.0, ())
        return done.lines


def record() -> dict[str, Any]:
    """A node's record of one GPU that was set and not put back."""
    stood = ReadValue(value=500.0, t_us=1)
    one = Setting(
        least=stood, most=stood, default=stood, before=stood, asked=250.0, set_us=2,
        enforced=ReadValue(value=250.0, t_us=3),
    )  # fmt: skip
    node = NodePower(
        host="n1", asked_way="auto", way=Way.WATCHER, means="NVML", rule="may",
        gpus=(GpuPower(uuid=UUID, index=0, settings={LIMIT: one}),),
    )  # fmt: skip
    return node.to_mapping()


@pytest.fixture
def dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dead:
    monkeypatch.setenv("JOULEGRID_POWER_BOOK", str(tmp_path / "book"))
    return Dead(tmp_path)


def test_what_was_put_back_is_on_the_dead_run_s_record(dead: Dead) -> None:
    (line,) = dead.restore()
    assert line.endswith(f"as before the run in {dead.attempt.folder}")
    assert NodePower.read(dead.path).gpus[0].settings[LIMIT].restored_by == "restore"


def _link_of_the_file(dead: Dead) -> None:
    dead.path.unlink()
    dead.path.symlink_to(dead.secret)


def _hard_link(dead: Dead) -> None:
    dead.path.unlink()
    os.link(dead.secret, dead.path)


def _link_of_the_folder(dead: Dead) -> None:
    dead.path.unlink()
    dead.attempt.power.rmdir()
    dead.attempt.power.symlink_to(dead.foreign)


def _link_of_the_results(dead: Dead) -> None:
    results = dead.attempt.folder.parents[1]
    there = dead.foreign / "run" / "attempt-001" / "power"
    there.mkdir(parents=True)
    (there / "n1.json").write_text(dead.secret.read_text())
    results.rename(results.with_name("aside"))
    results.symlink_to(dead.foreign)


def _pipe(dead: Dead) -> None:
    dead.path.unlink()
    os.mkfifo(dead.path)


@pytest.mark.parametrize(
    ("swap", "told"),
    [
        (_link_of_the_file, "not this user's alone|a link|symbolic"),
        (_hard_link, "not this user's alone"),
        (_link_of_the_folder, "record is not written"),
        (_link_of_the_results, "another folder is in the place of its own"),
        (_pipe, "record is not written"),
    ],
)
def test_what_a_foreign_hand_puts_in_the_place_of_a_record_is_neither_read_nor_written(
    dead: Dead, swap: Callable[[Dead], None], told: str
) -> None:
    write_json(dead.secret, record())
    kept = dead.secret.read_bytes()
    number = dead.attempt.folder.stat().st_ino
    swap(dead)
    (line,) = dead.restore(folder=number)
    assert "as before the run in" in line
    assert any(word in line for word in told.split("|")), line
    assert dead.secret.read_bytes() == kept
    assert sorted(path.name for path in dead.foreign.iterdir() if path.is_file()) == ["n1.json"]


def test_a_folder_that_is_swapped_between_reading_and_writing_is_not_written_to(
    dead: Dead,
) -> None:
    dead.secret.write_text(KEPT)

    def swap() -> None:
        dead.attempt.power.rename(dead.attempt.folder / "aside")
        dead.attempt.power.symlink_to(dead.foreign)

    dead.restore(swap)
    assert dead.secret.read_text() == KEPT
    assert [path.name for path in dead.foreign.iterdir()] == ["n1.json"]
    # The folder that was read is the one that was written to.
    moved = read_json(dead.attempt.folder / "aside" / "n1.json")
    assert moved["ended_us"] is not None


def test_what_lies_under_a_guessed_name_beside_the_record_is_not_written_through(
    dead: Dead,
) -> None:
    dead.secret.write_text(KEPT)
    (dead.attempt.power / f".n1.json.{os.getpid()}.tmp").symlink_to(dead.secret)
    dead.restore()
    assert dead.secret.read_text() == KEPT
    assert NodePower.read(dead.path).ended_us is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to another user")
def test_a_record_of_another_user_is_not_written(dead: Dead) -> None:
    os.chown(dead.path, 65534, 65534)
    (line,) = dead.restore()
    assert "it is not this user's alone" in line
    assert NodePower.read(dead.path).ended_us is None


def test_a_sealed_record_stays_as_it_is(dead: Dead) -> None:
    dead.attempt.seal.write_text("{}")
    before = dead.path.read_bytes()
    dead.restore()
    assert dead.path.read_bytes() == before


def test_a_run_s_own_record_is_not_written_through_a_link(dead: Dead) -> None:
    dead.secret.write_text(KEPT)
    _link_of_the_folder(dead)
    with pytest.raises(OSError, match="link"):
        write_json(dead.path, record())
    assert dead.secret.read_text() == KEPT
