"""What an installation without extras brings is whole: an audit, and a line for what is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.command import ExitCode
from telemetry.record.files import read_json
from tests.support.records import build_run
from tests.support.told import complaints, unwrapped

# What the extras of pyproject.toml bring; a worker starts from the same file.
# What the extras of pyproject.toml bring; a process that starts a worker starts from this, too.
_BARE = """
import sys
from importlib.machinery import PathFinder

EXTRAS = {"jinja2", "matplotlib", "plotly", "scipy", "statsmodels", "rocrate",
          "cryptography", "rfc3161_client", "sigstore",
          "torch", "hydra", "omegaconf", "submitit", "datasets"}


class Bare:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            return None
        return PathFinder.find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
if __name__ == "__main__":
    from launcher.console import main

    sys.exit(main())
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    build_run(tmp_path / "results")
    return tmp_path / "results"


def bare(results: Path, verb: str, *words: str) -> "subprocess.CompletedProcess[str]":
    program = results.parent / "bare.py"
    program.write_text(_BARE)
    where = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    line = [sys.executable, str(program), verb, str(results), *words]
    return subprocess.run(line, env=where, capture_output=True, text=True, check=False)


def test_an_audit_needs_no_extra_and_says_what_it_did_not_write(results: Path) -> None:
    (results / "report").mkdir()
    stale = results / "report" / "audit.html"
    stale.write_text("an earlier audit's")
    done = bare(results, "audit")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert read_json(results / "report" / "audit.json")["passed"]
    assert "note: no audit.html was written: the package jinja2 must be" in unwrapped(done.stdout)
    assert not stale.exists()


@pytest.mark.parametrize(
    ("words", "package"),
    [
        (["audit", "--html", "verdict.html"], "jinja2"),
        (["sign", "--tsa-query"], "rfc3161-client"),
        (["sign", "--tsa", "http://127.0.0.1:9/tsr"], "rfc3161-client"),
    ],
)
def test_what_needs_an_extra_is_refused_before_anything_is_written(
    results: Path, words: list[str], package: str
) -> None:
    before = sorted(results.rglob("*"))
    done = bare(results, *words)
    assert done.returncode == ExitCode.BAD_INPUT
    (told,) = complaints(done.stderr)
    assert f"the package {package} must be installed, but is not" in told
    assert sorted(results.rglob("*")) == before
