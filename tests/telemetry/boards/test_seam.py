"""A new board is one row: it turns up in plan, record, tables, figures and report."""

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from launcher.config.command_line import read_points
from launcher.plan.check import check
from launcher.plan.grid import Verdict
from telemetry.boards.board import Board, Form
from telemetry.boards.peaks import datasheet_peaks
from telemetry.boards.table import BOARDS, register
from telemetry.record.files import read_json
from telemetry.sources.nvml.source import NvmlReadings
from tests.doubles.nvml.library import World, build
from tests.doubles.nvml.library import load as load_library
from tests.doubles.nvml.station import make_assignment
from tests.support.records import Plan, build_run

TOY = dataclasses.replace(
    BOARDS["h200"],
    name="toy9000",
    product="Toy 9000",
    forms=(
        Form(
            driver_names=("NVIDIA Toy 9000",),
            peaks=datasheet_peaks(
                gigabytes_per_s=9000, teraflop_per_s={"fp16": 1800}, source="a toy's datasheet"
            ),
        ),
    ),
)


@pytest.fixture
def toy() -> Iterator[Board]:
    register(TOY)
    yield TOY
    del BOARDS[TOY.name]


@pytest.mark.parametrize(("gpu", "cluster"), [("toy9000", "h200"), ("simulated-toy9000", "local")])
def test_it_is_planned(toy: Board, tmp_path: Path, gpu: str, cluster: str) -> None:
    words = [f"results={tmp_path}", f"cluster={cluster}", f"gpu={gpu}", "dataset=fixed"]
    (point,) = check(read_points(words)).points
    assert (point.verdict, point.spec.gpu) == (Verdict.RUN, gpu)


def test_it_is_recorded_under_its_name(
    toy: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_library(build(tmp_path))
    monkeypatch.setenv("FAKE_NVML", str(World(tmp_path / "world", product="NVIDIA Toy 9000").path))
    source = NvmlReadings(make_assignment(tmp_path / "results"))
    try:
        (gpu,) = source.describe().gpus
    finally:
        source.close()
    assert gpu["kind"] == "toy9000"


def test_it_is_in_tables_figures_and_report(toy: Board, tmp_path: Path) -> None:
    spec = {"gpu": "toy9000", "dtype": "fp16"}
    gpu = {"name": "NVIDIA Toy 9000", "kind": "toy9000"}
    run = build_run(tmp_path, Plan(spec=spec, gpu=gpu, rank_counter=True))
    written = write_report(load(tmp_path))
    folder = written.page.parent
    assert read_json(run.spec)["gpu"] == "toy9000"

    def rows(table: str) -> list[dict[str, str]]:
        with (folder / "tables" / f"{table}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    assert [row["gpu"] for row in rows("runs")] == ["toy9000"]
    (sensor, *_) = rows("sensors")
    assert (sensor["product"], sensor["architecture"]) == ("NVIDIA Toy 9000", "Hopper GH100")
    (performance,) = rows("performance")
    assert float(performance["bound_share"]) > 0
    assert "toy9000" in written.page.read_text(encoding="utf-8")
    assert any("toy9000" in path.read_text() for path in (folder / "figures").glob("*.svg"))
