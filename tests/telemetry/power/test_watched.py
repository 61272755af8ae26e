"""Whoever dies, the GPUs stand as before: the watcher, its owner, both; and `restore` by hand."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry.power.book import Book
from telemetry.power.record import Knob, NodePower, Way
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.watcher.process import WatcherProcess
from tests.conftest import REPOSITORY
from tests.doubles.nvml.library import SharedBoards, World, uuid_of
from tests.support.watched_attempts import make_attempt

CAP = {"gpu": "h200", "power_cap_w": 350.0}
LAUNCH: dict[str, Any] = {"device": "cuda", "telemetry": "nvml", "period_ms": 100}
CAPPED = Knob.POWER_LIMIT
Boards = Callable[..., tuple[World, SharedBoards]]
_OWNER = """
import sys, time
from pathlib import Path
from telemetry.watcher.process import WatcherProcess
watch = WatcherProcess(Path(sys.argv[1]), sys.argv[2], 1, "n1")
watch.wait_ready()
print(watch.pid, flush=True)
time.sleep(600)
"""


def _power(attempt: AttemptPaths) -> NodePower:
    return NodePower.read(attempt.host_power("n1"))


def _until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_gpus_are_set_before_the_watcher_is_ready_and_given_back_at_its_end(
    boards: Boards, tmp_path: Path
) -> None:
    _, shared = boards()
    run, attempt = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch:
        record = watch.wait_ready(60)
        assert shared.settings(0).limit_w == 350
        assert record["gpus"][0]["power_limit_requested_w"] == 350
    assert shared.settings(0).limit_w == 500
    assert _power(attempt).unrestored == ()
    assert "settings_put_back" not in read_json(attempt.watchers / "n1.exit.json")


def test_a_killed_watcher_s_follower_goes_on_and_gives_back_what_was_there_first(
    boards: Boards, tmp_path: Path
) -> None:
    _, shared = boards()
    run, attempt = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch:
        before = watch.wait_ready(60)["pid"]
        first = _power(attempt).gpus[0].settings[CAPPED]
        os.kill(before, signal.SIGKILL)
        _until(lambda: read_json(attempt.host("n1"))["pid"] != before)
        assert shared.settings(0).limit_w == 350
    assert shared.settings(0).limit_w == 500
    setting = _power(attempt).gpus[0].settings[Knob.POWER_LIMIT]
    assert (setting.before.value, setting.restored.value) == (500, 500)
    # It was in force since the first, whatever its follower does.
    assert (setting.set_us, setting.enforced) == (first.set_us, first.enforced)
    assert "gone on with" in _power(attempt).leftovers[-1]


def test_a_killed_watcher_that_none_follows_is_made_good_by_its_owner(
    boards: Boards, tmp_path: Path
) -> None:
    _, shared = boards()
    run, attempt = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1", max_restarts=0) as watch:
        watch.wait_ready(60)
        os.kill(watch.pid, signal.SIGKILL)
        _until(lambda: not watch.alive())
    assert shared.settings(0).limit_w == 500
    assert _power(attempt).gpus[0].settings[Knob.POWER_LIMIT].restored_by == "guard"
    assert "as before the run" in read_json(attempt.watchers / "n1.exit.json")["settings_put_back"]


def test_sigterm_to_the_watcher_gives_the_old_limit_back(boards: Boards, tmp_path: Path) -> None:
    _, shared = boards()
    run, _ = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch:
        watch.wait_ready(60)
        os.kill(watch.pid, signal.SIGTERM)
        _until(lambda: shared.settings(0).limit_w == 500)


def test_a_killed_owner_s_watcher_gives_the_old_limit_back(boards: Boards, tmp_path: Path) -> None:
    _, shared = boards()
    run, attempt = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    owner = _owner(tmp_path, run.run_id)
    assert shared.settings(0).limit_w == 350
    owner.kill()
    owner.wait()
    _until(lambda: shared.settings(0).limit_w == 500)
    _until(lambda: _power(attempt).ended_us is not None)


def test_after_both_were_killed_the_old_limit_comes_back_by_hand_and_is_on_record(
    boards: Boards, tmp_path: Path
) -> None:
    _, shared = boards()
    run, attempt = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    owner = _owner(tmp_path, run.run_id)
    watcher = int(read_json(attempt.host("n1"))["pid"])
    os.kill(owner.pid, signal.SIGSTOP)
    os.kill(watcher, signal.SIGKILL)
    owner.kill()
    owner.wait()
    assert shared.settings(0).limit_w == 350
    shown = _by_hand("show")
    assert "old values are remembered" in shown.stdout
    assert "next: python -m telemetry.power restore" in shown.stdout
    done = _by_hand("restore")
    assert done.returncode == 0, done.stderr
    assert shared.settings(0).limit_w == 500
    assert _power(attempt).gpus[0].settings[Knob.POWER_LIMIT].restored_by == "restore"
    assert Book().uuids() == ()
    assert "nothing is remembered" in _by_hand("restore").stdout


def test_by_hand_workload_power_profiles_are_shown_or_why_there_are_none(boards: Boards) -> None:
    world, _ = boards()
    assert "workload power profiles: not offered by this driver" in _by_hand("show").stdout
    world.set(profiles=f"{1 << 1 | 1 << 6} {1 << 6} 0")
    told = " ".join(_by_hand("show").stdout.split())
    assert "workload power profiles: max_q, llm_inference; asked llm_inference; enforced" in told


def test_after_both_were_killed_the_next_run_puts_it_back_and_the_dead_run_s_record_says_so(
    boards: Boards, tmp_path: Path
) -> None:
    _, shared = boards()
    run, dead = make_attempt(tmp_path, spec={**CAP, "sm_clock_mhz": 1395}, launch=LAUNCH)
    owner = _owner(tmp_path, run.run_id)
    os.kill(owner.pid, signal.SIGSTOP)
    os.kill(int(read_json(dead.host("n1"))["pid"]), signal.SIGKILL)
    owner.kill()
    owner.wait()
    assert len(_power(dead).unrestored) == 2
    following, attempt = make_attempt(tmp_path, spec={**CAP, "seed": 2}, launch=LAUNCH)
    with WatcherProcess(tmp_path, following.run_id, 1, "n1") as watch:
        watch.wait_ready(60)
        assert shared.settings(0).sm_mhz == 1980
        cap, lock = (_power(dead).gpus[0].settings[one] for one in (CAPPED, Knob.SM_CLOCK))
        assert (cap.restored.value, cap.restored_by) == (500, "next run")
        assert (lock.restored.value, lock.restored_by) == (None, "next run")
        assert _power(dead).unrestored == ()
        assert _power(dead).ended_us is not None
        assert _power(attempt).gpus[0].settings[CAPPED].before.value == 500
    assert shared.settings(0).limit_w == 500


def test_a_run_that_asks_for_nothing_is_not_measured_under_a_dead_run_s_cap(
    boards: Boards, tmp_path: Path
) -> None:
    _, shared = boards()
    run, dead = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    owner = _owner(tmp_path, run.run_id)
    os.kill(owner.pid, signal.SIGSTOP)
    os.kill(int(read_json(dead.host("n1"))["pid"]), signal.SIGKILL)
    owner.kill()
    owner.wait()
    plain, attempt = make_attempt(tmp_path, spec={"gpu": "h200"}, launch=LAUNCH)
    with WatcherProcess(tmp_path, plain.run_id, 1, "n1") as watch:
        watch.wait_ready(60)
        assert shared.settings(0).limit_w == 500
    assert _power(dead).gpus[0].settings[CAPPED].restored_by == "next run"
    assert "as before the run in" in _power(attempt).leftovers[0]
    assert _power(attempt).gpus[0].settings[CAPPED].before.value == 500
    assert Book().uuids() == ()


def test_by_hand_a_gpu_that_a_run_has_at_work_is_left_alone(boards: Boards, tmp_path: Path) -> None:
    _, shared = boards()
    run, _ = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch:
        watch.wait_ready(60)
        assert "is held by the run in" in _by_hand("restore", uuid_of(0)).stdout.replace("\n ", "")
        assert shared.settings(0).limit_w == 350


def test_a_run_whose_gpus_may_not_be_set_ends_before_it_is_ready_in_one_line(
    boards: Boards, tmp_path: Path
) -> None:
    _, shared = boards(setters="none")
    run, attempt = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch:
        with pytest.raises(RuntimeError, match=r"ended with 6 instead: .*NVML error 4") as ended:
            watch.wait_ready(60)
        assert len(str(ended.value).splitlines()) == 1
    assert shared.settings(0).limit_w == 500
    assert _power(attempt).way is Way.NONE
    assert not attempt.host("n1").exists()


def test_a_neighbour_s_gpu_that_nothing_hides_is_not_set(
    boards: Boards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, shared = boards(gpus=2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "1")
    run, attempt = make_attempt(tmp_path, spec=CAP, launch=LAUNCH)
    more = pytest.raises(RuntimeError, match=r"at most the 1 that Slurm gave .* but are 2")
    with WatcherProcess(tmp_path, run.run_id, 1, "n1") as watch, more:
        watch.wait_ready(60)
    assert [shared.settings(index).limit_w for index in range(2)] == [500, 500]
    assert not attempt.host("n1").exists()


def _owner(results: Path, run_id: str) -> subprocess.Popen[str]:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(results), run_id],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline().strip()
    return owner


def _by_hand(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "telemetry.power", *words],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
