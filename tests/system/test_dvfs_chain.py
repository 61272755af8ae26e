"""The DVFS study from grid to audit, on boards of NVIDIA's simulated library.

Launcher, watcher, rank, merge, seal, report and audit are the real ones. The board is simulated and
has a driver (`tests/doubles/driven`): power, clock and the pace of steps answer to a lock by a
stated model. It measures nothing and proves the chain alone, and each record and row says so.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.capped_nodes import CappedNodes
from tests.support.words import last_words

pytestmark = pytest.mark.chain

POINT = (
    *("experiment=dvfs", "cluster=local", "gpu=simulated-h200", "gpus=1", "power=watcher"),
    *("telemetry.idle_s=0.3", "engine=reference", "dtype=fp32"),
    *("logit_error=false", "max_prompt_len=32", "max_gen_len=16", "warmup_batches=0"),
    *("max_warmup_batches=null", "min_window_s=0.5", "allow_dirty=true"),
)
# A step of `nano` works some 10 ms on one core, and several times that on a busy machine.
STEP_S = 0.1


def rows(results: Path, name: str) -> list[dict[str, str]]:
    with (results / "report" / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def module(name: str, *words: str, more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", name, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, **more},
    )


def told(tmp_path: Path, tasks: tuple[str, ...], clocks: str) -> Path:
    """The results of such a grid, whose tables hold what was built to come out."""
    nodes = CappedNodes.make(tmp_path, "node", setters="all", step_s=STEP_S)
    results = tmp_path / "results"
    words = last_words(*POINT, f"dataset={','.join(tasks)}", f"sm_clock_mhz={clocks}")
    launched = module(
        "launcher", "-m", f'results="{results}"', *words, more=nodes.environment("node")
    )
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert nodes.stand_as_before("node")
    whole = [row for row in rows(results, "dvfs") if row["phase"] == "whole"]
    kinds = {"alpaca": "generation", "squad": "qa"}
    assert [row["task"] for row in whole] == [kinds[task] for task in tasks]
    for row in whole:
        assert row["simulated"] == "true"
        assert (row["lowest"], row["not_counted"]) == ("990 MHz", "")
        # The clock that was sampled, and not the one that was asked.
        assert float(row["lowest_clock_mhz"]) == pytest.approx(990.0, abs=15.0)
        assert float(row["lowest_clock_share"]) == pytest.approx(0.5, abs=0.01)
        # By the model; nothing was repeated, so that nothing is told apart.
        assert 0.2 < float(row["energy_saved_share"]) < 0.6
        assert row["verdict"] == "not shown"
    curves = rows(results, "cap_curves")
    assert len(curves) == len(tasks) * (clocks.count(",") + 1) * 3
    assert {row["verdict"] for row in rows(results, "dvfs_published")} <= {"cannot tell"}
    return results


def test_a_clock_is_set_read_back_and_told_against_none(tmp_path: Path) -> None:
    told(tmp_path, ("alpaca",), "null,50%")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_tasks_at_three_clocks_are_told_apart_and_made_again_by_the_audit(tmp_path: Path) -> None:
    results = told(tmp_path, ("alpaca", "squad"), "null,70%,50%")
    audited = module("analysis.audit", str(results), more={})
    assert audited.returncode == 0, audited.stdout + audited.stderr
    found = json.loads((results / "report" / "audit.json").read_text())
    counts = {one["name"]: one["counts"] for one in found["checks"]}
    for name in ("report-tables", "report-page"):
        assert (counts[name]["passed"], counts[name]["failed"]) == (1, 0), counts[name]
