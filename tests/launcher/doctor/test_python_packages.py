"""What each extra demands is held against what is installed."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.doctor import python_packages
from launcher.doctor.observation import Observation, Standing
from tests.conftest import REPOSITORY

PROJECT = """
[project]
requires-python = "{python}"
dependencies = ["numpy>=2.0"]
[project.optional-dependencies]
launch = ["hydra-core>=1.3.2,<1.4"]
work = ["torch>=2.11"]
analysis = ["jinja2>=3.1"]
all = ["joulegrid[launch]"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "pyproject.toml"
    path.write_text(PROJECT.format(python=">=3.11"))
    return path


def installed(**versions: str) -> Callable[[str], str]:
    def version_of(name: str) -> str:
        if name.replace("-", "_") not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name.replace("-", "_")]

    return version_of


def extra(name: str, found: object) -> Observation:
    assert isinstance(found, list)
    (one,) = [each for each in found if each.name == name]
    assert isinstance(one, Observation)
    return one


def test_what_is_installed_as_demanded_is_told_with_its_versions(project: Path) -> None:
    versions = installed(numpy="2.4", hydra_core="1.3.8", torch="2.13.0+cpu", jinja2="3.1.6")
    found = python_packages.packages(project, versions)
    assert [one.name for one in found] == [
        *("packages", "extra-launch", "extra-work", "extra-analysis"),
    ]
    assert {one.standing for one in found} == {Standing.THERE}
    assert extra("extra-work", found).found == "torch 2.13.0+cpu"


@pytest.mark.parametrize(
    ("name", "stops"),
    [("packages", True), ("extra-launch", True), ("extra-work", True), ("extra-analysis", False)],
)
def test_with_nothing_installed_each_extra_says_what_it_costs_and_what_brings_it(
    name: str, stops: bool, project: Path
) -> None:
    one = extra(name, python_packages.packages(project, installed()))
    assert (one.standing, one.stops) == (Standing.MISSING, stops)
    assert "pip install" in str(one.remedy)


def test_a_package_that_is_too_old_or_too_new_is_told_with_the_demand(project: Path) -> None:
    found = python_packages.packages(project, installed(torch="2.10.1", hydra_core="1.4.0"))
    assert extra("extra-work", found).found == "torch 2.10.1, but >=2.11 is demanded"
    assert "hydra-core 1.4.0, but >=1.3.2,<1.4 is demanded" in extra("extra-launch", found).found


def test_a_vendor_s_build_of_a_newer_release_fits(project: Path) -> None:
    found = python_packages.packages(project, installed(torch="2.12.0a0+6ddf5cf"))
    assert extra("extra-work", found).standing is Standing.THERE


def test_without_anything_to_compare_versions_by_nobody_knows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_packages, "_versions_library", lambda: None)
    one = extra("extra-work", python_packages.packages(project, installed(torch="2.0")))
    assert one.standing is Standing.UNSEEN
    assert "not" not in one.found.split("packaging")[0].replace("no package", "")


def test_a_python_that_is_too_old_stops_all(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(PROJECT.format(python=">=3.99"))
    (one,) = python_packages.python(path)
    assert (one.standing, one.stops) == (Standing.MISSING, True)
    assert ">=3.99 is demanded" in one.found


def test_a_checkout_and_what_is_installed_of_it_demand_the_same(tmp_path: Path) -> None:
    python, checkout = python_packages.demands(REPOSITORY / "pyproject.toml")
    installed_python, told = python_packages.demands(tmp_path / "none")
    assert installed_python == python
    assert set(checkout) >= {"", "launch", "work", "analysis"}
    assert set(told) >= set(checkout) - {"all"}
