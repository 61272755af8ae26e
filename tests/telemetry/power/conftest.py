"""Boards of the simulated library that all processes of a test share, as cards are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telemetry.sources.nvml.library import Driver
from tests.doubles.nvml.library import SharedBoards, World, build, load


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated NVML library."""
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def boards(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[World, SharedBoards]]:
    """Makes simulated H200 that outlive whoever sets them; a center keeps them at 500 W."""

    def make(**settings: Any) -> tuple[World, SharedBoards]:
        load(library)
        world = World(tmp_path / "world", shared=tmp_path / "boards", **settings)
        monkeypatch.setenv("FAKE_NVML", str(world.path))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(library.parent))
        monkeypatch.setenv("JOULEGRID_POWER_BOOK", str(tmp_path / "book"))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        # What a test puts there goes with it.
        monkeypatch.setenv("SLURM_GPU_FREQ", "")
        with Driver():
            shared = SharedBoards(tmp_path / "boards")
            for index in range(settings.get("gpus", 1)):
                shared.set_limit(index, 500.0)
        return world, shared

    return make
