"""Families that only the library has go the whole way: plan, jobs, record, audit, tables."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.record.files import read_json
from telemetry.record.paths import list_runs
from telemetry.record.spec import RunSpec
from tests.system.test_chain import POINT, launch
from workers.planning.arithmetic import arithmetic_of
from workers.planning.families import find_shape

pytestmark = pytest.mark.chain

MODELS = ("nano-opt", "nano-falcon")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One point of each of two families, with its report and audit."""
    folder = tmp_path_factory.mktemp("chain") / "results"
    words = ("engine=transformers", f"model={','.join(MODELS)}", "gpu=simulated-a100")
    done = launch(folder, "-m", *POINT, *words, "max_prompt_len=64")
    assert done.returncode == 0, done.stdout + done.stderr
    for module in ("analysis", "analysis.audit"):
        done = subprocess.run(
            [sys.executable, "-m", module, str(folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            env=dict(os.environ),
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_each_is_sealed_with_its_own_shape_and_arithmetic(results: Path) -> None:
    runs = {RunSpec.from_mapping(read_json(run.spec)).model: run for run in list_runs(results)}
    assert set(runs) == set(MODELS)
    for model, run in runs.items():
        assert run.sealed() is not None
        (attempt,) = run.attempts()
        record = read_json(attempt.model)
        shape = find_shape(model)
        assert record["arithmetic"]["parameters"] == shape.params
        assert record["arithmetic"]["family"] == shape.family
        said = record["shape"]["weight_bytes_per_step"]
        assert (
            said == arithmetic_of(RunSpec.from_mapping(read_json(run.spec))).weight_bytes_per_step
        )
        assert record["engine"]["phases"] == ["prefill", "decode"]


def test_their_energy_and_their_share_of_the_work_stand_in_the_tables(results: Path) -> None:
    for table, column in (("runs", "energy_per_token_j"), ("joule_work", "")):
        with (results / "report" / "tables" / f"{table}.csv").open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert {row["model"] for row in rows} == set(MODELS), table
        assert all(float(row[column]) > 0 for row in rows if column)
