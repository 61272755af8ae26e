"""One figure or table of the paper is printed, written and drawn when it is asked for."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from analysis.__main__ import main
from telemetry.command import ExitCode
from telemetry.record.paths import list_runs
from telemetry.record.seal import verify_seal
from tests.support.records import Plan, build_run
from tests.support.told import complaints

RUN: dict[str, Any] = {
    **{"model": "65b", "weights": "0123abcd", "dtype": "fp16", "dataset": "gsm8k"},
    **{"gpu": "a100", "gpus": 4, "gpus_per_node": 2, "prompts": 2, "batch_size": 64},
    **{"max_gen_len": 256, "power_cap_w": 250.0},
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder that is called as the configuration calls it."""
    return build_run(tmp_path / "results", Plan(spec=RUN)).results


def test_an_exhibit_is_written_as_tables_and_pictures(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(results), "figure", "2"]) == ExitCode.DONE
    folder = results / "report" / "paper" / "figure2"
    assert {path.name for path in folder.iterdir()} == {
        f"figure2.{ending}" for ending in ("csv", "parquet", "tex", "svg", "pdf")
    }
    rows = list(csv.DictReader((folder / "figure2.csv").open(newline="")))
    assert len(rows) == pq.read_table(folder / "figure2.parquet").num_rows == 36
    (ours,) = [row for row in rows if row["our_value"] and row["metric"] == "tokens_per_s"]
    assert float(ours["our_value"]) == pytest.approx(2 * 256 / 2.0)
    assert (folder / "figure2.svg").read_text().startswith("<svg")
    said = capsys.readouterr().out
    assert "Figure 2 of arXiv 2310.03003" in said
    assert "no number of ours in 12 of 36 rows: no run of 7b on A100" not in said
    assert "no run on V100; nearest 65b-gsm8k-a100" in " ".join(said.split())
    assert said.splitlines()[-1] == (
        "next: python -m launcher experiment=figure2_throughput plan=true"
    )


def test_without_a_folder_it_is_of_the_configuration_s_own(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(results.parent)
    assert main(["table", "III"]) == ExitCode.DONE
    assert (results / "report" / "paper" / "table3" / "table3.pdf").is_file()
    assert "no run under" not in capsys.readouterr().err


def test_a_table_of_words_has_no_picture_and_says_so(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "elsewhere"
    assert main([str(results), "table", "1", "--out", str(out)]) == ExitCode.DONE
    assert {path.name for path in out.iterdir()} == {"table1.csv", "table1.parquet", "table1.tex"}
    assert "no picture: " in capsys.readouterr().out
    assert not (results / "report").exists()


@pytest.mark.parametrize("words", [[], ["table", "1"]])
def test_neither_report_nor_exhibit_is_written_into_a_run_or_over_a_file(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (run,) = list_runs(results)
    (tmp_path / "mine").write_text("mine")
    for out, why in (
        (run.folder / "new", f"lies in {run.run_id}'s"),
        (tmp_path / "mine", "must be a folder"),
    ):
        assert main([str(results), *words, "--out", str(out)]) == ExitCode.BAD_INPUT
        (said,) = complaints(capsys.readouterr().err)
        assert "`--out`" in said
        assert why in said
    assert verify_seal(run, run.attempt(1)) == []
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_figure_of_shards_has_points_beside_it(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(results, Plan(spec={**RUN, "max_gen_len": 512}))
    assert main([str(results), "figure", "6", "--json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    tables = document["tables"]
    assert (document["schema"], document["number"]) == ("joulegrid.exhibit", "Figure 6")
    assert set(tables) == {"paper_figure6", "paper_beyond"}
    assert len(tables["paper_figure6"]["rows"]) == 16
    (beside,) = tables["paper_beyond"]["rows"]
    assert (beside["series"], beside["gpus"]) == ("A100 reference", 4)
    assert (results / "report" / "paper" / "figure6" / "figure6_beside.csv").is_file()


def test_a_run_that_is_not_as_it_was_sealed_is_named_and_in_no_number(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = build_run(results, Plan(spec={**RUN, "max_gen_len": 512}))
    spans = other.attempt(1).table("spans")
    spans.write_bytes(spans.read_bytes()[:-1])
    assert main([str(results), "figure", "2"]) == ExitCode.FAILED
    assert other.run_id in capsys.readouterr().out


def test_simulated_runs_stand_beside_no_number_and_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated = {**RUN, "gpu": "simulated-a100", "weights": "random"}
    run = build_run(tmp_path / "results", Plan(spec=simulated))
    assert main([str(run.results), "figure", "2"]) == ExitCode.DONE
    said = capsys.readouterr().out
    assert "SIMULATED: 1 of 1 run, no measurement: beside no number" in said
    assert "A: " not in said
