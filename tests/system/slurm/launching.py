"""Launching: commands of the project on a cluster on which nothing starts, and what they left."""

import subprocess
import sys
from pathlib import Path

from telemetry.record.paths import AttemptPaths, list_runs
from tests.conftest import REPOSITORY
from tests.support.words import last_words
from tests.system.slurm.site import Site


def run_module(
    site: Site, module: str, results: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, str(results), *words],
        capture_output=True,
        text=True,
        check=False,
        env=site.environment,
        cwd=REPOSITORY,
        timeout=120,
    )


def start_launcher(site: Site, results: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "launcher", f"results={results}", *last_words(*words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=site.environment,
        cwd=REPOSITORY,
    )


def attempts(results: Path) -> list[AttemptPaths]:
    return [attempt for run in list_runs(results) for attempt in run.attempts()]
