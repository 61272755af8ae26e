"""Broker under attack: what a user writes, what lies in its folder, who else wants the node."""

import fcntl
import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.slurm.power.bench import LIMIT_W, Bench, KilledAt, broker

WISH = "joulegrid-power:cap_w=250"


HOSTILE = (
    "joulegrid-power:",
    "joulegrid-power: cap_w=250",
    "joulegrid-power:cap_w=250,",
    "joulegrid-power:cap_w=250,cap_w=300",
    "joulegrid-power:cap_w=-250",
    "joulegrid-power:cap_w=+250",
    "joulegrid-power:cap_w=250.0",
    "joulegrid-power:cap_w=2.5e2",
    "joulegrid-power:cap_w=0xfa",
    "joulegrid-power:cap_w=0250",
    "joulegrid-power:cap_w=2_50",
    "joulegrid-power:cap_w=\u0662\u0665\u0660",
    "joulegrid-power:cap_w=\uff12\uff15\uff10",
    "joulegrid-power:cap_w=250\u00b2",
    "joulegrid-power:cap_w=99999999999999999999",
    "joulegrid-power:cap_w=nan",
    "joulegrid-power:CAP_W=250",
    "joulegrid-power:gpus=0;cap_w=250",
    "joulegrid-power:cap_w=250,gpu=GPU-a0000001-fa4e-4000-8000-000000000001",
    "joulegrid-power:cap_w=250,library=/tmp/evil.so",
    "joulegrid-power:cap_w=250;reboot",
    "joulegrid-power:cap_w=$(id)",
    "joulegrid-power:cap_w=`id`",
    "joulegrid-power:cap_w=250\n8|8|N/A|0|NO|R|2026-11-28T00:53:35",
    "joulegrid-power:cap_w=250\r",
    "joulegrid-power:cap_w=250 \x1b[2Jgone",
    "joulegrid-power:cap_w=250 \u2028",
    "joulegrid-power:cap_w=250 " + "x" * 70_000,
    b"joulegrid-power:cap_w=250 \xff\xfe",
    b"joulegrid-power:cap_w=250\x00",
)
"""Comments that begin as a wish and are none."""


@pytest.mark.parametrize("comment", HOSTILE, ids=range(len(HOSTILE)))
def test_a_comment_that_is_no_whole_wish_is_refused_whole(comment: str | bytes) -> None:
    raw = comment.encode() if isinstance(comment, str) else comment
    with pytest.raises(broker.RefusedError) as error:
        broker.parse_wish(raw)
    for word in ("evil", "id", "gone", "reboot", "\x1b", "2|5", "xxx", "250", "\n"):
        assert word not in str(error.value)


@pytest.mark.parametrize("comment", [b"", b"(null)", b" joulegrid-power:cap_w=250", b"joulegrid:a"])
def test_a_comment_that_begins_otherwise_wishes_nothing(comment: bytes) -> None:
    assert broker.parse_wish(comment) is None


@pytest.mark.parametrize(
    "comment", [HOSTILE[17], HOSTILE[23], HOSTILE[27], HOSTILE[28]], ids=range(4)
)
def test_a_refused_comment_sets_nothing_and_leaves_one_line_without_it(
    bench: Bench, comment: str | bytes
) -> None:
    bench.queue(7, comment)
    assert bench.prolog() == 0
    assert bench.untouched()
    assert not bench.state.exists()
    assert bench.log.count("\n") == 1
    assert "250" not in bench.log


def test_what_follows_a_wish_is_not_read(bench: Bench) -> None:
    bench.queue(7, f"{WISH} joulegrid:samples/n1:3:{'ab' * 32}")
    bench.prolog()
    assert bench.limits() == [250, 250]


