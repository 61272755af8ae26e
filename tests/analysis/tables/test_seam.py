"""A new table, a new figure and a third engine are each one thing, and turn up everywhere."""

import csv
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from analysis.figures import draw_all
from analysis.figures.chart import Chart, ChartSeries, Mark, Panel
from analysis.report.page import Written, write_report
from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.column import ColumnsOf
from analysis.tables.measured import Measured
from analysis.tables.table import Results, Table, TableKind, Tables
from analysis.workbook import build
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.reports

_RUN: Final = ColumnsOf[Measured]()
TOY: Final = TableKind(
    name="toy",
    title="Joules a word",
    columns=(
        _RUN.run_id(lambda one: one.run_id),
        _RUN.number(
            "energy_per_word_j",
            "J / word",
            "J",
            "energy_j / words.",
            lambda one: one.energy.over(one.words).value,
        ),
    ),
    of_run=lambda one: [one],
    text="A toy.",
)
_COUNT: Final = ColumnsOf[int]()
TOTAL: Final = TableKind(
    name="total",
    title="How many",
    columns=(_COUNT.count("runs", "runs", "Runs that count.", lambda count: count),),
    of_results=lambda results: [len(results.rows(TOY))],
    section="runs",
)
ENGINES: Final = ("eager", "fast", "reference")


def toy_figure(_loaded: Loaded, tables: Tables) -> Chart:
    marks = tuple(Mark(x=float(place), y=1.0) for place, _ in enumerate(tables.toy.rows))
    bars = ChartSeries(name="toy bars", kind="bar", marks=marks)
    return Chart(key="toy", title="A toy figure", caption="Bars.", panels=(Panel(series=(bars,)),))


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "TABLES", (*build.TABLES, TOY, TOTAL))
    monkeypatch.setattr(draw_all, "FIGURES", (*draw_all.FIGURES, toy_figure))


def three_engines(results: Path) -> Written:
    real: Mapping[str, Any] = {"gpu": "h200", "dtype": "fp16"}
    board = {"name": "NVIDIA H200", "kind": "h200"}
    for number, engine in enumerate(ENGINES):
        for gpus in (1, 2):
            spec = {**real, "engine": engine, "gpus": gpus}
            build_run(results, Plan(spec=spec, gpu=board, decode_s=0.5 + 0.5 * number))
    return write_report(load(results))


def test_a_registered_table_is_written_as_csv_and_parquet(tmp_path: Path, registered: None) -> None:
    run = build_run(tmp_path)
    written = write_report(load(tmp_path))
    folder = tmp_path / "report" / "tables"
    with (folder / "toy.csv").open(newline="") as source:
        (row,) = csv.DictReader(source)
    assert row["run_id"] == run.run_id
    (run_row,) = written.tables.runs.rows
    energy_j, words = float(str(run_row["energy_j"])), int(str(run_row["words"]))
    assert float(row["energy_per_word_j"]) == pytest.approx(energy_j / words)
    stored = pq.read_table(folder / "toy.parquet")
    assert stored.schema.field("energy_per_word_j").metadata[b"unit"] == b"J"
    assert pq.read_table(folder / "total.parquet")["runs"].to_pylist() == [1]


def test_a_registered_table_stands_on_the_page_in_its_section_or_one_of_its_own(
    tmp_path: Path, registered: None
) -> None:
    build_run(tmp_path)
    page = write_report(load(tmp_path)).page.read_text()
    (own,) = re.findall(r'<section id="toy">.*?</section>', page, re.DOTALL)
    assert "<h2>Joules a word</h2>" in own
    assert "<dt><code>energy_per_word_j</code>" in own
    assert '<a href="#toy">' in page
    (runs,) = re.findall(r'<section id="runs">.*?</section>', page, re.DOTALL)
    assert "Runs that count." in runs


def test_the_audit_makes_a_registered_table_again(tmp_path: Path, registered: None) -> None:
    build_run(tmp_path)
    write_report(load(tmp_path))

    def outcome() -> Outcome:
        (line,) = [line for line in audit_results(tmp_path) if line.name == "report-tables"]
        return line.outcome

    assert outcome() is Outcome.PASSED
    path = tmp_path / "report" / "tables" / "toy.csv"
    path.write_text(path.read_text().replace("\n", "1\n"))
    assert outcome() is Outcome.FAILED


