"""Rows that are kept beside a report: the same as made anew, and none where anything differs."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from analysis.energy.power_trace import packed, unpacked
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from analysis.workbook import kept_rows, rows_made
from analysis.workbook.kept_rows import FOLDER, KeptRows
from analysis.workbook.rows_made import RowsMade
from telemetry.record.paths import RunPaths
from tests.support.records import Plan, build_run, reseal

pytestmark = pytest.mark.reports


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_made, "WORTH_BYTES", 0)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return build_run(tmp_path, Plan(spec={"gpus": 2}, state=True, rank_counter=True))


def report_files(results: Path) -> dict[str, bytes]:
    report = results / "report"
    paths = [path for path in sorted(report.rglob("*")) if path.is_file()]
    return {path.relative_to(report).as_posix(): path.read_bytes() for path in paths}


def made(results: Path) -> RowsMade:
    """The rows of all runs as a report makes them, without what it draws."""
    folder = results / "report" / FOLDER
    folder.parent.mkdir(exist_ok=True)
    return rows_made.rows_made(load(results), KeptRows(folder, results))


def edited(run: RunPaths, change: Callable[[dict[str, Any]], None]) -> Path:
    path = run.results / "report" / FOLDER / f"{run.run_id}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_a_report_from_kept_rows_is_the_same_to_the_byte(run: RunPaths) -> None:
    first = write_report(load(run.results))
    files = report_files(run.results)
    second = write_report(load(run.results))
    assert (first.kept, second.kept) == (0, 1)
    assert report_files(run.results) == files
    found = {line.name: line.outcome for line in audit_results(run.results)}
    assert found["report-tables"] is found["report-page"] is Outcome.PASSED


def test_kept_rows_give_the_page_nothing_of_a_run_that_was_sealed_anew(run: RunPaths) -> None:
    made(run.results)
    table = run.attempt(1).table("samples")
    table.write_bytes(table.read_bytes())
    reseal(run)
    assert made(run.results).kept == 0


def test_other_code_other_books_and_other_meters_make_rows_anew(
    run: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(run.results)
    monkeypatch.setattr(kept_rows, "code_digest", lambda: "other")
    assert made(run.results).kept == 0
    assert made(run.results).kept == 1
    for name in ("meters", "accounting"):
        (run.results / name).mkdir()
        (run.results / name / "note.txt").write_text("new")
        assert made(run.results).kept == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.update(content=kept["content"][:-8]),
        lambda kept: kept.update(content="no letters of base64 !"),
        lambda kept: kept.update(sha256="0" * 64),
        lambda kept: kept["key"].update(run_id="another"),
        lambda kept: kept.pop("key"),
        lambda kept: kept.update(content=7),
    ],
)
def test_what_is_not_whole_is_made_anew(
    run: RunPaths, change: Callable[[dict[str, Any]], None]
) -> None:
    made(run.results)
    edited(run, change)
    assert made(run.results).kept == 0
    assert made(run.results).kept == 1


def forged(kept: dict[str, Any]) -> None:
    """Half the energy, under a digest of its own: as one who knows the code can."""
    rows = kept_rows._rows(unpacked(base64.b64decode(kept["content"])))
    content = kept_rows._content(rows)
    content["rows"]["runs"][0]["energy_j"] /= 2
    kept["content"] = base64.b64encode(packed(content)).decode()
    kept["sha256"] = kept_rows._digest(kept["key"], kept["content"])


def test_a_forgers_rows_are_on_the_page_and_the_audit_says_that_they_are_false(
    run: RunPaths,
) -> None:
    honest = write_report(load(run.results)).tables.runs.rows[0]["energy_j"]
    edited(run, forged)
    written = write_report(load(run.results))
    assert written.kept == 1
    assert written.tables.runs.rows[0]["energy_j"] == pytest.approx(float(str(honest)) / 2)
    found = {line.name: line.outcome for line in audit_results(run.results)}
    assert found["report-tables"] is Outcome.FAILED
    assert found["report-page"] is Outcome.FAILED


def test_a_missing_column_or_a_cell_of_another_type_is_no_row(run: RunPaths) -> None:
    made(run.results)
    path = run.results / "report" / FOLDER / f"{run.run_id}.json"
    content = unpacked(base64.b64decode(json.loads(path.read_text())["content"]))
    content["rows"]["runs"][0]["energy_j"] = [1]
    with pytest.raises(ValueError, match="a row of runs must have its columns"):
        kept_rows._rows(content)
    content["rows"].pop("runs")
    with pytest.raises(ValueError, match="`rows` must be of"):
        kept_rows._rows(content)


def test_rows_of_runs_that_are_gone_are_forgotten(run: RunPaths, tmp_path: Path) -> None:
    gone = build_run(tmp_path, Plan(spec={"seed": 5}))
    made(tmp_path)
    folder = tmp_path / "report" / FOLDER
    assert len(list(folder.iterdir())) == 2
    gone.attempt(1).seal.unlink()
    made(tmp_path)
    assert [path.stem for path in folder.iterdir()] == [run.run_id]


def test_processes_make_the_same_rows(run: RunPaths, tmp_path: Path) -> None:
    for seed in (5, 6):
        build_run(tmp_path, Plan(spec={"seed": seed}))
    loaded = load(tmp_path)
    one = rows_made.rows_made(loaded, KeptRows(tmp_path / "one", tmp_path), 1)
    two = rows_made.rows_made(loaded, KeptRows(tmp_path / "two", tmp_path), 2)
    assert one.rows == two.rows
    assert set(one.rows) == {each.run_id for each in loaded.runs}


def test_a_small_folder_keeps_nothing(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_made, "WORTH_BYTES", 1 << 30)
    write_report(load(run.results))
    assert not (run.results / "report" / FOLDER).exists()
