"""A chart as plotly's data and layout."""

import json

from analysis.figures.chart import Chart, ChartSeries, Line, Mark, Panel, Shade
from analysis.figures.interactive import plot

MARKS = (
    Mark(
        x=0.0,
        y=2.0,
        low=1.5,
        high=2.5,
        interval="95 % over 3 repeats",
        hover="llama-7b <b>",
        text="2.00",
        axes={"model": "7b"},
        labels=("random weights",),
    ),
    Mark(x=1.0, y=4.0, low=3.9, high=4.5, axes={"model": "13b"}),
    Mark(x=2.0, y=None, axes={"model": "13b"}),
)


def data_of(kind: str, **more: object) -> list[dict[str, object]]:
    panel = Panel(
        series=(ChartSeries(name="energy", kind=kind, marks=MARKS),),  # type: ignore[arg-type]
        x_label="batch",
        y_label="energy [J]",
        **more,  # type: ignore[arg-type]
    )
    made = plot(Chart(key="toy", title="A toy", panels=(panel,)))
    assert made is not None
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    data: list[dict[str, object]] = made["data"]
    return data


def test_a_mark_says_its_name_value_interval_and_labels() -> None:
    (trace,) = data_of("line")
    assert trace["hovertext"][0].split("<br>") == [  # type: ignore[index]
        "llama-7b &lt;b&gt;",
        "energy",
        "energy: 2 ± 0.5 J (95 % over 3 repeats)",
        "batch: 0",
        "Labels: random weights",
    ]
    assert "energy: 4, from 3.9 to 4.5 J" in trace["hovertext"][1]  # type: ignore[index]


def test_every_interval_is_an_error_bar() -> None:
    for kind in ("bar", "line", "points", "step"):
        (trace,) = data_of(kind)
        error = trace["error_y"]
        assert error["array"] == [0.5, 0.5, 0], kind  # type: ignore[index]
        assert error["arrayminus"] == [0.5, 0.1, 0], kind  # type: ignore[index]


def test_an_interval_of_a_panel_that_lies_lies_too() -> None:
    (trace,) = data_of("bar", sideways=True)
    assert trace["orientation"] == "h"
    assert trace["x"] == [2, 4, None]
    assert "error_x" in trace
    assert "error_y" not in trace


def test_a_mark_has_what_the_page_filters_by() -> None:
    (trace,) = data_of("points")
    assert [one["model"] for one in trace["meta"]["axes"]] == ["7b", "13b", "13b"]  # type: ignore[index]


def test_a_value_that_is_missing_is_null_and_never_nought() -> None:
    (trace,) = data_of("line")
    assert trace["y"] == [2, 4, None]


def test_bars_of_one_argument_stand_side_by_side_and_in_a_stack_one_on_the_other() -> None:
    two = tuple(
        ChartSeries(name=name, kind="bar", marks=(Mark(x=0.0, y=3.0),))
        for name in ("prefill", "decode")
    )
    beside = plot(Chart(key="a", title="A", panels=(Panel(series=two, categories=("run",)),)))
    stack = Panel(series=two, categories=("run",), stacked=True)
    stacked = plot(Chart(key="a", title="A", panels=(stack,)))
    assert beside is not None
    assert stacked is not None
    left, right = (trace["x"][0] for trace in beside["data"])
    assert left < 0 < right
    assert "base" not in stacked["data"][0]
    assert stacked["data"][1]["base"] == [3]
    assert [trace["x"] for trace in stacked["data"]] == [[0], [0]]


def test_shades_of_one_name_are_one_shape_and_colours_are_the_pages() -> None:
    shades = tuple(Shade(low=at, high=at + 0.5, name="decode", colour=4) for at in (0.0, 1.0, 2.0))
    series = ChartSeries(name="energy", kind="line", marks=MARKS)
    panel = Panel(series=(series,), shades=shades, lines=(Line(at=3.0, name="cap"),))
    made = plot(Chart(key="toy", title="A toy", panels=(panel,)))
    assert made is not None
    cap, decode = made["layout"]["shapes"]
    assert decode["path"].count("M") == 3
    assert decode["fillcolor"].startswith("@plot-4")
    assert (cap["name"], cap["y0"]) == ("cap", 3)


def test_a_long_line_says_its_numbers_by_a_template() -> None:
    marks = tuple(Mark(x=at / 10, y=float(at), labels=("simulated",)) for at in range(500))
    panel = Panel(
        series=(ChartSeries(name="rank 0", kind="line", marks=marks),), y_label="power [W]"
    )
    made = plot(Chart(key="toy", title="A toy", panels=(panel,)))
    assert made is not None
    (trace,) = made["data"]
    assert "hovertext" not in trace
    assert "simulated" in trace["hovertemplate"]
    assert len(json.dumps(trace)) < 10_000


def test_a_chart_without_panels_has_no_plot() -> None:
    assert plot(Chart(key="toy", title="A toy", reason="nothing was run")) is None


def test_letters_that_are_not_seen_as_they_are_never_reach_the_page() -> None:
    hidden = "7b\u202egnidoc"
    mark = Mark(x=0.0, y=1.0, hover=hidden, text="2\u202f287", axes={"model": hidden})
    series = ChartSeries(name=hidden, kind="bar", marks=(mark,))
    made = plot(Chart(key="toy", title="A toy", panels=(Panel(series=(series,)),)))
    assert "\u202e" not in json.dumps(made, ensure_ascii=False)
    assert "2\u202f287" in json.dumps(made, ensure_ascii=False)