@pytest.mark.parametrize(
    "rows",
    [
        b"",
        b"\n",
        b"7|7|N/A|1000|NO|R\n",
        b"7|7|N/A|1000|NO|R|2026-11-28T00:53:35|more\n",
        b"7|7|N/A|-1|NO|R|2026-11-28T00:53:35\n",
        b"7|7|N/A|99999999999|NO|R|2026-11-28T00:53:35\n",
        b"8|7|N/A|1000|NO|R|2026-11-28T00:53:35\n",
        b"7|7|N/A|1000|no|R|2026-11-28T00:53:35\n",
        b"7|7|N/A|1000|NO|R|yesterday\n",
        b"\xff\n",
        b"x" * 3_000_000,
    ],
    ids=range(11),
)
def test_an_answer_that_is_not_squeue_s_sets_nothing(bench: Bench, rows: bytes) -> None:
    bench.queue(7, WISH)
    bench.squeue.with_name("squeue.7.rows").write_bytes(rows)
    assert bench.prolog() == 0
    assert bench.untouched()
    assert "refused" in bench.log


def test_nothing_of_the_environment_reaches_slurm_s_program(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LD_PRELOAD_X", "SQUEUE_FORMAT", "SLURM_CONF", "PYTHONPATH", "SLURM_TIME_FORMAT"):
        monkeypatch.setenv(name, "evil")
    told = bench.squeue.with_name("told")
    bench.squeue.write_text(f"#!/bin/sh\nenv > {told}\nexit 1\n")
    bench.prolog()
    assert "evil" not in told.read_text()
    assert "PATH=/usr/bin:/bin" in told.read_text()


def test_a_slurm_that_hangs_is_not_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("power_broker._PATIENCE_S", 0.2)
    bench.squeue.write_text("#!/bin/sh\nexec sleep 60\n")
    begun_s = time.monotonic()
    assert bench.prolog() == 0
    assert time.monotonic() - begun_s < 30
    assert "must answer in time" in bench.log


def _state(bench: Bench) -> dict[str, object]:
    bench.queue(7, WISH)
    bench.prolog()
    told: dict[str, object] = json.loads(bench.state.read_text())
    return told


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"[" * 60_000,
        b'{"format": 1}',
        b"\x00" * 100,
        b"\xff",
        b"9" * 5_000,
        b" " * 70_000,
    ],
    ids=range(10),
)
def test_a_state_that_was_not_written_here_puts_nothing_back_and_stops_further_wishes(
    bench: Bench, raw: bytes
) -> None:
    _state(bench)
    bench.state.write_bytes(raw)
    assert bench.epilog() == 0
    assert bench.prolog() == 0
    assert bench.limits() == [250, 250]
    assert "damaged" in bench.log
    assert bench.run("restore") == 1
    assert bench.run("forget") == 0
    assert not bench.state.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cap_before_mw", -1),
        ("cap_before_mw", 0),
        ("cap_before_mw", True),
        ("cap_before_mw", 7e5),
        ("cap_before_mw", "700000"),
        ("cap_before_mw", None),
        ("cap_before_mw", 10**30),
        ("uuid", "GPU-a0000001"),
        ("uuid", "../../etc/passwd"),
        ("uuid", None),
        ("sm_set_mhz", []),
        ("more", 1),
    ],
)
def test_a_state_with_a_value_that_is_none_is_damaged(
    bench: Bench, key: str, value: object
) -> None:
    told = _state(bench)
    boards = told["gpus"]
    assert isinstance(boards, list)
    boards[0][key] = value
    bench.state.write_text(json.dumps(told))
    bench.epilog()
    assert bench.limits() == [250, 250]
    assert "damaged" in bench.log


def test_a_state_cannot_put_a_board_outside_its_own_limits(bench: Bench) -> None:
    told = _state(bench)
    boards = told["gpus"]
    assert isinstance(boards, list)
    boards[0]["cap_before_mw"] = 99_000_000
    bench.state.write_text(json.dumps(told))
    bench.epilog()
    assert bench.limits() == [250, LIMIT_W]
    assert "kept: nvmlDeviceSetPowerManagementLimit must be granted" in bench.log


