"""A quantity that was set is waited for until it acts, by setting and switching alike."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from telemetry.power.in_force import wait_in_force
from telemetry.power.record import Knob
from telemetry.sources.nvml.library import Driver
from telemetry.sources.nvml.settings import UNTOLD_LOCK, Card
from telemetry.sources.nvml.visible_gpus import read_visible_gpus
from tests.doubles.nvml.library import SharedBoards, World

LIMIT = Knob.POWER_LIMIT
# The simulated library looks for changes of its world every 10 ms.
_NOTICED_S = 0.02
Boards = Callable[..., tuple[World, SharedBoards]]


@contextlib.contextmanager
def _card() -> Iterator[Card]:
    with Driver() as driver:
        yield Card(read_visible_gpus(driver, {}).gpus[0])


def test_a_limit_that_acts_later_is_waited_for(boards: Boards) -> None:
    boards(delay_ms=60)
    with _card() as card:
        card.set(LIMIT, 350.0)
        assert card.read(LIMIT) == (350.0, None)
        assert card.in_force(LIMIT) == (500.0, None)
        seen = wait_in_force(card, LIMIT, 350.0)
        assert (seen.value, seen.lacking) == (350.0, False)


def test_one_that_is_told_and_never_acts_is_lacking_with_what_stands(boards: Boards) -> None:
    boards(delay_ms=60_000)
    with _card() as card:
        card.set(LIMIT, 350.0)
        seen = wait_in_force(card, LIMIT, 350.0, until_s=time.monotonic() + 0.05)
        assert (seen.value, seen.lacking) == (500.0, True)


def test_a_limit_that_cannot_be_read_at_first_is_looked_at_again(boards: Boards) -> None:
    world, _ = boards()
    world.fail("limit", 999)
    time.sleep(_NOTICED_S)
    with _card() as card:
        card.set(LIMIT, 350.0)
        looks: list[None] = []

        def heal() -> None:
            looks.append(None)
            world.heal()
            time.sleep(_NOTICED_S)

        seen = wait_in_force(card, LIMIT, 350.0, pause=heal)
        assert (seen.value, seen.lacking, bool(looks)) == (350.0, False, True)


def test_one_that_is_never_told_has_its_reason(boards: Boards) -> None:
    world, _ = boards()
    world.fail("limit", 3)
    time.sleep(_NOTICED_S)
    with _card() as card:
        seen = wait_in_force(card, LIMIT, 350.0, until_s=time.monotonic())
        assert (seen.value, seen.lacking) == (None, True)
        assert seen.reason


def test_a_lock_is_told_by_no_driver_and_not_waited_for(boards: Boards) -> None:
    boards()
    with _card() as card:
        card.set(Knob.SM_CLOCK, 1395.0)
        seen = wait_in_force(card, Knob.SM_CLOCK, 1395.0, pause=_never)
        assert (seen.value, seen.reason, seen.lacking) == (None, UNTOLD_LOCK, False)


def test_what_ends_the_watcher_ends_the_wait(boards: Boards) -> None:
    boards(delay_ms=60_000)
    with _card() as card:
        card.set(LIMIT, 350.0)
        with pytest.raises(RuntimeError, match="is to end"):
            wait_in_force(card, LIMIT, 350.0, pause=_never)


def _never() -> None:
    raise RuntimeError("the watcher is to end")
