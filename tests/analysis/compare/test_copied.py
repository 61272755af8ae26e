"""A copy of a real run is known by its readings, whatever was done to it; two runs are none."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from analysis.compare.axes import Axes
from analysis.compare.copied import copied
from analysis.compare.sides import Member, open_sides
from telemetry.record.paths import list_runs
from tests.conftest import REPOSITORY
from tests.support.forgeries import (
    copy_run,
    edit_shards,
    reseal,
    scaled,
    sealed_attempt,
    values_changed,
)
from tests.support.recordings import SUFFIX, unpack

RECORDED = REPOSITORY / "tests" / "recorded"
ORIGINAL = "7b-fixed-synthetic-h200-g1-b64-l128-r0-13c89e3b"
# The same point on the same board, another day.
OTHER = "7b-fixed-synthetic-h200-g1-b64-l128-r0-f77b8715"
POWER = ("power_instant_w", "power_average_w", "power_sample_w")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("copied") / "theirs"
    unpack(RECORDED / f"{ORIGINAL}{SUFFIX}", place)
    return place


def members(*folders: Path) -> list[tuple[Member, ...]]:
    sides = open_sides([str(folder) for folder in folders], Axes.read("folder"))
    return [side.members for side in sides]


def _a_microsecond_later(table: pa.Table) -> pa.Table:
    """Every span ends a microsecond later: no byte of the table is what it was."""
    at = table.schema.get_field_index("t_end_us")
    later = pa.array([stamp + 1 for stamp in table["t_end_us"].to_pylist()], pa.int64())
    return table.set_column(at, table.schema.field(at), later)


@pytest.mark.parametrize("factor", [1.0, 0.98])
def test_a_copy_with_other_stamps_or_another_gain_is_a_copy(
    original: Path, tmp_path: Path, factor: float
) -> None:
    forged = copy_run(next(list_runs(original)), tmp_path)
    edit_shards(sealed_attempt(forged), "samples", scaled(factor, *POWER))
    edit_shards(sealed_attempt(forged), "spans", _a_microsecond_later)
    reseal(forged)
    told = copied(*members(original, tmp_path))
    assert told is not None
    assert "a copy is no measurement" in told


def test_a_copy_with_noise_of_its_own_is_a_copy(original: Path, tmp_path: Path) -> None:
    forged = copy_run(next(list_runs(original)), tmp_path)
    chance = np.random.default_rng(1)
    noisy = values_changed(
        lambda value, _: np.round(value * chance.normal(1.0, 0.01, len(value)), 1), *POWER
    )
    edit_shards(sealed_attempt(forged), "samples", noisy)
    edit_shards(sealed_attempt(forged), "spans", _a_microsecond_later)
    reseal(forged)
    told = copied(*members(original, tmp_path))
    assert told is not None
    assert "a copy is no measurement" in told


def test_two_real_runs_of_one_point_on_one_board_are_no_copies(
    original: Path, tmp_path: Path
) -> None:
    unpack(RECORDED / f"{OTHER}{SUFFIX}", tmp_path)
    assert copied(*members(original, tmp_path)) is None