@pytest.mark.parametrize("name", ["state.json", ".state.json", "log", "lock"])
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder", "readable"])
def test_what_lies_in_the_place_of_its_files_is_not_followed(
    bench: Bench, tmp_path: Path, name: str, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    victim.chmod(0o600)
    place = bench.folder / name
    if kind == "link":
        place.symlink_to(victim)
    elif kind == "hard link":
        place.hardlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(place, 0o600)
    elif kind == "folder":
        place.mkdir()
    else:
        place.touch(mode=0o644)
    bench.queue(7, WISH)
    assert bench.prolog() == 0
    assert victim.read_text() == "mine"
    # The name of the state that is being written is cleared first: no harm, and no refusal.
    if name != ".state.json" or kind == "folder":
        assert bench.untouched()
        assert "must" in bench.errors.read_text() or "refused" in bench.errors.read_text()


@pytest.mark.parametrize(
    "kind", ["link", "link above", "readable", "writable above", "absent", "dots"]
)
def test_a_folder_that_is_not_root_s_alone_is_not_used(
    bench: Bench, tmp_path: Path, kind: str
) -> None:
    bench.queue(7, WISH)
    if kind == "link":
        bench.folder.rename(tmp_path / "true")
        bench.folder.symlink_to(tmp_path / "true")
    elif kind == "link above":
        (tmp_path / "above").symlink_to(tmp_path)
        bench.folder = tmp_path / "above" / "vault"
    elif kind == "readable":
        bench.folder.chmod(0o750)
    elif kind == "writable above":
        tmp_path.chmod(0o777)
    elif kind == "absent":
        bench.folder.rmdir()
    else:
        bench.folder = tmp_path / "vault" / ".." / "vault"
    assert bench.prolog() == 0
    assert bench.untouched()
    assert "`--folder` must" in bench.errors.read_text()


@pytest.mark.parametrize("whose", ["library", "squeue"])
def test_a_program_that_others_may_change_is_not_started(bench: Bench, whose: str) -> None:
    bench.queue(7, WISH)
    path = bench.squeue
    if whose == "library":
        path = bench.squeue.with_name("libnvidia-ml.so.1")
        path.write_bytes(Path(bench.options[0].partition("=")[2]).read_bytes())
        bench.options[0] = f"--library={path}"
    path.chmod(0o777)
    assert bench.prolog() == 0
    assert bench.untouched()
    assert "must be root's alone to write" in bench.log


def test_a_lock_whose_holder_was_killed_holds_nobody_up(bench: Bench) -> None:
    """The kernel lets go of it: no process number is remembered that another could come to have."""
    bench.queue(7, WISH)
    assert bench.prolog(before=KilledAt(1, "_apply")) == -signal.SIGKILL
    (bench.folder / "lock").write_text(f"{os.getpid()}\n")
    begun_s = time.monotonic()
    bench.prolog()
    assert time.monotonic() - begun_s < 10
    assert bench.limits() == [250, 250]


def test_two_prologs_at_once_end_with_one_job_s_values_and_the_true_old_ones(bench: Bench) -> None:
    bench.queue(7, WISH)
    bench.queue(8, "joulegrid-power:cap_w=300")
    children = []
    for job in (7, 8):
        child = os.fork()
        if child == 0:
            os._exit(bench.prolog(job) if job else 0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    told = json.loads(bench.state.read_text())
    assert bench.limits() == [{7: 250.0, 8: 300.0}[told["job_id"]]] * 2
    assert "still has the node" in bench.log
    for job in (7, 8):
        bench.epilog(job)
    assert bench.untouched()


def test_a_prolog_that_waits_too_long_for_the_lock_ends_well(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("power_broker._LOCK_PATIENCE_S", 0.2)
    bench.queue(7, WISH)
    with (bench.folder / "lock").open("w") as lock:
        (bench.folder / "lock").chmod(0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert bench.prolog() == 0
    assert bench.untouched()
    assert "another prolog or epilog holds the lock" in bench.errors.read_text()


@pytest.mark.parametrize(
    "word", ["--job=", "--job=-7", "--job=7;id", "--job=\u0667", "--node=../n1"]
)
def test_words_that_are_not_slurmd_s_end_before_anything_is_opened(bench: Bench, word: str) -> None:
    assert bench.run("prolog", "--job=7", word) == 2
    assert list(bench.folder.iterdir()) == []