def test_a_registered_figure_is_written_and_shown(tmp_path: Path, registered: None) -> None:
    build_run(tmp_path)
    page = write_report(load(tmp_path)).page.read_text()
    assert (tmp_path / "report" / "figures" / "toy.svg").is_file()
    assert 'id="figure-toy"' in page


def test_a_third_engine_is_in_every_table_with_the_papers_first(tmp_path: Path) -> None:
    tables = three_engines(tmp_path).tables
    order = ["reference", "eager", "fast"]
    for table in (tables.groups, tables.runs):
        assert [row["engine"] for row in table.rows] == [*order, *order], table.name
    assert [row["engine"] for row in tables.sharding.rows] == [
        engine for engine in order for _ in (1, 2)
    ]


def test_each_two_of_three_engines_stand_against_each_other(tmp_path: Path) -> None:
    first, _ = three_engines(tmp_path).tables.engines.rows
    energies = {
        engine: float(str(first[f"{engine}_energy_per_token_j"]))
        for engine in ("reference", "eager", "fast")
    }
    for base, engine in (*pairwise(energies), ("reference", "fast")):
        ratio = first[f"energy_{engine}_over_{base}"]
        assert ratio == pytest.approx(energies[engine] / energies[base])


def test_a_point_that_two_of_three_engines_ran_has_no_number_of_the_third(tmp_path: Path) -> None:
    three_engines(tmp_path)
    for engine in ("eager", "fast"):
        spec = {"gpu": "h200", "dtype": "fp16", "engine": engine, "batch_size": 1}
        build_run(tmp_path, Plan(spec=spec, gpu={"name": "NVIDIA H200", "kind": "h200"}))
    written = write_report(load(tmp_path))
    (row,) = [row for row in written.tables.engines.rows if row["batch_size"] == 1]
    assert row["reference_energy_per_token_j"] is None
    assert row["energy_fast_over_reference"] is None
    assert row["energy_fast_over_eager"] is not None
    assert next(one for one in written.figures if one.key == "engines").svg is not None


def test_a_third_engine_has_its_own_bars_lines_and_columns_of_the_page(tmp_path: Path) -> None:
    written = three_engines(tmp_path)
    drawn = {figure.key: figure for figure in written.figures}
    for key in ("engines", "sharding"):
        assert "eager" in str(drawn[key].svg), key
    assert "full lines for engine eager" in drawn["sharding"].caption
    assert "eager_energy_per_token_j" in written.page.read_text()


def test_the_table_of_engines_without_a_row_has_the_header_of_the_commonest_pair(
    tmp_path: Path,
) -> None:
    build_run(tmp_path)
    names = [column.name for column in write_report(load(tmp_path)).tables.engines.columns]
    assert names[-1] == "rate_fast_over_reference"


@pytest.mark.parametrize("which", ["shown_with", "plus_minus", "reason"])
def test_a_column_that_names_one_which_is_not_there_is_refused(which: str) -> None:
    column = _COUNT.count("runs", "runs", "Runs.", lambda count: count, **{which: "nowhere"})
    kind = TableKind(name="broken", title="", columns=(column,), of_results=lambda _: [1])
    with pytest.raises(ValueError, match="nowhere"):
        Table(kind=kind, columns=kind.columns, rows=())


def test_a_table_of_neither_runs_nor_results_is_refused() -> None:
    def of_results(_results: Results) -> list[int]:
        return [1]

    with pytest.raises(ValueError, match="and not both"):
        TableKind[int](name="broken", title="", columns=())
    with pytest.raises(ValueError, match="and not both"):
        TableKind[int](
            name="broken", title="", columns=(), of_run=lambda _: [1], of_results=of_results
        )


def test_a_table_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    build_run(tmp_path)
    tables = build.build_tables(load(tmp_path))
    with pytest.raises(AttributeError, match="'nowhere'"):
        _ = tables.nowhere
