"""The pages for people's own tools do what they say: every block of Python on them is run."""

import re
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from analysis import open_results
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from tests.conftest import REPOSITORY
from tests.doubles.trackers.codecarbon import GPU_KWH, KWH, Codecarbon
from tests.doubles.trackers.mlflow import Mlflow
from tests.doubles.trackers.wandb import Wandb
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.reports

_BLOCK: Final = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LOST_S: Final = 3.0


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a reported results folder: one run whole, one that is not sealed, and
    one of which a GPU has no reading.
    """
    folder = tmp_path / "results"
    board = {"name": "NVIDIA H200_%", "kind": "h200"}
    real = {"gpu": "h200", "dtype": "fp16"}
    build_run(folder, Plan(spec=real, gpu=board))
    build_run(folder, Plan(spec={**real, "repeat": 1}, gpu=board, end="failed"))

    def drop(row: dict[str, Any]) -> dict[str, Any] | None:
        return None if row["device"].startswith("GPU") else row

    build_run(folder, Plan(spec={**real, "repeat": 2}, gpu=board, sample=drop))
    write_report(load(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def run_page(name: str) -> dict[str, Any]:
    """Run all blocks of a page of docs, one after the other, and give what they left."""
    text = (REPOSITORY / "docs" / f"{name}.md").read_text(encoding="utf-8")
    blocks = _BLOCK.findall(text)
    assert blocks, name
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, f"docs/{name}.md", "exec"), names)  # noqa: S102 - the page's own
    return names


def test_the_page_of_the_door_runs_and_names_every_attribute(results: Path) -> None:
    left = run_page("data")
    assert left["energy"].uncertainty == "energy_uncertainty_j"
    assert left["rate"].interval == ("tokens_per_s_low", "tokens_per_s_high")
    assert set(left["power"]["field"]) == {"power_instant_w"}
    text = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
    said = set(re.findall(r"[`.](\w+)", text))
    opened = open_results(results)
    for one in (opened, opened.runs[0], opened.runs[0].trace, opened.tables.runs):
        public = {name for name in dir(type(one)) if not name.startswith("_")}
        assert public - said == set(), type(one).__name__
    told = opened.tables.runs
    keys = {key.decode() for key in told.to_arrow().schema.field("energy_j").metadata}
    assert keys | set(told.metadata) <= said


def test_mlflow_is_told_joules_their_uncertainty_tokens_board_and_seal(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = Mlflow()
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    run_page("mlflow")
    opened = open_results(results)
    rows = opened.tables.runs.to_arrow().to_pylist()
    assert [run.name for run in mlflow.runs] == [run.run_id for run in opened.runs]
    whole, lost = mlflow.runs
    for name in ("energy_j", "energy_uncertainty_j", "energy_per_token_j", "generated_tokens"):
        assert whole.metrics[name] == rows[0][name], name
    assert whole.tags["joulegrid.seal_sha256"] == opened.runs[0].seal_sha256
    assert whole.tags["joulegrid.board"] == whole.params["gpu"] == "h200"
    assert whole.artifacts == [("results/report/tables/runs.parquet", "joulegrid")]
    assert "energy_j" not in lost.metrics
    assert lost.tags["joulegrid.energy_reason"] == rows[1]["energy_reason"]


def test_wandb_is_told_the_same_and_the_trace(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    run_page("wandb")
    opened = open_results(results)
    rows = opened.tables.runs.to_arrow().to_pylist()
    whole, lost = wandb.runs
    assert whole.finished
    for name in ("energy_j", "energy_uncertainty_j", "energy_per_token_j", "generated_tokens"):
        assert whole.summary[name] == rows[0][name], name
    assert whole.config["seal_sha256"] == opened.runs[0].seal_sha256
    assert whole.config["gpu"] == "h200"
    assert list(whole.tags) == ["random_weights"]
    power = opened.runs[0].trace.readings("power_instant_w").to_arrow()
    assert len(whole.history) == power.num_rows
    (artifact,) = whole.artifacts
    assert artifact.files == ["results/report/tables/runs.parquet"]
    assert "energy_j" not in lost.summary
    assert lost.summary["energy_reason"] == rows[1]["energy_reason"]
    run_page("wandb")
    assert wandb.runs[2].id == whole.id
    assert wandb.runs[2].history == []


def test_codecarbon_s_joules_stand_beside_the_ranks_whole_life(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", Codecarbon())
    left = run_page("codecarbon")
    opened = open_results(results)
    phases = opened.tables.phases.to_pandas()
    own = phases[phases.run_id == opened.runs[0].run_id]
    beside = list(left["side_by_side"](opened, results / "report" / "emissions.csv"))
    assert beside == [(opened.runs[0].run_id, pytest.approx(own.energy_j.sum()), GPU_KWH * KWH)]
    printed = capsys.readouterr().out
    assert printed.count("kg CO2 eq") == 1


def test_a_run_with_a_gap_has_no_joules_beside_codecarbon_s(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", Codecarbon())
    left = run_page("codecarbon")
    opened = open_results(results)
    left["tracked"](opened.runs[1].run_id, work=lambda: None)
    beside = list(left["side_by_side"](opened, results / "report" / "emissions.csv"))
    assert beside[1] == (opened.runs[1].run_id, None, GPU_KWH * KWH)
