"""`python -m analysis.compare`: from folders to verdicts, files and exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analysis.compare.__main__ import main
from analysis.compare.axes import Axes
from analysis.compare.comparison import Comparison
from analysis.compare.figure import chart
from analysis.compare.sides import open_sides
from analysis.figures.interactive import plot
from telemetry.command import ExitCode
from tests.analysis.compare.conftest import fill, said
from tests.conftest import REPOSITORY
from tests.support.told import complaints

Captured = pytest.CaptureFixture[str]


def run(capsys: Captured, *words: object) -> tuple[int, str, str]:
    try:
        code = main([str(word) for word in words])
    except SystemExit as error:
        code = int(str(error.code))
    out, err = capsys.readouterr()
    # How far it is, told on a busy machine.
    lines = [line for line in out.splitlines(True) if not line.startswith("reading sealed runs")]
    return code, "".join(lines), err


def test_a_tenth_less_is_told_as_less_with_its_interval(folders: Path, capsys: Captured) -> None:
    code, out, _ = run(capsys, folders / "a", folders / "less", "--json")
    (cell,) = said(out)["cells"]
    found = cell["metrics"]["energy_per_token_j"]
    assert code == ExitCode.DONE
    assert found["verdict"] == "less"
    # Overhead and prefill are the same on both sides: 10.8 s a batch against 9.8 s.
    assert found["ratio"] == pytest.approx(9.8 / 10.8, rel=0.002)
    assert found["ratio_low"] < 9.8 / 10.8 < found["ratio_high"] < 1
    assert found["test"] == "Welch's t of logarithms"
    assert (found["base"]["n"], found["other"]["n"]) == (4, 4)


def test_the_summary_is_the_first_line_and_a_plain_sentence(
    folders: Path, capsys: Captured
) -> None:
    _, out, _ = run(capsys, folders / "a", folders / "less")
    first = " ".join(out.splitlines()[:2])
    assert first.startswith("SIMULATED: B takes 9.")
    assert "less energy per token than A in the one cell" in " ".join(first.split())


@pytest.mark.parametrize("second", ["nowhere", "a"])
def test_every_path_is_looked_at_before_any_is_read(
    folders: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    read: list[object] = []
    monkeypatch.setattr("analysis.compare.sides.load", lambda results, **_: read.append(results))
    code, _, err = run(capsys, folders / "a", folders / second)
    assert code == ExitCode.BAD_INPUT
    assert "`PATH` must be" in err
    assert read == []


def test_sides_that_are_alike_are_the_same_within_the_margin(
    folders: Path, capsys: Captured
) -> None:
    code, out, _ = run(capsys, folders / "a", folders / "alike", "--json", "--require", "same")
    metrics = said(out)["cells"][0]["metrics"]
    assert code == ExitCode.DONE
    assert {found["verdict"] for found in metrics.values()} == {"same"}


def test_a_narrower_margin_than_the_scatter_can_show_is_no_sameness(
    folders: Path, capsys: Captured
) -> None:
    code, out, err = run(
        capsys, folders / "a", folders / "alike", "--margin", "0.1", "--require", "same"
    )
    assert code == ExitCode.FAILED
    assert "cannot tell" in out
    assert "sameness within 0.1 % is not shown" in err


def test_what_is_shown_to_differ_fails_where_sameness_is_required(
    folders: Path, capsys: Captured
) -> None:
    code, _, _ = run(capsys, folders / "a", folders / "less", "--require", "same")
    assert code == ExitCode.FAILED


def test_one_run_has_no_interval_over_repeats_and_no_verdict(
    folders: Path, capsys: Captured
) -> None:
    _, out, _ = run(capsys, folders / "a", folders / "one", "--json")
    found = said(out)["cells"][0]["metrics"]["energy_per_token_j"]
    assert found["verdict"] == "cannot tell"
    assert found["reason"] == "one run on one side: no interval over repeats"
    assert (found["p_difference"], found["p_same"]) == (None, None)
    # The sensors' part stands alone.
    assert found["other"]["low"] is None
    assert found["other"]["sensor"] > 0
    assert found["ratio_low"] < found["ratio"] < found["ratio_high"]


def test_three_folders_are_each_held_against_the_first(folders: Path, capsys: Captured) -> None:
    _, out, _ = run(capsys, folders / "a", folders / "alike", folders / "less", "--json")
    cells = said(out)["cells"]
    assert [(cell["base"], cell["other"]) for cell in cells] == [("A", "B"), ("A", "C")]
    verdicts = [cell["metrics"]["energy_per_token_j"]["verdict"] for cell in cells]
    assert verdicts == ["same", "less"]


def test_holm_s_correction_is_over_all_cells_of_a_metric(folders: Path, capsys: Captured) -> None:
    _, two, _ = run(capsys, folders / "a", folders / "less", "--json")
    _, three, _ = run(capsys, folders / "a", folders / "alike", folders / "less", "--json")
    alone = said(two)["cells"][0]["metrics"]["energy_per_token_j"]["p_difference"]
    among = said(three)["cells"][1]["metrics"]["energy_per_token_j"]["p_difference"]
    assert among == pytest.approx(2 * alone)


def test_two_engines_in_one_folder_are_two_sides(tmp_path: Path, capsys: Captured) -> None:
    fill(tmp_path / "r", (10.0, 10.1), spec={"engine": "fast"})
    fill(tmp_path / "r", (12.0, 12.1), spec={"engine": "reference"})
    code, out, _ = run(capsys, tmp_path / "r", "--by", "engine", "--json")
    told = said(out)
    assert code == ExitCode.DONE
    # The paper's engine is the base, as in every table.
    assert [side["name"] for side in told["sides"]] == ["reference", "fast"]
    assert len(told["cells"]) == 1


def test_one_folder_without_an_axis_is_told_which_there_are(
    tmp_path: Path, capsys: Captured
) -> None:
    fill(tmp_path / "r", (10.0,), spec={"engine": "fast"})
    fill(tmp_path / "r", (12.0,), spec={"engine": "reference"})
    code, out, err = run(capsys, tmp_path / "r")
    assert code == ExitCode.BAD_INPUT
    assert "its runs differ in engine" in err
    assert out.splitlines() == [f"python -m analysis.compare {tmp_path / 'r'} --by engine"]


def test_files_are_written_and_say_the_same(
    folders: Path, tmp_path: Path, capsys: Captured
) -> None:
    out_folder = tmp_path / "out"
    code, out, _ = run(capsys, folders / "a", folders / "less", "--out", out_folder)
    assert code == ExitCode.DONE
    kinds = {f"compare.{ending}" for ending in ("csv", "parquet", "tex", "json", "svg")}
    assert kinds <= {path.name for path in out_folder.iterdir()}
    table = pq.read_table(out_folder / "compare.parquet")
    assert table["verdict"].to_pylist()[0] == "less"
    assert table.schema.field("ratio").metadata[b"meaning"]
    assert said((out_folder / "compare.json").read_text())["cells"]
    svg = (out_folder / "compare.svg").read_text()
    assert "SIMULATED" in svg
    assert out.splitlines()[-1] == f"next: python -m analysis.audit {folders / 'less'}"


def test_no_line_for_people_is_wider_than_80_columns(
    folders: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders)
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = run(capsys, "a", "alike", "less")
    lines = [line for line in out.splitlines() if not line.startswith("next:")]
    assert max(map(len, lines)) <= 80
    assert "\\u" not in out


def test_the_next_line_leads_on_and_not_in_a_circle(
    folders: Path, capsys: Captured, tmp_path: Path
) -> None:
    _, out, _ = run(capsys, folders / "a", folders / "less")
    assert out.splitlines()[-1].endswith("--out compared")
    _, out, _ = run(capsys, folders / "a", folders / "less", "--out", tmp_path / "o")
    assert "analysis.audit" in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a", "a"], "each folder once"),
        (["a", "missing"], "is missing"),
        (["a", "less", "--by", "egnine"], "did you mean engine?"),
        (["a", "less", "--by", "campaign"], "beside one folder"),
        (["a", "less", "--margin", "0"], "`--margin` must be per cent"),
        (["a", "less", "--margin", "much"], "`--margin` must be per cent"),
        (["a", "less", "--out", "a/run"], "in no run's folder"),
    ],
)
def test_bad_input_is_one_line_and_code_2(
    folders: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(folders)
    run_id = next(Path("a").glob("nano*")).name
    words = [word.replace("a/run", f"a/{run_id}/new") for word in words]
    code, out, err = run(capsys, *words)
    assert (code, out) == (ExitCode.BAD_INPUT, "")
    assert told in err
    assert len(complaints(err)) == 1


def test_nothing_comparable_is_code_3_and_says_why(tmp_path: Path, capsys: Captured) -> None:
    fill(tmp_path / "a", (10.0,))
    fill(tmp_path / "b", (10.0,), spec={"max_gen_len": 16})
    code, out, err = run(capsys, tmp_path / "a", tmp_path / "b")
    assert code == ExitCode.NOTHING_DONE
    assert "the nearest has max_gen_len=16" in out
    assert "has its counterpart" in err


def test_a_run_that_is_not_as_it_was_sealed_is_named_and_in_no_number(
    tmp_path: Path, capsys: Captured
) -> None:
    fill(tmp_path / "a", (10.0, 10.1))
    fill(tmp_path / "b", (10.0, 10.1, 9.9))
    damaged = next(path for path in (tmp_path / "b").glob("nano*") if "-r2-" in path.name)
    (damaged / "attempt-001" / "model.json").write_text("{}")
    _, out, _ = run(capsys, tmp_path / "a", tmp_path / "b", "--json")
    told = said(out)
    assert told["cells"][0]["metrics"]["energy_per_token_j"]["other"]["n"] == 2
    assert [(one["side"], one["state"]) for one in told["not_counted"]] == [("B", "not as sealed")]
    _, out, _ = run(capsys, tmp_path / "a", tmp_path / "b")
    assert "B has runs and attempts in no number: 1 not as sealed" in out


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"run_id": "x"}, "what B was made after cannot be read: `reproduces` must be an object"),
        (
            {"results": "/r", "campaign": None, "run_id": "x", "seal_sha256": "0" * 64},
            "",
        ),
    ],
)
def test_what_a_record_says_of_its_original_is_not_believed_unseen(
    folders: Path, tmp_path: Path, capsys: Captured, told: dict[str, object], expected: str
) -> None:
    fill(tmp_path / "b", (10.0, 10.1), provenance={"config": {"reproduces": told}})
    code, out, _ = run(capsys, folders / "a", tmp_path / "b", "--json")
    assert code == ExitCode.DONE
    summary = " ".join(said(out)["summary"])
    assert expected in summary
    assert "made after A" not in summary
    assert "reproduced by" not in summary


def test_a_run_s_folder_is_that_run_alone(folders: Path, capsys: Captured) -> None:
    one = next((folders / "a").glob("nano*-r0-*"))
    _, out, _ = run(capsys, one, folders / "less", "--json")
    assert said(out)["sides"][0]["runs"] == 1


def test_a_folder_of_folders_is_answered_with_whole_commands(
    folders: Path, capsys: Captured
) -> None:
    code, out, _ = run(capsys, folders, folders / "less", "--by", "gpu,engine")
    assert code == ExitCode.BAD_INPUT
    assert out.splitlines()[0] == (
        f"python -m analysis.compare {folders}/a {folders}/less --by gpu,engine"
    )


def test_a_home_that_cannot_be_written_is_no_word_of_the_command(
    folders: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "analysis.compare", str(folders / "a"), str(folders / "alike")],
        env={**os.environ, "HOME": str(tmp_path / "file"), "MPLCONFIGDIR": str(tmp_path / "file")},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert complaints(done.stderr) == []


def test_the_figure_has_a_panel_a_metric_and_says_of_each_mark_what_it_is_not(
    folders: Path,
) -> None:
    axes = Axes.read(None)
    paths = [str(folders / name) for name in ("a", "less")]
    comparison = Comparison.of(
        open_sides(paths, axes), axes, margin=0.05, mixed=False, allowed=None
    )
    told = chart(comparison)
    assert len(told.panels) == len(comparison.verdicts)
    assert told.simulated
    (mark,) = told.panels[0].marks()
    assert "SIMULATED: no measurement of a GPU" in mark.labels
    assert mark.low is not None
    assert mark.high is not None
    assert mark.low < 9.8 / 10.8 < mark.high < 1
    assert told.panels[0].series[0].name == "B: 95 % interval"
    assert told.panels[0].shades[0].name == "counts as the same"
    # The page's renderer takes it too.
    assert plot(told) is not None
