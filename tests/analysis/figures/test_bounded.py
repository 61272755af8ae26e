"""A chart of too many marks draws some of each series, and says of how many."""

from analysis.figures.bounded import MOST_POINTS, bounded
from analysis.figures.chart import Chart, ChartSeries, Mark, Panel


def _points(count: int, *, name: str = "fast", labels: tuple[str, ...] = ()) -> ChartSeries:
    marks = tuple(Mark(x=float(at), y=1.0, labels=labels) for at in range(count))
    return ChartSeries(name=name, kind="points", marks=marks)


def _chart(*series: ChartSeries) -> Chart:
    return Chart(key="many", title="Many", caption="What is seen.", panels=(Panel(series=series),))


def test_a_chart_with_room_for_all_marks_is_left_as_it_is() -> None:
    chart = _chart(_points(MOST_POINTS))
    assert bounded(chart) is chart


def test_more_marks_than_a_figure_has_room_for_are_chosen_evenly_and_told() -> None:
    made = bounded(_chart(_points(100_000)))
    drawn = [mark.x for mark in made.marks()]
    assert len(drawn) == MOST_POINTS
    assert (drawn[0], drawn[-1]) == (0.0, 99_999.0)
    assert f"{MOST_POINTS} of 100000 marks are drawn" in made.caption
    assert "tables/ have all" in made.caption


def test_every_series_keeps_its_share() -> None:
    made = bounded(_chart(_points(3_000), _points(1_000, name="reference")))
    counts = [len(series.marks) for series in made.panels[0].series]
    assert counts == [MOST_POINTS * 3 // 4, MOST_POINTS // 4]


def test_a_label_does_not_vanish_with_the_marks_that_are_left_out() -> None:
    one = Mark(x=7.0, y=1.0, labels=("throttled",))
    series = ChartSeries(name="fast", kind="points", marks=(*_points(50_000).marks, one))
    assert "throttled" in " ".join(bounded(_chart(series)).told_labels())


def test_the_points_of_a_line_stay_whole() -> None:
    line = ChartSeries(name="", kind="line", marks=_points(5_000).marks)
    made = bounded(_chart(_points(5_000), line))
    assert len(made.panels[0].series[1].marks) == 5_000
