"""Where the driver lets this user set nothing, a DCGM engine that runs as root does, on record."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.power.book import Book
from telemetry.power.node import NodeSettings
from telemetry.power.record import Knob, NodePower, Way
from telemetry.power.restoring import restore_left
from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from telemetry.sources.nvml.library import Driver
from telemetry.sources.nvml.settings import Card, is_missing, is_refusal
from telemetry.sources.nvml.visible_gpus import read_visible_gpus
from tests.doubles.dcgm.station import DOUBLE, DoubleEngine, forget_bindings
from tests.doubles.nvml.library import SharedBoards, World, uuid_of
from tests.support.watched_attempts import make_attempt

LIMIT = Knob.POWER_LIMIT
Boards = Callable[..., tuple[World, SharedBoards]]


class Node:
    """One attempt's settings on a node of two boards whose driver lets this user set nothing."""

    def __init__(self, folder: Path, engine: DoubleEngine, spec: dict[str, Any]) -> None:
        launch = {"dcgm_bindings": str(DOUBLE), "dcgm_address": engine.address}
        run, self.attempt = make_attempt(
            folder,
            spec={"gpu": "h200", **spec},
            launch={"device": "cuda", "telemetry": "nvml", "period_ms": 100, **launch},
        )
        self._driver = Driver()
        self.cards = [Card(gpu) for gpu in read_visible_gpus(self._driver, {}).gpus]
        self._spec = RunSpec.read(run.spec)
        self.settings = self.fresh()

    def fresh(self) -> NodeSettings:
        return NodeSettings(
            self.attempt,
            self._spec,
            LaunchConfig.read(self.attempt.launch),
            "n1",
            self.cards,
            is_permission=is_refusal,
            is_missing=is_missing,
            tell=print,
        )

    def record(self) -> NodePower:
        return NodePower.read(self.attempt.host_power("n1"))


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoubleEngine]:
    """A root-owned engine of two boards that all processes share."""
    double = DoubleEngine(tmp_path)
    gpus = [
        {"uuid": uuid_of(at), "name": "NVIDIA H200", "pci_bus_id": f"00:{at}", "mig": False}
        for at in (0, 1)
    ]
    double.set(gpus=gpus, boards=str(tmp_path / "boards"))
    monkeypatch.setenv("DCGM_DOUBLE_STATE", double.state_path)
    with double.listening():
        yield double
    forget_bindings()


def test_a_limit_is_set_by_the_engine_and_the_old_one_comes_back_by_it(
    boards: Boards, engine: DoubleEngine, tmp_path: Path
) -> None:
    _, shared = boards(gpus=2, setters="none")
    one = Node(tmp_path / "r", engine, {"power_cap_w": 350.0})
    one.settings.settle()
    assert [shared.settings(at).limit_w for at in (0, 1)] == [350, 350]
    record = one.record()
    assert (record.way, record.fault) == (Way.WATCHER, None)
    assert record.means == f"DCGM's configuration at {engine.address}"
    assert "a DCGM engine that runs as root does" in record.rule
    assert record.gpus[1].settings[LIMIT].enforced.value == 350
    one.settings.restore()
    assert [shared.settings(at).limit_w for at in (0, 1)] == [500, 500]
    assert one.record().unrestored == ()
    assert Book().uuids() == ()
    # After a reset the engine sets its target anew: that is the old value now.
    assert engine.engine.targets == {0: {"160": 500}, 1: {"160": 500}}
    assert engine.engine.leftovers() == 0


def test_a_clock_is_set_as_an_application_clock_with_the_memory_s_kept(
    boards: Boards, engine: DoubleEngine, tmp_path: Path
) -> None:
    _, shared = boards(gpus=2, setters="none", application="root")
    shared.set_application(0, 1590.0)
    one = Node(tmp_path / "r", engine, {"sm_clock_mhz": 1395})
    one.settings.settle()
    assert shared.settings(0).application_sm_mhz == 1395
    assert engine.engine.targets[0] == {"110": 1395, "111": 3201}
    one.settings.restore()
    assert [shared.settings(at).application_sm_mhz for at in (0, 1)] == [1590, 1980]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"root": False}, "requires the hostengine to be running as root"),
        ({"refuses": {"160": -6}}, "field 160: Feature not supported"),
        ({"down": True}, "is no engine that"),
    ],
)
def test_an_engine_that_may_not_is_not_taken_and_says_why(
    boards: Boards, engine: DoubleEngine, tmp_path: Path, state: dict[str, Any], told: str
) -> None:
    _, shared = boards(gpus=2, setters="none")
    engine.set(**state)
    one = Node(tmp_path / "r", engine, {"power_cap_w": 350.0})
    with pytest.raises(RuntimeError, match="For administrators"):
        one.settings.settle()
    assert told in one.record().not_taken["DCGM"]
    assert [shared.settings(at).limit_w for at in (0, 1)] == [500, 500]


def test_what_an_engine_s_driver_refused_is_not_left_as_its_target(
    boards: Boards, engine: DoubleEngine, tmp_path: Path
) -> None:
    boards(gpus=2, setters="none")
    # Any refusal but of a value or of the board: the engine would set it after the next reset.
    engine.set(refuses={"160": -3})
    one = Node(tmp_path / "r", engine, {"power_cap_w": 350.0})
    with pytest.raises(RuntimeError, match="nor by DCGM"):
        one.settings.settle()
    assert engine.engine.targets == {0: {"160": 500}}


def test_a_watcher_that_may_set_it_asks_no_engine(
    boards: Boards, engine: DoubleEngine, tmp_path: Path
) -> None:
    boards(gpus=2)
    one = Node(tmp_path / "r", engine, {"power_cap_w": 350.0})
    one.settings.settle()
    assert one.record().means == "NVML"
    one.settings.restore()


def test_what_a_dead_run_had_set_by_an_engine_comes_back_by_it(
    boards: Boards, engine: DoubleEngine, tmp_path: Path
) -> None:
    _, shared = boards(gpus=2, setters="none")
    one = Node(tmp_path / "r", engine, {"power_cap_w": 350.0})
    one.settings.settle()
    one.settings._let_go()
    done = restore_left(one.cards, Book(), by="restore")
    assert done.failed == 0, done.lines
    assert [shared.settings(at).limit_w for at in (0, 1)] == [500, 500]
    assert engine.engine.targets[1] == {"160": 500}


def test_a_follower_goes_on_by_the_engine_and_gives_the_first_value_back(
    boards: Boards, engine: DoubleEngine, tmp_path: Path
) -> None:
    _, shared = boards(gpus=2, setters="none")
    one = Node(tmp_path / "r", engine, {"power_cap_w": 350.0})
    one.settings.settle()
    one.settings._let_go()
    follower = one.fresh()
    follower.settle()
    assert shared.settings(0).limit_w == 350
    follower.restore()
    assert [shared.settings(at).limit_w for at in (0, 1)] == [500, 500]
