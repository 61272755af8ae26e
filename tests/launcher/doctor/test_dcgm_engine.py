"""An engine that answers, one that is gone, one that hangs; and who may profile."""

import dataclasses
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.doctor.dcgm_engine import engine, probes, profiling
from launcher.doctor.examination import examine
from launcher.doctor.observation import Standing
from launcher.doctor.situation import GpuPlace, Situation, settle
from tests.doubles.dcgm.station import DOUBLE, DoubleEngine, forget_bindings


@pytest.fixture
def here(tmp_path: Path) -> Situation:
    situation = settle("local", "results", {"PATH": ""}, tmp_path)
    return dataclasses.replace(situation, gpu=GpuPlace.HERE, board_seen="the driver has 1")


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoubleEngine]:
    one = DoubleEngine(tmp_path)
    monkeypatch.setenv("DCGM_DOUBLE_STATE", one.state_path)
    forget_bindings()
    yield one
    forget_bindings()


def test_an_engine_that_answers_is_told_with_its_version_and_place(
    double: DoubleEngine, here: Situation
) -> None:
    with double.listening():
        (one,) = engine(here, str(DOUBLE), double.address)
    assert one.standing is Standing.THERE
    assert f"engine at {double.address} answers" in one.found


def test_no_engine_no_bindings_and_no_library_are_three_findings(
    double: DoubleEngine, here: Situation, tmp_path: Path
) -> None:
    (gone,) = engine(here, str(DOUBLE), double.address)
    assert "cannot be reached" in gone.found
    (bare,) = engine(here, str(tmp_path), double.address)
    assert "pydcgm.py" in bare.found
    double.set(library=False)
    (headless,) = engine(here, str(DOUBLE), double.address)
    assert "libdcgm" in headless.found
    for one in (gone, bare, headless):
        assert (one.standing, one.stops) == (Standing.MISSING, False)
        assert "energy stands" in str(one.costs)


def test_an_engine_that_is_there_without_bindings_is_told_so(
    double: DoubleEngine, here: Situation, tmp_path: Path
) -> None:
    with double.listening():
        (one,) = engine(here, str(tmp_path), double.address)
    assert f"an engine listens at {double.address}" in one.found


def test_a_listener_that_takes_no_connection_is_given_up(here: Situation) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        # The queue of one is full: a further connection waits.
        with socket.create_connection(server.getsockname()):
            before_s = time.monotonic()
            look = dataclasses.replace(probes(here, str(DOUBLE), address)[0], patience_s=1.0)
            (one,) = examine([look])
    assert time.monotonic() - before_s < 10
    assert one.standing in {Standing.MISSING, Standing.UNSEEN}


@pytest.mark.parametrize(
    ("text", "standing"),
    [
        ("RmProfilingAdminOnly: 1\n", Standing.MISSING),
        ("ResmanDebugLevel: 4\nRmProfilingAdminOnly: 0\n", Standing.THERE),
        ("ResmanDebugLevel: 4294967295\n", Standing.UNSEEN),
        (None, Standing.UNSEEN),
    ],
)
def test_who_may_profile_is_what_the_driver_s_options_say(
    text: str | None, standing: Standing, here: Situation, tmp_path: Path
) -> None:
    options = tmp_path / "params"
    if text is not None:
        options.write_text(text)
    (one,) = profiling(here, options)
    assert one.standing is standing


def test_on_a_login_node_neither_applies(here: Situation) -> None:
    login = dataclasses.replace(here, gpu=GpuPlace.NODES, board_seen=None)
    for (one,) in (engine(login, None, None), profiling(login)):
        assert one.standing is Standing.ELSEWHERE
