"""What is not installed is said with the extra that brings it, by every verb, early or late."""

import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement

from telemetry.command import ExitCode
from telemetry.next_line import VERBS
from telemetry.record.beside import BUNDLE, STAMP, beside
from tests.conftest import REPOSITORY
from tests.support.records import build_run

THERE: Final = [verb for module, verb in VERBS.items() if find_spec(module) is not None]
# What an installation of some extras finds of all that is installed here.
PRELUDE: Final = """
import sys
from importlib.machinery import PathFinder

lacking = set(sys.argv[1].split(","))

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in lacking:
            return None
        return PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
sys.argv = ["joulegrid", *sys.argv[2:]]
from launcher.console import main
sys.exit(main())
"""


def installed(extras: str) -> set[str]:
    """The distributions that pip brings for some extras, and what they need."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    for extra in filter(None, extras.split(",")):
        wanted += [Requirement(line) for line in project["optional-dependencies"][extra]]
    found: set[str] = set()
    while wanted:
        one = wanted.pop()
        name = folded(one.name)
        if name in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        wanted += [Requirement(line) for line in needs]
    return found


@cache
def lacking(extras: str) -> frozenset[str]:
    """The packages that are installed here and would not be."""
    there = installed(extras)
    return frozenset(
        package
        for package, names in metadata.packages_distributions().items()
        if not {folded(name) for name in names} & {*there, "joulegrid"}
    )


def folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def call(extras: str, *words: str, cwd: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE, ",".join(sorted(lacking(extras))), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "HOME": str(cwd)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_plain_installation_lacks_what_the_extras_bring() -> None:
    assert {"torch", "hydra", "submitit", "jinja2", "matplotlib", "datasets"} <= lacking("")
    assert {"hydra", "torch"} <= lacking("analysis")
    assert not {"numpy", "pyarrow", "rich", "psutil"} & lacking("")


@pytest.mark.parametrize("extras", ["", "analysis", "launch"])
@pytest.mark.parametrize("verb", THERE)
def test_a_verb_s_help_or_the_extra_that_it_needs(verb: str, extras: str, tmp_path: Path) -> None:
    code, said, error = call(extras, verb, "--help", cwd=tmp_path)
    if code == ExitCode.DONE:
        assert said.startswith(f"usage: joulegrid {verb}")
    else:
        assert code == ExitCode.BAD_INPUT
        assert error.count("\n") == 1
        extra = re.search(r"pip install 'joulegrid\[(\w+)\]'", error)
        assert extra is not None, error
        assert extra[1] not in extras.split(","), error


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    build_run(folder)
    return folder


@pytest.mark.parametrize(
    ("extras", "words", "extra"),
    [
        ("", ["audit"], None),
        ("", ["merge"], None),
        ("", ["status"], None),
        ("", ["report"], "analysis"),
        ("launch", ["report"], "analysis"),
        ("", ["crate"], "analysis"),
        ("analysis", ["crate"], None),
        ("analysis", ["appendix"], None),
        ("analysis", ["report"], None),
        ("", ["sign", "--tsa-query"], "evidence"),
        ("evidence", ["sign", "--tsa-query"], None),
        # Whatever file: what looks at it is asked for first.
        ("analysis", ["audit", "--tsa-certificate", "/etc/passwd"], "evidence"),
    ],
)
def test_a_folder_is_read_by_what_an_installation_has(
    results: Path, extras: str, words: list[str], extra: str | None, tmp_path: Path
) -> None:
    code, _, error = call(extras, *words, str(results), cwd=tmp_path)
    if extra is None:
        assert code in (ExitCode.DONE, ExitCode.FAILED), error
        assert "pip install" not in error
    else:
        assert code == ExitCode.BAD_INPUT
        assert f"pip install 'joulegrid[{extra}]'" in error


def test_a_stamp_and_a_bundle_that_nothing_can_look_at_are_no_pass(tmp_path: Path) -> None:
    seal = build_run(tmp_path / "results").attempt(1).seal
    for ending in (STAMP, BUNDLE):
        beside(seal, ending).write_text("any\n")
    code, said, _ = call("analysis", "audit", str(tmp_path / "results"), "--json", cwd=tmp_path)
    assert code == ExitCode.DONE
    found = {check["name"]: check for check in json.loads(said)["checks"]}
    for name in ("seal-stamp", "signature"):
        assert found[name]["outcome"] == "could not be looked at"
        assert "pip install 'joulegrid[evidence]'" in found[name]["evidence"]


def test_ranks_that_would_lack_a_package_are_not_begun(tmp_path: Path) -> None:
    words = ["run", "cluster=local", "gpu=simulated-a100", "model=nano", "allow_dirty=true"]
    code, _, error = call("launch", *words, cwd=tmp_path)
    assert code == ExitCode.BAD_INPUT
    assert "pip install 'joulegrid[work]'" in error
    assert not (tmp_path / "results").exists()
    assert call("launch,work", *words, "plan=true", cwd=tmp_path)[0] == ExitCode.DONE
