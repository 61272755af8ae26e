"""Grid points: how repeats scatter, what the sensors add, and by what rule both are told."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.groups import GROUPS
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

NAME = "energy_per_token_j"


def group(results: Path, repeats: int) -> Row:
    for repeat in range(repeats):
        build_run(results, Plan(spec={"repeat": repeat}, decode_s=1.2 + 0.1 * (repeat % 5)))
    (row,) = build_tables(load(results)).groups.rows
    return row


def number(row: Row, name: str) -> float:
    value: Any = row[name]
    assert isinstance(value, float), name
    return value


def test_scatter_and_sensors_stand_apart_and_together_in_quadrature(tmp_path: Path) -> None:
    row = group(tmp_path, 3)
    mean, sensor = number(row, f"{NAME}_mean"), number(row, f"{NAME}_sensor")
    for end in ("low", "high"):
        alone, both = (abs(number(row, f"{NAME}_{part}{end}") - mean) for part in ("scatter_", ""))
        assert 0 < alone < both
        assert both == pytest.approx(math.hypot(alone, sensor))
    assert row["interval_rule"] == "Student's t: 3 repeats, and BCa needs 20"
    assert number(row, f"{NAME}_scatter") > 0


def test_one_run_has_the_sensors_part_and_no_interval(tmp_path: Path) -> None:
    row = group(tmp_path, 1)
    parts = ("low", "high", "scatter_low", "scatter_high", "scatter")
    assert [row[f"{NAME}_{part}"] for part in parts] == [None] * len(parts)
    assert row[f"{NAME}_sensor"] is not None
    assert (row["interval_reason"], row["interval_rule"]) == ("one repeat has no spread", None)


def test_twenty_repeats_are_resampled_as_scipy_does_it(tmp_path: Path) -> None:
    row = group(tmp_path, 20)
    assert str(row["interval_rule"]).startswith("BCa bootstrap of 9,999 resamples, seed 20231003")
    tables = build_tables(load(tmp_path))
    values = [number(run, NAME) for run in tables.runs.rows]
    theirs = stats.bootstrap(
        (values,), np.mean, random_state=np.random.default_rng(20231003), batch=10_000
    ).confidence_interval
    found = number(row, f"{NAME}_scatter_low"), number(row, f"{NAME}_scatter_high")
    assert found == pytest.approx((theirs.low, theirs.high))


def test_every_end_of_an_interval_says_its_rule_in_its_meaning() -> None:
    meanings = {column.name: column.meaning for column in GROUPS.columns}
    assert "BCa bootstrap from 20 repeats on, by Student's t of fewer" in meanings[f"{NAME}_low"]
    assert f"in quadrature by {NAME}_sensor" in meanings[f"{NAME}_high"]
    assert "without the sensors' part" in meanings[f"{NAME}_scatter_low"]
    assert "in no interval of this table" in meanings[f"{NAME}_gain"]
