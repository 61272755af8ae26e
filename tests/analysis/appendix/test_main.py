import json
from pathlib import Path

import pytest

from analysis.appendix.__main__ import main
from analysis.audit.__main__ import main as audit
from telemetry.record.paths import list_runs
from telemetry.record.seal import verify_seal
from tests.support.records import build_run
from tests.support.told import complaints

FILES = {
    *("artifact.md", "artifact.tex", "badges.md", "badges.tex", "boundary.md", "boundary.tex"),
    *("system.md", "system.tex", "system.json"),
}
HEADINGS = (
    *("Artifact Description", "Overview of Contributions and Artifacts"),
    *("Paper's Main Contributions", "Computational Artifacts", "Contributions Supported"),
    *("Related Paper Elements", "Relation To Contributions", "Expected Results"),
    *("Expected Reproduction Time", "Artifact Setup", "Hardware", "Software", "Datasets / Inputs"),
    *("Installation and Deployment", "Artifact Execution", "Artifact Analysis"),
    "Artifact Evaluation",
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    build_run(tmp_path / "results")
    return tmp_path / "results"


def test_each_appendix_is_written_in_both_forms_beside_the_report(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(results)]) == 0
    folder = results / "report" / "appendix"
    assert {path.name for path in folder.iterdir()} == FILES
    text = (folder / "artifact.md").read_text()
    assert [name for name in HEADINGS if name not in text.replace("\\", "")] == []
    run = next(list_runs(results))
    assert verify_seal(run, run.attempt(1)) == []
    said = capsys.readouterr().out
    assert "SIMULATED" in said
    assert said.splitlines()[-1] == f"next: python -m analysis.audit {results}"
    audit([str(results)])
    assert (folder / "artifact.md").is_file()


def test_a_program_gets_badges_and_system(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(results), "--out", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "joulegrid.appendix"
    assert told["badges"]["Artifacts Available"] == "cannot tell by the record"
    assert told["system"]["cooling"]["value"] is None
    assert {Path(path).name for path in told["files"]} == FILES


@pytest.fixture
def place(results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with results, a file and an empty folder."""
    monkeypatch.chdir(results.parent)
    Path("file").write_text("")
    Path("empty").mkdir()
    return results.parent


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["missing"], 2, "is missing"),
        (["results", "--out", "file"], 2, "`--out` must be a folder"),
        (["results", "--out", "RUN/x"], 2, "must lie in no run's folder"),
        (["empty"], 3, "is empty"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    results = place / "results"
    run = f"results/{next(list_runs(results)).run_id}"
    assert main([word.replace("RUN", run) for word in words]) == code
    lines = complaints(capsys.readouterr().err)
    assert len(lines) == 1
    assert said in lines[0]


def test_a_failed_attempt_alone_is_nothing_to_append(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path / "results")
    run.attempt(1).seal.unlink()
    assert main([str(tmp_path / "results")]) == 3
    assert "holds no sealed run" in capsys.readouterr().err


def test_one_run_s_appendix_is_of_that_run(results: Path) -> None:
    run = next(list_runs(results))
    assert main([str(run.folder)]) == 0
    assert (results / "report" / "appendix" / run.run_id / "artifact.md").is_file()
