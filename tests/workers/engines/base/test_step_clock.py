"""Step times; CUDA, which CI has not, is told by a double whose events end when told to."""

import time
from typing import Any, ClassVar

import pytest
import torch

from workers.engines.base.step_clock import StepClock

STEP_MS = 4.0


class Events:
    """Stands for `torch.cuda.Event`: the n-th event recorded is done once `done` is above n."""

    recorded: ClassVar[int] = 0
    done: ClassVar[int] = 0
    asked: ClassVar[int] = 0

    def __init__(self, **_: Any) -> None:
        self.number = -1

    def record(self) -> None:
        self.number = Events.recorded
        Events.recorded += 1

    def query(self) -> bool:
        Events.asked += 1
        return self.number < Events.done

    def synchronize(self) -> None:
        Events.done = max(Events.done, self.number + 1)

    def elapsed_time(self, later: "Events") -> float:
        assert later.query()
        return STEP_MS * (later.number - self.number)


@pytest.fixture
def gpu_clock(monkeypatch: pytest.MonkeyPatch) -> StepClock:
    for name in ("recorded", "done", "asked"):
        monkeypatch.setattr(Events, name, 0)
    monkeypatch.setattr(torch.cuda, "Event", Events)
    return StepClock(torch.device("cuda"))


def test_on_cpu_steps_are_counted_from_the_start() -> None:
    clock = StepClock(torch.device("cpu"))
    clock.start()
    time.sleep(0.02)
    clock.mark()
    clock.mark()
    first_us, second_us = clock.read_us()
    assert 20_000 <= first_us <= second_us
    assert clock.reached == 2


def test_a_start_forgets_the_steps_before() -> None:
    clock = StepClock(torch.device("cpu"))
    for steps in (3, 1):
        clock.start()
        for _ in range(steps):
            clock.mark()
        assert len(clock.read_us()) == steps


def test_on_a_gpu_times_are_those_between_its_events(gpu_clock: StepClock) -> None:
    for _ in range(2):
        gpu_clock.start()
        for _ in range(3):
            gpu_clock.mark()
        assert gpu_clock.read_us() == [4_000, 8_000, 12_000]


def test_a_step_is_reached_when_the_device_has_done_it_and_not_when_it_is_queued(
    gpu_clock: StepClock,
) -> None:
    gpu_clock.start()
    for _ in range(5):
        gpu_clock.mark()
    assert gpu_clock.reached == 0
    Events.done = 3
    time.sleep(0.6)
    gpu_clock.mark()
    # The start and two steps are done.
    assert gpu_clock.reached == 2
    gpu_clock.read_us()
    assert gpu_clock.reached == 6


def test_the_device_is_asked_twice_a_second_at_most(gpu_clock: StepClock) -> None:
    gpu_clock.start()
    begun_s = time.monotonic()
    for _ in range(10_000):
        gpu_clock.mark()
    most = 2 + (time.monotonic() - begun_s) / 0.5
    assert Events.asked <= most
