"""Crates of small simulated records."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.crate.__main__ import main
from tests.support.records import Plan, build_run

ODD = "1 50%#ä:?&.log"
"""Name of a file of that record's: blank, letter, and what a URI gives a meaning."""
Made = tuple[Path, Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A results folder with a sealed run, a failed attempt of it, and its crate as a folder."""
    base = tmp_path_factory.mktemp("crate")
    results, crate = base / "results", base / "crate"
    build_run(results, Plan(end="failed"))
    build_run(results, Plan(), attempt=2)
    jobs = results / "campaigns" / "20261127T000000Z" / "jobs"
    jobs.mkdir(parents=True)
    # As a shell of somewhere may name it: each is to be a URI reference.
    (jobs / ODD).write_text("done")
    assert main([str(results), "--out", str(crate), "--license", "CC-BY-4.0"]) == 0
    return results, crate


@pytest.fixture
def graph(made: Made) -> Mapping[str, Any]:
    """The entities of that crate by @id."""
    return entities(made[1])


def entities(crate: Path) -> dict[str, Any]:
    content = json.loads((crate / "ro-crate-metadata.json").read_bytes())
    return {one["@id"]: one for one in content["@graph"]}


def of_type(graph: Mapping[str, Any], kind: str) -> list[Any]:
    return [one for one in graph.values() if one["@type"] == kind]


def followed(graph: Mapping[str, Any], value: Any) -> list[Any]:
    """The entities that a property refers to."""
    values = value if isinstance(value, list) else [value] if value else []
    return [graph[one["@id"]] for one in values]
