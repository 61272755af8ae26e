"""Once installed, the packages and conf/ are whole and found from any working directory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.next_line import PROGRAM
from tests.conftest import REPOSITORY

PACKAGES = ("analysis", "conf", "launcher", "telemetry", "workers")
TYPED = ("analysis", "launcher", "telemetry", "workers")
FILES = ("pyproject.toml", "README.md", "LICENSE")
LEFT_OUT = ("__pycache__", "*.pyc")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed."""
    # Built from a copy: what an earlier build left in build/ would come into the wheel as well.
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        ignore = shutil.ignore_patterns(*LEFT_OUT)
        shutil.copytree(REPOSITORY / package, source / package, ignore=ignore)
    for name in FILES:
        shutil.copy(REPOSITORY / name, source)
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--no-index", "--target", str(folder), str(source)),
        ],
        check=True,
        capture_output=True,
    )
    return folder


def files_of(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix()
        for path in found
        if "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_and_data_file_of_a_package_is_in_the_wheel(site: Path, package: str) -> None:
    assert files_of(site / package) == files_of(REPOSITORY / package)


@pytest.mark.parametrize("package", TYPED)
def test_an_installed_package_says_that_it_is_typed(site: Path, package: str) -> None:
    assert (site / package / "py.typed").is_file()


def test_an_installation_brings_the_word(site: Path, tmp_path: Path) -> None:
    def call(*words: str) -> str:
        done = subprocess.run(
            [str(site / "bin" / PROGRAM), *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert call("--version").startswith(f"{PROGRAM} ")
    assert call("audit", "--help").startswith(f"usage: {PROGRAM} audit ")
    assert call("complete", "--", f"{PROGRAM} run model=7") == "model=7b\n"
    planned = call("run", "cluster=local", "gpu=simulated-a100", "model=nano", "plan=true")
    # The next line is typed as the one was that told it.
    assert f"next: {PROGRAM} run cluster=local" in planned
    assert list(tmp_path.iterdir()) == []


def test_an_installed_wheel_plans_from_any_working_directory(site: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import launcher.__main__ as app; "
        "print(app.__file__); sys.exit(app.main(['cluster=local', 'plan=true', 'gpus=1,2']))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    assert "2 run" in done.stdout
    assert list(tmp_path.iterdir()) == []
