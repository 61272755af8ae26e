"""A planted label stands wherever a number or a mark of its run does: tables, figures, page, all.

Every run of the folder has at least one label, so that a number without any is one too few.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from analysis.report.document import tables_document
from analysis.report.latex import latex
from analysis.report.page import Written, write_report
from analysis.report.printed import print_report
from analysis.runs.labels import Label, legend_of, of_words
from analysis.runs.sealed_runs import load
from analysis.tables.file_metadata import table_metadata
from analysis.workbook.build import TABLES
from telemetry.output import Output
from telemetry.record.paths import RunPaths
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run
from tests.support.told import unwrapped

pytestmark = pytest.mark.reports

HONEST: Final[Mapping[str, Any]] = {"gpu": "a100", "weights": "trained"}


def free(row: dict[str, Any]) -> dict[str, Any]:
    """Nothing held a clock down."""
    return {**row, "value": 0.0} if row["field"] == "throttle_reasons" else row


def wild(row: dict[str, Any]) -> dict[str, Any]:
    """One reading that no sensor can mean."""
    at = row["field"] == "power_instant_w" and row["t_us"] == T0_US
    return {**row, "value": 1e9} if at else free(row)


def planted(spec: Mapping[str, Any] | None = None, **more: Any) -> Plan:
    return Plan(**{"spec": {**HONEST, **(spec or {})}, "state": True, "sample": free, **more})


DIRTY: Final = {"git": {"commit": "01" * 20, "dirty": True}}
PLANTED: Final[Mapping[Label, Plan]] = {
    Label.SIMULATED: planted({"gpu": "simulated-a100"}),
    Label.RANDOM_WEIGHTS: planted({"weights": "random"}),
    Label.PARTIAL: planted(sample=wild),
    Label.NOT_ATTRIBUTABLE: planted(prefill_s=0.05),
    Label.THROTTLED: planted(sample=lambda row: row),
    Label.CAP_NEVER_BOUND: planted({"power_cap_w": 250.0}),
    Label.CAP_UNKNOWN: planted({"power_cap_w": 200.0}, gpu={"power_limit_w": None}),
    Label.OTHER_BOARD: planted(
        {"gpu": "h200", "engine": "fast"}, gpu={"name": "NVIDIA H200", "kind": "h200"}
    ),
    Label.DIRTY_TREE: planted(provenance=DIRTY),
    Label.COMMIT_UNKNOWN: planted(provenance={"git": {"commit": None}}),
    Label.THROTTLING_UNKNOWN: planted(state=False),
}


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The folder of all planted runs, and its report."""

    results: Path
    """Where they lie."""
    runs: Mapping[str, Label]
    """The label that was planted in each run."""
    written: Written
    """The report."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    results = tmp_path_factory.mktemp("planted")
    runs: dict[str, Label] = {}
    for number, (label, plan) in enumerate(PLANTED.items()):
        runs[built(results, plan, seed=number).run_id] = label
    # What engines, shards, formats and caps are compared with: all of them dirty.
    dirty = PLANTED[Label.DIRTY_TREE]
    for more in ({"engine": "fast"}, {"gpus": 2, "gpus_per_node": 2}, {"dtype": "bf16"}):
        seed = list(PLANTED).index(Label.DIRTY_TREE)
        runs[built(results, dirty, seed=seed, **more).run_id] = Label.DIRTY_TREE
    built(results, planted(end="failed"), seed=90)
    built(results, planted(merged=False), seed=91)
    changed = built(results, planted(), seed=92)
    changed.attempt(1).table("spans").write_bytes(b"changed")
    return Folder(results=results, runs=runs, written=write_report(load(results)))


def built(results: Path, plan: Plan, **more: Any) -> RunPaths:
    return build_run(results, replace(plan, spec={**plan.spec, **more}))


def of_row(folder: Folder, row: Mapping[str, Any]) -> set[Label]:
    """What was planted in the runs that a row names."""
    named = f"{row.get('run_id') or ''} {row.get('runs') or ''}".split()
    return {folder.runs[run] for run in named if run in folder.runs}


@pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.name)
def test_every_row_of_every_table_has_the_labels_of_its_runs(folder: Folder, kind: Any) -> None:
    table = folder.written.tables.by_name[kind.name]
    if "labels" not in {column.name for column in table.columns}:
        # What is about no run's numbers alone.
        assert not any(of_row(folder, row) for row in table.rows)
    for row in table.rows:
        told = set(of_words(row.get("labels")))
        assert of_row(folder, row) <= told, row
        if "labels" in row and (row.get("run_id") or row.get("runs")):
            assert told, row


@pytest.mark.parametrize("name", ["engines", "sharding", "formats"])
def test_rows_that_compare_have_the_labels_of_all_they_compare(folder: Folder, name: str) -> None:
    rows = folder.written.tables.by_name[name].rows
    assert rows
    assert all(Label.DIRTY_TREE in of_words(row["labels"]) for row in rows)


def test_what_is_not_counted_says_that_it_failed_is_unsealed_or_was_changed(
    folder: Folder,
) -> None:
    rows = folder.written.tables.by_name["not_counted"].rows
    assert sorted(str(row["labels"]) for row in rows) == [
        "failed, unsealed",
        "not as sealed",
        "unsealed",
    ]


def test_every_file_says_in_its_metadata_which_of_its_runs_have_which_label(
    folder: Folder,
) -> None:
    for kind in TABLES:
        path = folder.written.page.parent / "tables" / f"{kind.name}.parquet"
        about = table_metadata(pq.read_schema(path))
        told = {one["label"]: set(one["runs"]) for one in about["labels"]}
        for run, label in folder.runs.items():
            assert run in told[label.word], (kind.name, label)
        assert all(one["meaning"] and one["mark"] for one in about["labels"])


def test_latex_has_each_row_s_marks_and_their_legend(folder: Folder) -> None:
    for name in ("runs", "groups", "phases", "performance"):
        text = latex(folder.written.tables.by_name[name])
        for label in PLANTED:
            assert rf"\textsuperscript{{{label.mark}}}~" in text, (name, label)
        long = r"\endfoot" in text
        body = text.partition(r"\endfoot" if long else r"\midrule")[2]
        body = body.partition(r"\end{longtable}" if long else r"\bottomrule")[0]
        lines = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert lines
        assert all(r"\textsuperscript{" in line.partition(" & ")[0] for line in lines), name


def test_every_mark_of_every_figure_has_its_labels(folder: Folder) -> None:
    drawn = 0
    for figure in folder.written.figures:
        assert figure.chart is not None, figure.key
        # A number of the paper's own is of no run.
        marks = [
            mark
            for mark in figure.chart.marks()
            if mark.y is not None and not mark.hover.startswith("paper, ")
        ]
        drawn += len(marks)
        whole = set(figure.chart.labels)
        bare = [mark for mark in marks if not mark.labels and not whole]
        assert not bare, (figure.key, bare[:1])
    assert drawn


def test_the_first_figure_tells_every_label_in_its_picture_and_its_caption(
    folder: Folder,
) -> None:
    chart = next(one.chart for one in folder.written.figures if one.key == "energy-per-token")
    assert chart is not None
    told = " ".join(chart.told_labels())
    caption = (folder.written.page.parent / "captions" / "figure-energy-per-token.tex").read_text()
    for label in PLANTED:
        assert label.word in told.lower() or label.word in told, label
        word = label.word[1:]
        assert word in caption, label


def test_page_index_terminal_and_document_have_every_label(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    page = html.unescape(folder.written.page.read_text())
    index = " ".join((folder.written.page.parent / "README.txt").read_text().split())
    document = tables_document(folder.results, folder.written)
    print_report(Output(), folder.written)
    said = unwrapped(capsys.readouterr().out)
    assert f"marks: {legend_of(PLANTED)}" in said
    rows = document["tables"]["groups"]["rows"]
    told = of_words(*(row["labels"] for row in rows))
    for label in (*PLANTED, Label.FAILED, Label.UNSEALED, Label.NOT_AS_SEALED):
        assert label.word in page, label
        assert f"{label.mark} {label.word}: " in index, label
        assert label in told or label not in PLANTED
