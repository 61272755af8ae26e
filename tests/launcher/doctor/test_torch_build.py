"""Torch is asked in an interpreter of its own, and held against the driver and the boards."""

import dataclasses
from pathlib import Path

import pytest

from launcher.doctor.observation import Observation, Standing
from launcher.doctor.situation import GpuPlace, Situation, settle
from launcher.doctor.torch_build import runs_on, torch_build

FAKE = """
__version__ = "{version}"
class version:
    cuda = {cuda!r}
    hip = None
class _C:
    @staticmethod
    def _cuda_getArchFlags():
        return {arch!r}
class cuda:
    @staticmethod
    def init():
        if {refuses!r}:
            raise RuntimeError({refuses!r})
    @staticmethod
    def device_count():
        return {count}
    @staticmethod
    def get_device_name(k):
        return "NVIDIA board"
    @staticmethod
    def get_device_capability(k):
        return {capability}
"""


@pytest.fixture
def here(tmp_path: Path) -> Situation:
    situation = settle("local", "results", {"PATH": ""}, tmp_path)
    return dataclasses.replace(situation, gpu=GpuPlace.HERE, board_seen="the driver has 1")


def fake(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    version: str = "2.13.0",
    cuda: str | None = "13.0",
    arch: str = "sm_80 sm_90",
    refuses: str = "",
    count: int = 1,
    capability: tuple[int, int] = (9, 0),
) -> None:
    """A torch of that build, which the interpreter that is started finds first."""
    (folder / "torch.py").write_text(
        FAKE.format(
            version=version,
            cuda=cuda,
            arch=arch,
            refuses=refuses,
            count=count,
            capability=capability,
        )
    )
    (folder / "triton.py").write_text('__version__ = "3.7.1"')
    monkeypatch.setenv("PYTHONPATH", str(folder))


def torch_of(situation: Situation, driver_cuda: int | None = 13000) -> Observation:
    return torch_build(situation, driver_cuda)[0]


def test_a_build_that_fits_the_driver_and_the_board_is_told_with_both(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch)
    seen = torch_of(here)
    assert seen.standing is Standing.THERE
    for words in ("built with CUDA 13.0", "driver's CUDA is 13.0", "NVIDIA board (sm_90)"):
        assert words in seen.found


def test_a_build_for_cpu_stops_where_a_gpu_is_or_nodes_have_one(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, cuda=None)
    for gpu in (GpuPlace.HERE, GpuPlace.NODES, GpuPlace.LACKING):
        seen = torch_of(dataclasses.replace(here, gpu=gpu))
        assert (seen.standing, seen.stops) == (Standing.MISSING, True), gpu
    seen = torch_of(dataclasses.replace(here, gpu=GpuPlace.SIMULATED))
    assert seen.standing is Standing.THERE


def test_a_driver_older_than_the_build_stops_and_both_ways_out_are_told(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, refuses="The NVIDIA driver on your system is too old", count=0)
    seen = torch_of(here, 12040)
    assert seen.stops
    assert "the driver's CUDA is 12.4" in seen.found
    assert "a driver for CUDA 13 or newer, or a build of torch with CUDA 12" in str(seen.remedy)


def test_a_build_that_finds_no_gpu_beside_a_driver_that_fits_is_not_called_too_old(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, count=0)
    seen = torch_of(here, 13000)
    assert seen.stops
    assert "it finds no GPU" in seen.found
    assert "too old" not in seen.found


def test_a_board_that_the_build_has_no_code_for_stops(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, capability=(7, 0))
    seen = torch_of(here)
    assert seen.stops
    assert "it has code for sm_80 sm_90, none for NVIDIA board" in seen.found


def test_on_a_login_node_the_fit_could_not_be_looked_at(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, count=0)
    seen = torch_of(dataclasses.replace(here, gpu=GpuPlace.NODES))
    assert seen.standing is Standing.UNSEEN
    assert "only a node can tell" in seen.found


def test_a_torch_that_cannot_be_imported_stops_with_its_own_words(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13: not found')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    seen = torch_of(here)
    assert seen.stops
    assert "libcudart.so.13: not found" in seen.found


def test_a_torch_that_crashes_is_not_called_there(
    here: Situation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="exit code -6"):
        torch_of(here)


@pytest.mark.parametrize(
    ("arch", "capability", "runs"),
    [
        ("sm_80", (8, 0), True),
        ("sm_80", (8, 6), True),
        ("sm_86", (8, 0), False),
        ("sm_80", (9, 0), False),
        ("compute_80", (9, 0), True),
        ("compute_90", (8, 0), False),
        ("sm_90a", (9, 0), True),
        ("sm_100a", (10, 3), False),
        ("sm_100f", (10, 3), True),
        ("sm_120", (12, 1), True),
        ("sm_90 sm_100", (7, 0), False),
        ("gfx90a", (9, 0), False),
        ("", (9, 0), False),
    ],
)
def test_code_runs_on_a_board_as_cuda_s_own_rules_say(
    arch: str, capability: tuple[int, int], runs: bool
) -> None:
    assert runs_on(arch.split(), capability) is runs
