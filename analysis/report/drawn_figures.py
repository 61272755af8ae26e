"""Drawn figures: every figure of a report, the paper's own last and by their numbers."""

from analysis.figures.canvas import DrawnFigure
from analysis.figures.draw_all import draw_all
from analysis.figures.rendered import figure_of
from analysis.paper.charts import charts
from analysis.runs.sealed_runs import Loaded
from analysis.tables.table import Tables


def drawn_figures(loaded: Loaded, tables: Tables) -> tuple[DrawnFigure, ...]:
    """What the tables say, drawn, and then the pictures of the paper's exhibits."""
    return (*draw_all(loaded, tables), *(figure_of(chart) for chart in charts(tables)))
