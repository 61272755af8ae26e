"""What roc-validator requires of our crates, offline: tests/support/crate_contexts.py says how."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.crate.__main__ import main
from analysis.crate.musts import broken
from analysis.crate.profile import PROFILES
from tests.analysis.crate.conftest import Made
from tests.support.crate_contexts import fill_cache, required_issues
from tests.support.records import build_run


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cache") / "http"
    fill_cache(path)
    return path


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # In place, and so without tables: the validator takes a tenth of a second for each entity.
    results = tmp_path_factory.mktemp("newer")
    build_run(results)
    assert main([str(results), "--profile", "0.6"]) == 0
    return results


def test_process_run_crate_0_5_on_ro_crate_1_1_lacks_nothing_required(
    made: Made, cache: Path
) -> None:
    assert required_issues(made[1], "process-run-crate-0.5", cache) == []


def test_ro_crate_1_3_below_process_run_crate_0_6_lacks_nothing_required(
    newer: Path, cache: Path
) -> None:
    assert required_issues(newer, "ro-crate-1.3", cache) == []


def test_the_validator_sees_what_is_broken(made: Made, cache: Path, tmp_path: Path) -> None:
    content = metadata(made[1])
    for one in content["@graph"]:
        one.pop("instrument", None)
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(content))
    issues = required_issues(tmp_path, "process-run-crate-0.5", cache)
    assert any("instrument" in issue for issue in issues)


def test_a_term_that_no_context_has_is_refused(made: Made, cache: Path, tmp_path: Path) -> None:
    content = metadata(made[1])
    content["@graph"][0]["joules"] = 1
    (tmp_path / "ro-crate-metadata.json").write_text(json.dumps(content))
    assert any("joules" in issue for issue in required_issues(tmp_path, "ro-crate-1.1", cache))


def test_0_6_meets_what_its_profile_requires(newer: Path) -> None:
    content = metadata(newer)
    assert content["@context"] == [
        "https://w3id.org/ro/crate/1.3/context",
        "https://w3id.org/ro/terms/workflow-run/context",
    ]
    assert broken(content) == []


def test_no_run_crate_is_on_ro_crate_1_2() -> None:
    assert {one.version: one.base for one in PROFILES.values()} == {"0.5": "1.1", "0.6": "1.3"}


@pytest.mark.parametrize(
    ("identifier", "changes", "fault"),
    [
        ("./", {"conformsTo": None}, "must conform to a version of Process Run Crate"),
        ("./", {"license": None}, "the root must have `license`"),
        ("ro-crate-metadata.json", {"conformsTo": {"@id": "https://w3id.org/ro/crate/1.2"}}, "1.3"),
        ("https://w3id.org/ro/wfrun/process/0.6", {"@type": "Thing"}, "must be a CreativeWork"),
        ("CreateAction", {"instrument": None}, "must have an instrument"),
        ("CreateAction", {"instrument": {"@id": "./"}}, "must be software"),
        ("CreateAction", {"@type": None}, "must have @id and @type"),
        ("CreateAction", {"@id": "./"}, "must stand once"),
    ],
)
def test_our_own_check_sees_each_requirement(
    newer: Path, identifier: str, changes: dict[str, Any], fault: str
) -> None:
    content = metadata(newer)
    one = next(one for one in content["@graph"] if identifier in (one["@id"], one["@type"]))
    one |= changes
    for name in [name for name, value in one.items() if value is None]:
        del one[name]
    assert any(fault in line for line in broken(content))


def metadata(crate: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((crate / "ro-crate-metadata.json").read_bytes())
    return content
