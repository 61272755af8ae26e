"""What was foreseen is written once, read back as it was, and cannot be half a statement."""

from dataclasses import replace
from pathlib import Path

import pytest

from telemetry.record.files import write_json
from telemetry.record.foreseen import Basis, Expected, Foreseen, scaled

TEN = Expected(value=10.0, low=8.0, high=13.0)
FORESEEN = Foreseen(
    time_s=TEN,
    energy_j=scaled(TEN, 300.0),
    window_s=scaled(TEN, 0.5),
    window_energy_j=scaled(TEN, 200.0),
    basis=Basis.SAME,
    told="from 1 sealed run of 7b fast on h200",
    runs=("7b-fixed-synthetic-h200-g1-b64-l128-r0-13c89e3b",),
    simulated=False,
)


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "foreseen.json"
    write_json(path, FORESEEN.to_mapping())
    assert Foreseen.read(path) == FORESEEN


def test_without_a_gpu_there_is_no_energy_and_no_zero(tmp_path: Path) -> None:
    path = tmp_path / "foreseen.json"
    without = replace(FORESEEN, energy_j=None, window_energy_j=None)
    write_json(path, without.to_mapping())
    assert Foreseen.read(path).energy_j is None


def test_gpu_hours_are_of_all_gpus_for_the_whole_job() -> None:
    assert FORESEEN.gpu_hours(4).value == pytest.approx(10.0 * 4 / 3600)
    assert FORESEEN.gpu_hours(4).high == pytest.approx(13.0 * 4 / 3600)


@pytest.mark.parametrize(
    ("low", "value", "high"), [(11.0, 10.0, 12.0), (8.0, 10.0, 9.0), (8.0, 10.0, float("inf"))]
)
def test_an_amount_outside_its_interval_is_refused(low: float, value: float, high: float) -> None:
    with pytest.raises(ValueError, match="must"):
        Expected(value=value, low=low, high=high)


def test_an_expectation_from_runs_names_them() -> None:
    with pytest.raises(ValueError, match="`runs` must name runs"):
        replace(FORESEEN, runs=())
    with pytest.raises(ValueError, match="`runs` must name runs"):
        replace(FORESEEN, basis=Basis.DATASHEET)


def test_one_energy_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="`window_energy_j` must be known both or neither"):
        replace(FORESEEN, energy_j=None)


@pytest.mark.parametrize("name", ["time_s", "basis", "level", "told"])
def test_a_file_that_lacks_a_part_is_refused(name: str) -> None:
    content = {key: value for key, value in FORESEEN.to_mapping().items() if key != name}
    with pytest.raises(ValueError, match="must be"):
        Foreseen.from_mapping(content)
