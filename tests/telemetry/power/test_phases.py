"""A node's GPUs go from one phase's settings to the other's: timed, ruled, read back, on record."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from telemetry.clock import HostClock
from telemetry.power.phase_channel import PhaseClient
from telemetry.power.phases import LEAST_FACTOR, Delay, NodePhases
from telemetry.power.record import NodePower
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from telemetry.sources.base import Assignment
from telemetry.watcher.gpu_settings import GpuSettings
from telemetry.watcher.process import WatcherProcess
from tests.doubles.nvml.library import SharedBoards, World, uuid_of
from tests.support.watched_attempts import make_attempt

BY_PHASE = {"gpu": "h200", "prefill_sm_clock_mhz": 1800, "decode_sm_clock_mhz": 1200}
CAPS = {"gpu": "h200", "power_cap_w": 600.0, "decode_power_cap_w": 300.0}
LAUNCH: dict[str, Any] = {"device": "cuda", "telemetry": "nvml", "period_ms": 100}
LONG = {"prefill": 60_000_000, "decode": 60_000_000}
Boards = Callable[..., tuple[World, SharedBoards]]


class Switched:
    """A node whose phases are switched as a rank would, by a watcher or within this process."""

    def __init__(
        self, folder: Path, spec: Mapping[str, Any], *, process: bool = False, **launch: Any
    ) -> None:
        self.run, self.attempt = make_attempt(folder, spec=dict(spec), launch={**LAUNCH, **launch})
        self._undo = contextlib.ExitStack()
        if process:
            self.watch = WatcherProcess(folder, self.run.run_id, 1, "n1", max_restarts=0)
            self._undo.callback(self.watch.stop)
            self.watch.wait_ready(60)
        else:
            assignment = Assignment(
                attempt=self.attempt,
                spec=RunSpec.read(self.run.spec),
                launch=LaunchConfig.read(self.attempt.launch),
                host="n1",
                clock=HostClock.set_now(),
            )
            self._undo.enter_context(GpuSettings(assignment, {}, print))
        self.client = PhaseClient(self.attempt.folder, "n1")
        self._undo.callback(self.client.close)

    def end(self) -> None:
        """Give the GPUs back; a second call changes nothing."""
        self._undo.close()

    def record(self) -> NodePower:
        return NodePower.read(self.attempt.host_power("n1"))

    @property
    def phases(self) -> NodePhases:
        found = self.record().phases
        assert found is not None
        return found

    def measured(self, lengths: Mapping[str, int] = LONG) -> str | None:
        self.client.measure()
        if fault := self.client.fault():
            return fault
        self.client.decide(lengths)
        return self.client.fault()

    def switch(self, phase: str, batch: int = 0) -> str | None:
        self.client.switch(phase, batch, 1)
        return self.client.fault()


@pytest.fixture
def switched(tmp_path: Path) -> Iterator[Callable[..., Switched]]:
    with contextlib.ExitStack() as stack:

        def make(spec: Mapping[str, Any] = BY_PHASE, **how: Any) -> Switched:
            one = Switched(tmp_path, spec, **how)
            stack.callback(one.end)
            return one

        yield make


def busy(boards: Boards, **more: Any) -> tuple[World, SharedBoards]:
    """Boards at work all the time, whose clock answers to what they are set to."""
    return boards(**{"duty": 1.0, "model": 1, "busy_w": 650.0, **more})


def test_clocks_are_switched_on_all_gpus_and_the_old_ones_come_back(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    _, shared = busy(boards, busy_w=450.0, gpus=2)
    one = switched()
    assert one.measured() is None
    assert one.switch("prefill") is None
    assert [shared.settings(index).sm_mhz for index in (0, 1)] == [1800, 1800]
    assert one.switch("decode") is None
    assert [shared.settings(index).sm_mhz for index in (0, 1)] == [1200, 1200]
    done = one.phases.switches
    assert [(switch.phase, len(switch.gpus)) for switch in done] == [("prefill", 2), ("decode", 2)]
    # No driver tells of a lock: the sampled clock does.
    assert {gpu.stands for switch in done for gpu in switch.gpus} == {None}
    one.end()
    assert [shared.settings(index).sm_mhz for index in (0, 1)] == [1980, 1980]
    assert one.record().unrestored == ()


def test_the_delay_of_each_gpu_is_measured_with_its_distribution(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    busy(boards, busy_w=450.0, gpus=2, delay_ms=80)
    one = switched()
    assert one.measured() is None
    assert {delay.uuid for delay in one.phases.delays} == {uuid_of(0), uuid_of(1)}
    for delay in one.phases.delays:
        assert len(delay.answered_us) >= 4
        assert min(delay.answered_us) >= 70_000
        assert delay.silent == 0
    delay_us = one.phases.delay_us
    assert delay_us is not None
    assert delay_us >= 80_000


def test_caps_are_read_back_as_enforced_not_as_asked(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    _, shared = busy(boards, delay_ms=60)
    one = switched(CAPS)
    assert one.measured() is None
    assert all(min(delay.read_us) >= 50_000 for delay in one.phases.delays)
    assert any(delay.answered_us for delay in one.phases.delays)
    assert one.switch("decode") is None
    (gpu,) = one.phases.switches[0].gpus
    assert (gpu.value, gpu.stands) == (300, 300)
    assert gpu.read_us is not None
    assert gpu.read_us - gpu.set_us >= 50_000
    one.end()
    assert shared.settings(0).limit_w == 500


def test_a_phase_that_asks_for_nothing_has_what_stood_before(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    _, shared = busy(boards)
    one = switched({"gpu": "h200", "decode_power_cap_w": 300.0})
    assert one.measured() is None
    assert one.switch("prefill") is None
    assert shared.settings(0).limit_w == 500
    assert one.switch("decode") is None
    assert shared.settings(0).limit_w == 300


def test_a_clock_that_the_power_limit_keeps_from_its_lock_has_no_known_delay(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    busy(boards)
    one = switched()
    assert "set to 1800: 0 unseen; 1 silent" in str(one.measured())


def test_a_phase_cannot_have_what_stood_before_where_that_was_two_values(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    _, shared = busy(boards, gpus=2)
    shared.set_limit(1, 450.0)
    with pytest.raises(RuntimeError, match=r"was 450\.0 and 500\.0"):
        switched({"gpu": "h200", "decode_power_cap_w": 300.0})
    assert [shared.settings(index).limit_w for index in (0, 1)] == [500, 450]


def test_phases_that_are_too_short_for_the_delay_are_refused_with_both(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    busy(boards, busy_w=450.0, delay_ms=50)
    one = switched()
    fault = str(one.measured({"prefill": 100_000, "decode": 60_000_000}))
    assert f"must last {LEAST_FACTOR} times" in fault
    assert "the shortest prefill lasted 100.0 ms" in fault
    assert not one.phases.allowed
    assert "nothing is switched" in str(one.switch("decode"))


def test_a_driver_that_says_yes_and_whose_clock_does_not_move_is_found(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    world, _ = busy(boards, busy_w=450.0)
    world.wild("clock_1", 1500)
    one = switched()
    fault = str(one.measured())
    assert "no setting may be switched whose delay is not known" in fault
    assert "silent" in fault


def test_a_limit_that_is_told_as_asked_and_never_in_force_fails_the_switch(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    world, shared = busy(boards)
    one = switched(CAPS)
    assert one.measured() is None
    world.wild("limit", 600_000)
    time.sleep(0.05)
    assert "must be 300" in str(one.switch("decode"))
    assert "reads 600 instead" in str(one.phases.switches[-1].fault)
    one.end()
    assert shared.settings(0).limit_w == 500


def test_a_refused_switch_is_told_and_the_old_value_comes_back(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    world, shared = busy(boards, gpus=2)
    one = switched(CAPS)
    assert one.measured() is None
    world.fail("1.set_limit", 4)
    time.sleep(0.05)
    assert "NVML error 4" in str(one.switch("decode"))
    world.heal()
    time.sleep(0.05)
    one.end()
    assert [shared.settings(index).limit_w for index in (0, 1)] == [500, 500]


def test_a_killed_watcher_is_told_and_its_owner_gives_the_old_value_back(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    _, shared = busy(boards)
    one = switched(CAPS, process=True)
    assert one.measured() is None
    assert one.switch("decode") is None
    os.kill(one.watch.pid, signal.SIGKILL)
    assert "ended instead" in str(one.switch("prefill"))
    one.end()
    assert shared.settings(0).limit_w == 500
    assert one.record().unrestored == ()
    assert len(one.phases.switches) == 1


def test_a_watcher_that_is_ended_while_it_measures_gives_the_old_value_back(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    world, shared = busy(boards, delay_ms=400)
    one = switched(CAPS, process=True)
    one.client.measure()
    time.sleep(0.3)
    os.kill(one.watch.pid, signal.SIGTERM)
    one.end()
    assert shared.settings(0).limit_w == 500
    assert read_json(one.attempt.watchers / "n1.exit.json")["exit_code"] == 0
    del world


def test_a_limit_that_an_administrator_sets_within_a_run_is_left_by_its_switches(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    _, shared = busy(boards)
    one = switched(CAPS)
    assert one.measured() is None
    shared.set_limit(0, 420.0)
    fault = one.switch("decode")
    assert fault is not None
    assert "stands at 420, as no phase has it: it is somebody else's" in fault
    one.end()
    assert shared.settings(0).limit_w == 420
    assert one.record().left


@pytest.mark.parametrize("power", ["site", "broker", "slurm"])
def test_ways_that_set_nothing_within_a_run_are_refused(
    boards: Boards, tmp_path: Path, power: str
) -> None:
    _, shared = busy(boards)
    with pytest.raises(RuntimeError, match="does not switch within a run"):
        Switched(tmp_path, CAPS, power=power)
    (told,) = tmp_path.rglob("power/n1.json")
    assert NodePower.read(told).fault is not None
    assert shared.settings(0).limit_w == 500


def test_a_stranger_s_words_switch_nothing(
    boards: Boards, switched: Callable[..., Switched]
) -> None:
    _, shared = busy(boards)
    one = switched(CAPS)
    assert one.measured() is None
    for words in (b"nonsense\n", b"[1]\n", b'{"do":"switch","phase":"idle","batch":0}\n'):
        one.client._socket.sendall(words)
        assert one.client.fault() is not None
    assert shared.settings(0).limit_w == 600


def test_what_was_measured_is_read_back_from_the_record() -> None:
    delay = Delay(uuid="GPU-0", quantity="sm_clock_mhz", value=None, answered_us=(3, 1), unseen=1)
    phases = NodePhases(asked={"prefill": {"sm_clock_mhz": None}}, delays=(delay,))
    assert NodePhases.from_mapping(phases.to_mapping()) == phases
    assert phases.delay_us == 3
