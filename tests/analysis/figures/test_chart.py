"""What a chart refuses, and what it says of itself."""

from typing import Any

import pytest

from analysis.figures.chart import Chart, ChartSeries, Mark, Panel, Shade, undrawn


def bars(*labels: tuple[str, ...]) -> Chart:
    marks = tuple(Mark(x=float(at), y=1.0, labels=own) for at, own in enumerate(labels))
    panel = Panel(
        series=(ChartSeries(name="energy", kind="bar", marks=marks),), y_label="energy [J]"
    )
    return Chart(key="toy", title="A toy", panels=(panel,))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"y": float("nan")}, "`y` must be finite, but is nan instead"),
        ({"low": 1.0}, "`low` and `high` must both be numbers or both be None"),
        ({"low": 3.0, "high": 2.0}, "`low` must be at most `high`, but is 3.0 instead"),
        ({"x_high": 2.0}, "`x_low` and `x_high` must both be numbers or both be None"),
    ],
)
def test_a_mark_without_a_sound_interval_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Mark(**{"x": 0.0, "y": 2.0, **wrong})


def test_a_series_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="`kind` must be one of bar, line, points"):
        ChartSeries(name="a", kind="pie", marks=())  # type: ignore[arg-type]


def test_a_band_without_an_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="`marks` of a band must have an interval each"):
        ChartSeries(name="a", kind="band", marks=(Mark(x=0.0, y=1.0),))


def test_a_shade_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="`low` must be at most `high`"):
        Shade(low=2.0, high=1.0)


def test_a_mark_outside_the_categories_is_refused() -> None:
    series = ChartSeries(name="a", kind="bar", marks=(Mark(x=2.0, y=1.0),))
    with pytest.raises(ValueError, match="`x` must be the index of one of 2 categories"):
        Panel(series=(series,), categories=("one", "two"))


def test_a_chart_has_panels_or_a_reason() -> None:
    assert undrawn("toy", "A toy", "nothing was run").reason == "nothing was run"
    with pytest.raises(ValueError, match="either `panels` or a `reason`"):
        Chart(key="toy", title="A toy")


def test_a_key_that_is_no_file_name_is_refused() -> None:
    with pytest.raises(ValueError, match="`key` must be letters and digits joined by -"):
        undrawn("../toy", "A toy", "nothing")


def test_a_label_of_some_marks_says_of_how_many() -> None:
    assert bars(("simulated",), ("simulated", "partial")).told_labels() == (
        "simulated",
        "partial: 1 of 2 marks",
    )


def test_a_chart_is_simulated_where_one_of_its_marks_is() -> None:
    assert bars((), ("simulated",)).simulated
    assert not bars((), ("random weights",)).simulated


def test_the_words_for_who_does_not_see_it_hold_values_series_and_labels() -> None:
    assert bars(("partial",), ()).alt_text() == (
        "A toy. energy [J]: 2 values of energy; partial: 1 of 2 marks."
    )


def test_a_line_counts_once_however_many_points_it_has() -> None:
    lines = tuple(
        ChartSeries(
            name=f"run {at}",
            kind="line",
            marks=tuple(Mark(x=float(x), y=1.0, labels=("throttled",) * at) for x in range(50)),
        )
        for at in range(2)
    )
    chart = Chart(key="toy", title="A toy", panels=(Panel(series=lines),))
    assert chart.told_labels() == ("throttled: 1 of 2 lines",)
