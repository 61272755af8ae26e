"""A campaign on this machine, made again by whoever has its folder, audited and compared."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.record.files import file_sha256, read_json
from telemetry.record.paths import RunPaths, list_runs
from tests.support.words import last_words

pytestmark = pytest.mark.chain

POINT = (
    "cluster=local",
    "dataset.source=sample",
    "prompts=4",
    "batch_size=2",
    "max_gen_len=4",
    "telemetry.idle_s=0",
    "warmup_batches=1",
    "max_warmup_batches=1",
    "min_window_s=0",
    "allow_dirty=true",
)
"""One run of seconds: that several repeats belong together, tests of the rooms have."""


def run_module(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed campaign."""
    results = tmp_path_factory.mktemp("reproduction") / "theirs"
    done = run_module("launcher", f"results={results}", *last_words(*POINT))
    assert done.returncode == 0, done.stdout + done.stderr
    return results


@pytest.fixture(scope="module")
def again(original: Path) -> Path:
    """The same, made again from the folder alone."""
    done = run_module("launcher.reproduce", original, "allow_dirty=true")
    assert done.returncode == 0, done.stdout + done.stderr
    made = original.with_name("theirs-reproduced")
    assert done.stdout.splitlines()[-1] == f"next: python -m analysis.compare {original} {made}"
    return made


def test_the_same_runs_end_sealed_with_the_same_prompts_and_name_their_originals(
    original: Path, again: Path
) -> None:
    assert [run.run_id for run in list_runs(again)] == [run.run_id for run in list_runs(original)]
    for run in list_runs(again):
        new, old = run.sealed(), RunPaths(results=original, run_id=run.run_id).sealed()
        assert new is not None
        assert old is not None
        launches = [read_json(attempt.launch) for attempt in (new, old)]
        assert launches[0] == launches[1]
        named = read_json(new.provenance)["config"]["reproduces"]
        assert named["seal_sha256"] == file_sha256(old.seal)
        assert named["run_id"] == run.run_id


def test_the_audit_passes_all_that_it_passes_of_the_original(original: Path, again: Path) -> None:
    def failed(results: Path) -> set[str]:
        done = run_module("analysis.audit", results)
        return {line for line in done.stdout.splitlines() if line.startswith("[ ]")}

    assert failed(again) <= failed(original)
    assert not any("was given what the spec says" in line for line in failed(again))


def test_the_same_word_again_runs_nothing_more(original: Path, again: Path) -> None:
    done = run_module("launcher", f"reproduce={original}", "allow_dirty=true")
    assert done.returncode == 0
    assert "1 sealed" in done.stdout
    assert all(len(run.attempts()) == 1 for run in list_runs(again))


def test_the_comparison_names_the_original_and_gives_its_verdict(
    original: Path, again: Path
) -> None:
    done = run_module("analysis.compare", original, again, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["cells"]) == 1
    assert "B was made after A: 1 of its 1 run names a seal that A has" in " ".join(told["summary"])
    (reproduction,) = told["reproductions"]
    assert reproduction["verdict"] == "cannot tell"
    assert "no interval over repeats" in reproduction["reasons"][0]
