"""A node with two simulated boards for every test of this folder."""

from pathlib import Path

import pytest

from tests.doubles.nvml.library import build
from tests.slurm.power.bench import Bench


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def bench(tmp_path: Path, library: Path) -> Bench:
    return Bench(tmp_path, library)
