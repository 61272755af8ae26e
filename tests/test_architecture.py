"""Imports go one way, and heavy libraries stay in their rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("launcher", "workers", "telemetry", "analysis")
MAY_IMPORT = {
    "launcher": {"launcher", "workers", "telemetry", "conf"},
    "workers": {"workers", "telemetry"},
    "telemetry": {"telemetry"},
    "analysis": {"analysis", "telemetry"},
}
NEVER = {
    "workers": {"hydra", "omegaconf", "submitit"},
    "telemetry": {"torch", "fairscale", "hydra", "omegaconf", "submitit", "datasets"},
    "analysis": {"torch", "fairscale", "hydra", "omegaconf", "submitit", "datasets"},
}
# Modules of the watcher, and the one by which a rank reads its own GPU's counter.
MAY_SEE_NVML = {
    *("allotment", "board", "buffer", "calls", "driver", "gpm", "inventory", "pace"),
    *("witness", "xid"),
}
VAGUE = {"utils", "helpers", "common", "manager", "misc", "types"}
MOST_LINES = 400


def modules(package: str) -> list[Path]:
    return sorted((REPOSITORY / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    for path in modules(package):
        siblings = set(imported(path)) & {*PACKAGES, "conf", "tests"}
        assert siblings <= MAY_IMPORT[package], path


@pytest.mark.parametrize("package", sorted(NEVER))
def test_heavy_libraries_stay_out_of(package: str) -> None:
    for path in modules(package):
        assert not set(imported(path)) & NEVER[package], path


@pytest.mark.parametrize("package", PACKAGES)
def test_nvidia_s_library_is_seen_by_the_watcher_and_the_witness_alone(package: str) -> None:
    for path in modules(package):
        if "pynvml" in imported(path):
            assert path.parent.name == "telemetry", path
            assert path.stem in MAY_SEE_NVML, path


@pytest.mark.parametrize(
    "module",
    [
        "telemetry.watcher.process",
        "telemetry.merge",
        "analysis.audit",
        "launcher.jobs.job",
        "workers.distributed.rank",
    ],
)
def test_importing_loads_no_nvidia_library(module: str) -> None:
    code = f"import sys, {module}; print('pynvml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("module", ["telemetry.watcher", "telemetry.merge", "analysis.audit"])
def test_importing_loads_no_torch_and_no_hydra(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print(sorted({'torch', 'hydra', 'submitit', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_are_short_and_named_for_one_thing(package: str) -> None:
    for path in modules(package):
        assert path.stem not in VAGUE, path
        assert len(path.read_text().splitlines()) <= MOST_LINES, path


def test_no_module_swallows_every_exception() -> None:
    for package in PACKAGES:
        for path in modules(package):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ExceptHandler):
                    assert node.type is not None, path
                    assert ast.unparse(node.type) not in {"Exception", "BaseException"}, path
