"""The driver's double, behind NVIDIA's own bindings: what it refuses is told with what it costs."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from launcher.doctor.gpu import driver
from launcher.doctor.observation import Observation, Standing
from launcher.doctor.situation import GpuPlace, Situation, settle
from telemetry.sources.nvml.rights import may_administer
from tests.doubles.nvml.library import World, build, load

NO_PERMISSION, NOT_SUPPORTED, UNKNOWN = 4, 3, 999


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def world(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two simulated H200, in this process."""
    load(library)
    simulated = World(tmp_path / "world", gpus=2)
    monkeypatch.setenv("FAKE_NVML", str(simulated.path))
    return simulated


@pytest.fixture
def no_driver(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel's driver whose library does not answer."""
    monkeypatch.delenv("FAKE_NVML")
    (tmp_path / "version").write_text("NVRM version: 580")
    return tmp_path / "version"


@pytest.fixture
def here(tmp_path: Path) -> Situation:
    situation = settle("local", "results", {"PATH": ""}, tmp_path)
    return dataclasses.replace(situation, gpu=GpuPlace.HERE, board_seen="the driver has 2")


def seen(situation: Situation, **environment: str) -> dict[str, Observation]:
    return {one.name: one for one in driver(situation, environment)}


def test_a_node_that_tells_all_is_there_in_every_line(world: World, here: Situation) -> None:
    found = seen(here)
    limits = found.pop("nvml-limits")
    assert {one.standing for one in found.values()} == {Standing.THERE}
    assert "driver 580.00.fake" in found["driver"].found
    assert "CUDA 13.0: 2 GPUs (all GPUs of the node): NVIDIA H200, NVIDIA H200" in (
        found["driver"].found
    )
    assert "200.0 to 700.0 W" in limits.found


def test_nothing_is_set_while_looking(world: World, library: Path, here: Situation) -> None:
    calls = load(library)
    calls.forget()
    seen(here)
    assert not [name for name in calls.counts() if name.startswith(("set_", "reset"))]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("power", "nvml-power"),
        ("energy", "nvml-energy-counter"),
        ("throttle", "nvml-throttle-reasons"),
        ("processes", "nvml-process-list"),
    ],
)
def test_a_reading_that_one_board_refuses_is_missing_and_stops_nothing_alone(
    call: str, name: str, world: World, here: Situation
) -> None:
    world.fail(f"1.{call}", NO_PERMISSION)
    one = seen(here)[name]
    assert (one.standing, one.stops) == (Standing.MISSING, False)
    assert "refused on 1 of 2 GPUs (GPU 1: NVML error 4" in one.found


def test_a_board_that_tells_neither_power_nor_energy_stops_a_measurement(
    world: World, here: Situation
) -> None:
    world.fail("energy", NOT_SUPPORTED).fail("power", NO_PERMISSION)
    found = seen(here)
    assert found["nvml-power"].stops
    assert found["nvml-energy-counter"].stops
    assert "nothing to measure" in str(found["nvml-power"].costs)


def test_without_persistence_the_idle_baseline_is_told_to_suffer(
    world: World, here: Situation
) -> None:
    world.wild("persistence", 0)
    one = seen(here)["persistence"]
    assert (one.standing, one.found) == (Standing.MISSING, "off on GPU 0, GPU 1")
    world.heal().fail("persistence", UNKNOWN)
    assert seen(here)["persistence"].standing is Standing.UNSEEN


def test_mig_on_all_boards_stops_and_a_board_that_does_not_tell_is_not_called_off(
    world: World, here: Situation
) -> None:
    world.set(mig=1)
    assert seen(here)["mig"].stops
    world.set(mig=0).fail("mig", NOT_SUPPORTED)
    assert seen(here)["mig"].standing is Standing.THERE
    world.heal().fail("1.mig", UNKNOWN)
    assert seen(here)["mig"].standing is Standing.UNSEEN


def test_others_work_on_a_gpu_is_told_and_a_container_cannot_see_it(
    world: World, here: Situation
) -> None:
    boxed = dataclasses.replace(here, container="Docker")
    assert seen(boxed)["gpu-alone"].standing is Standing.UNSEEN
    world.wild("processes", 3)
    for situation in (here, boxed):
        one = seen(situation)["gpu-alone"]
        assert one.standing is Standing.MISSING
        assert "6 processes compute on GPU 0, GPU 1" in one.found


def test_a_gpu_that_has_fallen_off_is_told_beside_the_others(world: World, here: Situation) -> None:
    world.set(lost=1)
    one = seen(here)["driver"]
    assert one.standing is Standing.MISSING
    assert "1 GPUs" in one.found
    assert "lost: GPU 1: NVML error 15" in one.found


def test_gpus_that_the_job_was_not_given_are_not_looked_at(world: World, here: Situation) -> None:
    found = seen(here, CUDA_VISIBLE_DEVICES="1")
    assert "1 GPUs (CUDA_VISIBLE_DEVICES=1)" in found["driver"].found
    assert "all 1 GPUs" in found["nvml-power"].found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "install NVIDIA's driver"),
        ({"job": "7"}, "srun --gpus-per-node=1"),
        ({"container": "Apptainer"}, "--nv"),
    ],
)
def test_a_board_whose_driver_does_not_answer_stops_with_what_to_do_there(
    change: dict[str, str],
    words: str,
    no_driver: Path,
    here: Situation,
) -> None:
    situation = dataclasses.replace(here, **change)  # type: ignore[arg-type]
    (one,) = driver(situation, {}, no_driver)
    assert one.stops
    assert "the driver has 2, but NVIDIA's driver must be loaded" in one.found
    assert words in str(one.remedy)


@pytest.mark.parametrize("gpu", [GpuPlace.NODES, GpuPlace.SIMULATED])
def test_where_no_gpu_is_meant_to_be_the_driver_does_not_apply(
    gpu: GpuPlace, here: Situation
) -> None:
    look: Callable[[Situation], Sequence[Observation]] = driver
    (one,) = look(dataclasses.replace(here, gpu=gpu, board_seen=None))
    assert one.standing is Standing.ELSEWHERE


def test_rights_are_the_kernel_s_not_the_user_s_name(tmp_path: Path) -> None:
    status = tmp_path / "status"
    # Root in a container without CAP_SYS_ADMIN, as Docker starts one.
    status.write_text("Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n")
    assert not may_administer(status)
    status.write_text("Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n")
    assert may_administer(status)
