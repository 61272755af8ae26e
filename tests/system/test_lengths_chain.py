"""The sequence study on this machine: nine points of exact lengths, their fit, and the audit."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.words import last_words

pytestmark = [pytest.mark.chain, pytest.mark.slow, pytest.mark.timeout(900)]

GRID = (
    *("experiment=sequence_lengths", "max_prompt_len=8,16,32", "max_gen_len=4,8,16"),
    *("cluster=local", "batch_size=2", "warmup_batches=1", "max_warmup_batches=null"),
    *("telemetry.idle_s=0.3", "min_window_s=0", "allow_dirty=true"),
)


def rows(results: Path, name: str) -> list[dict[str, str]]:
    with (results / "report" / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_simulated_campaign_of_nine_lengths_is_fitted_and_made_again_by_the_audit(
    tmp_path: Path,
) -> None:
    words = last_words(*GRID)
    launched = subprocess.run(
        [sys.executable, "-m", "launcher", "-m", f'results="{tmp_path}"', *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert launched.returncode == 0, launched.stdout + launched.stderr
    runs = rows(tmp_path, "sequence_runs")
    lengths = {(float(row["input_tokens"]), float(row["output_tokens"])) for row in runs}
    assert lengths == {(asked, answered) for asked in (8, 16, 32) for answered in (4, 8, 16)}
    assert {row["exact"] for row in runs} == {"true"}
    fitted = [row for row in rows(tmp_path, "sequence_models") if row["outcome"] == "whole"]
    assert [(row["term"], row["n"]) for row in fitted] == [
        (term, "9") for term in ("response", "input token", "output token", "input x output token")
    ]
    # A stated power model tells nothing of a board, and says so in every row.
    assert all("[simulated, random weights]" in row["sentence"] for row in fitted)
    assert {row["verdict"] for row in rows(tmp_path, "sequence_published")} == {"cannot tell"}
    audited = subprocess.run(
        [sys.executable, "-m", "analysis.audit", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert audited.returncode == 0, audited.stdout + audited.stderr
    found = json.loads((tmp_path / "report" / "audit.json").read_text())
    counts = {one["name"]: one["counts"] for one in found["checks"]}
    for name in ("report-tables", "report-page"):
        assert (counts[name]["passed"], counts[name]["failed"]) == (1, 0), counts[name]
