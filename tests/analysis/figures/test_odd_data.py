"""Numbers and names that nobody foresaw: each figure is drawn, or says why, and nothing warns."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from analysis.figures import draw_all
from analysis.figures.canvas import DrawnFigure
from analysis.figures.chart import Chart
from analysis.figures.static import pdf
from analysis.report import drawn_figures
from analysis.report.page import write_report
from analysis.report.paper_set import COLUMN_IN
from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.reports

NAMES: Final = (
    "<b>&amp;</b> $x_{$ \\frac{1}",
    "\u202e" + "中" * 40,
    "a" * 300,
    "two words " * 30,
    "%s {0} \\n _x",
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Tables]:
    results = tmp_path_factory.mktemp("odd")
    for more in ({}, {"batch_size": 4}, {"engine": "fast"}, {"gpus": 2, "gpus_per_node": 2}):
        build_run(results, Plan(spec=more, state=True))
    loaded = load(results)
    return loaded, build_tables(loaded)


def changed(tables: Tables, **values: Any) -> Tables:
    """The same tables with other cells in every row that has such."""
    return Tables(
        by_name={
            name: replace(
                table,
                rows=tuple(
                    {key: values.get(key, kept) for key, kept in row.items()} for row in table.rows
                ),
            )
            for name, table in tables.by_name.items()
        },
        notes=tables.notes,
        others=tables.others,
        traces=tables.traces,
    )


def drawn(loaded: Loaded, tables: Tables) -> list[DrawnFigure]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = draw_all.draw_all(loaded, tables)
    for one in figures:
        assert (one.svg is None) == (one.reason is not None), one.key
        assert "cannot be drawn" not in (one.reason or ""), one.reason
    return figures


def both(energy_j: float | None, rate: float | None) -> dict[str, Any]:
    """A point's numbers as the groups have them, and as those that compare carry them."""
    return {
        **{"energy_per_token_j_mean": energy_j, "energy_per_token_j": energy_j},
        **{"tokens_per_s_mean": rate, "tokens_per_s": rate},
        **{f"{engine}_energy_per_token_j": energy_j for engine in ("reference", "fast")},
    }


ODD: Final[dict[str, dict[str, Any]]] = {
    "all equal": both(1.0, 1.0),
    "nought": {**both(0.0, 0.0), "power_w": 0.0},
    "huge": both(1e30, 1e-30),
    "none": {**both(None, None), "energy_j": None},
    "no interval": {"energy_per_token_j_sensor": None},
    **{f"name {number}": {"model": name, "dataset": name} for number, name in enumerate(NAMES)},
}


@pytest.mark.parametrize("name", ODD)
def test_a_figure_of_odd_cells_is_drawn_or_says_why(
    sound: tuple[Loaded, Tables], name: str
) -> None:
    loaded, tables = sound
    drawn(loaded, changed(tables, **ODD[name]))


def test_a_narrow_picture_of_long_names_is_drawn_without_a_warning(
    sound: tuple[Loaded, Tables],
) -> None:
    loaded, tables = sound
    figures = drawn(loaded, changed(tables, model=NAMES[2], dataset=NAMES[3]))
    chart = next(one.chart for one in figures if one.chart is not None and one.chart.panels)
    assert chart is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = pdf(chart, COLUMN_IN)
    assert content is not None
    assert content.startswith(b"%PDF-")


def test_one_point_alone_is_drawn(tmp_path: Path) -> None:
    build_run(tmp_path)
    loaded = load(tmp_path)
    drawn(loaded, build_tables(loaded))


def test_two_hundred_points_are_drawn(sound: tuple[Loaded, Tables]) -> None:
    loaded, tables = sound
    groups = tables.by_name["groups"]
    rows = tuple({**groups.rows[0], "seed": number, "batch_size": number} for number in range(200))
    alone = {
        name: replace(tables.by_name[name], rows=()) for name in ("engines", "sharding", "formats")
    }
    many = Tables(
        by_name={**tables.by_name, **alone, "groups": replace(groups, rows=rows)},
        notes=tables.notes,
        traces=tables.traces,
    )
    drawn(loaded, many)


def energy_of_nothing(loaded: Loaded, tables: Tables) -> Chart:
    """One that raises whatever it is given."""
    del loaded, tables
    raise ZeroDivisionError("float division by zero")


def test_a_figure_that_raises_says_so_and_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draw_all, "FIGURES", (energy_of_nothing, draw_all.FIGURES[0]))
    monkeypatch.setattr(drawn_figures, "charts", lambda _tables: ())
    build_run(tmp_path)
    first, second = write_report(load(tmp_path)).figures
    assert first.key == "energy-of-nothing"
    assert first.reason == "it cannot be drawn of these runs: float division by zero"
    assert second.svg is not None
    page = (tmp_path / "report" / "index.html").read_text()
    assert "it cannot be drawn of these runs: float division by zero" in page
