"""A campaign on a real Slurm, made again from its seals, and the verdict of the comparison."""

import json
import subprocess
import sys
from pathlib import Path

from telemetry.record.files import read_json
from telemetry.record.paths import campaigns_folder, list_runs
from tests.conftest import REPOSITORY
from tests.system.slurm.site import POINT, Site


def run_module(site: Site, module: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=site.environment,
        cwd=REPOSITORY,
        timeout=240,
    )


def test_a_campaign_is_made_again_on_slurm_and_held_against_the_original(
    cluster: Site, tmp_path: Path
) -> None:
    original, again = tmp_path / "theirs", tmp_path / "theirs-reproduced"
    first = cluster.launch(original, *POINT, "repeats=2", "wait=true")
    assert first.returncode == 0, first.stdout + first.stderr
    words = ("cluster=devcluster", "allow_dirty=true")
    plan = run_module(cluster, "launcher.reproduce", original, *words, "plan=true")
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "\nmade again: 2 sealed runs" in f"\n{plan.stdout}"
    assert not again.exists()

    done = run_module(cluster, "launcher.reproduce", original, *words, "wait=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"next: python -m analysis.compare {original} {again}"
    runs = {run.run_id: run.sealed() for run in list_runs(again)}
    assert set(runs) == {run.run_id for run in list_runs(original)}
    assert None not in runs.values()
    prompts = [
        {
            read_json(attempt.launch)["prompts_sha256"]
            for run in list_runs(results)
            for attempt in run.attempts()
        }
        for results in (original, again)
    ]
    assert prompts[0] == prompts[1]
    (record,) = campaigns_folder(again).glob("*/campaign.json")
    told = read_json(record)["reproduces"]
    assert told["results"] == [str(original)]
    assert told["campaigns"] == [folder.name for folder in campaigns_folder(original).iterdir()]
    assert told["runs"] == 2

    compared = run_module(cluster, "analysis.compare", original, again, "--json")
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert len(found["cells"]) == 1
    assert found["not_compared"] == []
    summary = " ".join(found["summary"])
    assert "B was made after A: 2 of its 2 runs name a seal that A has" in summary
    assert "energy per token within 5 % is shown in" in summary
