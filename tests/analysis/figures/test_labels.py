"""What figures call their points, and which they join."""

import re
from pathlib import Path
from typing import Any

import pytest

from analysis.figures.canvas import DrawnFigure
from analysis.figures.draw_all import draw_all
from analysis.runs.sealed_runs import load
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.reports


def drawn(results: Path, *plans: Plan) -> dict[str, DrawnFigure]:
    for plan in plans:
        build_run(results, plan)
    loaded = load(results)
    return {figure.key: figure for figure in draw_all(loaded, build_tables(loaded))}


def words(figure: DrawnFigure) -> list[str]:
    """The figure's texts, in its order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", figure.svg or "")


def test_a_line_of_batch_sizes_joins_only_what_is_the_same_but_for_the_batch(
    tmp_path: Path,
) -> None:
    key = "energy-against-batch"
    apart: list[dict[str, Any]] = [{"batch_size": 2}, {"batch_size": 4, "temperature": 0.0}]
    figure = drawn(tmp_path / "apart", *(Plan(spec=spec) for spec in apart))[key]
    assert figure.svg is None
    assert "all else the same" in str(figure.reason)
    same: list[dict[str, Any]] = [
        {"batch_size": size, "temperature": temperature}
        for size in (2, 4)
        for temperature in (0.0, 0.8)
    ]
    figure = drawn(tmp_path / "same", *(Plan(spec=spec) for spec in same))[key]
    legend = [text for text in words(figure) if "temperature" in text]
    assert sorted(legend) == [
        "nano, 1 x simulated-a100, temperature 0",
        "nano, 1 x simulated-a100, temperature 0.8",
    ]


def test_no_two_bars_have_one_label(tmp_path: Path) -> None:
    specs: list[dict[str, Any]] = [
        {"temperature": temperature, "ignore_eos": ignore, "max_prompt_len": length}
        for temperature in (0.0, 0.8)
        for ignore in (True, False)
        for length in (32, 64)
    ]
    svg = drawn(tmp_path, *(Plan(spec=spec) for spec in specs))["energy-per-token"].svg or ""
    ticks = svg.partition('id="energy-per-token-patch_3"')[0].split("-ytick_")[1:]
    labels = ["".join(re.findall(r"<t(?:ext|span)[^>]*>([^<]*)", tick)).strip() for tick in ticks]
    assert len(labels) == 8
    assert len(set(labels)) == 8


def labels(figure: DrawnFigure) -> str:
    """What stands above a figure of what its marks are not."""
    assert figure.chart is not None
    return "; ".join(figure.chart.told_labels())


@pytest.mark.parametrize(
    ("weights", "said"),
    [(("random",), "Random weights."), (("random", "0123abcd"), "Random weights in 1 of 2.")],
)
def test_random_weights_stand_in_every_caption(
    tmp_path: Path, weights: tuple[str, ...], said: str
) -> None:
    plans = [
        Plan(spec={"weights": one, "batch_size": size, "gpus": gpus})
        for one in weights
        for size in (2, 4)
        for gpus in (1, 2)
    ]
    figures = [figure for figure in drawn(tmp_path, *plans).values() if figure.svg]
    assert {figure.key for figure in figures} >= {
        *("energy-per-token", "throughput", "power-over-time", "energy-by-phase"),
        *("energy-against-batch", "sharding"),
    }
    for figure in figures:
        if len(weights) == 1:
            assert said in figure.caption or "random weights" in labels(figure), figure.key
        elif figure.key != "power-over-time":
            counted = re.search(r"Random weights in \d+ of \d+\.", figure.caption)
            assert counted or "random weights" in labels(figure), figure.key
