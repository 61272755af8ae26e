"""A chart on paper: whole, with its intervals, and the same every time."""

import re
from collections.abc import Iterator

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.figures.canvas import standalone, style
from analysis.figures.chart import KINDS, Chart, ChartSeries, Line, Mark, Panel, Shade
from analysis.figures.palette import DARK, LIGHT, variables
from analysis.figures.static import drawn, pdf, svg

NAMES = tuple(
    f"llama-{size}b, {gpus} x a-board-with-a-long-name, engine fast, batch 64, temperature 0.8"
    for size in (7, 13, 65)
    for gpus in (1, 2, 4, 8)
)


def small() -> Chart:
    """One series with an interval and a label."""
    marks = tuple(
        Mark(x=float(at), y=2.0, low=1.0, high=3.0, labels=("simulated", "random weights"))
        for at in range(2)
    )
    series = ChartSeries(name="energy", kind="bar", marks=marks)
    return Chart(key="toy", title="A toy", panels=(Panel(series=(series,), y_label="energy [J]"),))


def chart(*, labels: tuple[str, ...] = (), panels: int = 1, sideways: bool = False) -> Chart:
    """Twelve series with long names and intervals."""
    series = tuple(
        ChartSeries(
            name=name,
            kind="bar" if sideways else "line",
            marks=tuple(
                Mark(
                    x=float(at),
                    y=10.0 + index,
                    low=8.0 + index,
                    high=13.0 + index,
                    text=f"{10 + index}.0 J",
                    labels=labels,
                )
                for at in range(2)
            ),
            colour=index,
        )
        for index, name in enumerate(NAMES)
    )
    panel = Panel(
        series=series,
        y_label="energy per token [J]",
        categories=("a point of a rather long name,\nin two lines", "another"),
        sideways=sideways,
        shades=(Shade(low=-0.2, high=0.2, name="prefill", colour=4),),
        lines=(Line(at=9.0, name="the cap", dash="dash"),),
    )
    return Chart(
        key="toy",
        title="A figure with a title that is much longer than a picture is wide, as some are, alas",
        panels=(panel,) * panels,
    )


def picture_texts(figure: Figure) -> Iterator[Text]:
    """Every text that is seen somewhere."""
    yield from figure.texts
    for legend in figure.legends:
        yield from legend.get_texts()
    for axes in figure.axes:
        yield from axes.texts
        for axis in (axes.xaxis, axes.yaxis):
            yield axis.label
            low, high = sorted(axis.get_view_interval())
            yield from (
                tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high
            )


def outside(figure: Figure) -> list[str]:
    """Texts that stand out of the picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    frame = figure.bbox.padded(1.0)
    found = []
    for text in picture_texts(figure):
        box = text.get_window_extent()
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0
        if text.get_text().strip() and not (inside and box.y1 <= frame.y1):
            found.append(text.get_text())
    return found


@pytest.mark.parametrize(("panels", "sideways"), [(1, False), (2, True), (3, False)])
def test_every_text_and_the_whole_legend_stand_inside_the_picture(
    panels: int, sideways: bool
) -> None:
    labels = ("simulated", "random weights", "another board than the paper's", "dirty tree")
    with style():
        figure = drawn(chart(labels=labels * 4, panels=panels, sideways=sideways))
        assert outside(figure) == []
    (legend,) = figure.legends
    assert [text.get_text().replace("\n", " ") for text in legend.get_texts()] == [
        *NAMES,
        "prefill",
        "the cap",
    ]


def test_a_legend_hides_no_axes() -> None:
    with style():
        figure = drawn(chart(panels=3))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        (legend,) = figure.legends
        top = legend.get_window_extent().y1
        assert all(axes.get_window_extent().y0 > top for axes in figure.axes)


def test_an_interval_is_drawn_from_end_to_end() -> None:
    with style():
        (axes,) = drawn(chart(sideways=True)).axes
    whiskers = [one for one in axes.collections if isinstance(one, LineCollection)]
    ends = {(low, high) for one in whiskers for (low, _), (high, _) in one.get_segments()}
    assert (8.0, 13.0) in ends
    assert (19.0, 24.0) in ends
    assert len([one for one in axes.containers if isinstance(one, BarContainer)]) == 12


def test_labels_stand_in_the_picture_itself() -> None:
    drawing = svg(small()) or ""
    assert "Simulated; random weights" in drawing
    assert "SIMULATED" in drawing


def test_a_mark_with_a_label_is_told_from_one_without() -> None:
    marks = (Mark(x=0.0, y=1.0), Mark(x=1.0, y=2.0, labels=("partial",)))
    series = ChartSeries(name="a", kind="points", marks=marks)
    with style():
        (axes,) = drawn(Chart(key="toy", title="A", panels=(Panel(series=(series,)),))).axes
    faces = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() == "o"]
    assert faces == [LIGHT[0], "none"]


def test_a_picture_and_a_pdf_are_the_same_bytes_twice() -> None:
    assert svg(small()) == svg(small())
    paper = pdf(small()) or b""
    assert paper.startswith(b"%PDF-")
    assert paper == pdf(small())
    assert b"CreationDate" not in paper


def test_colours_follow_the_page_and_stand_alone_in_a_file() -> None:
    drawing = svg(small()) or ""
    assert f"var(--plot-0, {LIGHT[0]})" in drawing
    assert "currentColor" in drawing
    alone = standalone(drawing)
    assert "var(" not in alone
    assert "currentColor" not in alone
    assert LIGHT[0] in alone


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_every_colour_stands_out_from_the_pages_paper_in_its_scheme() -> None:
    from analysis.report.assembled import package_text  # noqa: PLC0415

    light, dark = re.findall(
        r":root \{[^}]*--paper: (#\w{6}); --card: (#\w{6})", package_text("report.css")
    )[:2]
    for colours, papers in ((LIGHT, light), (DARK, dark)):
        for colour in colours:
            assert colour in variables()
            for paper in papers:
                assert contrast(colour, paper) >= 3.0, (colour, paper)


def test_every_kind_of_series_is_drawn() -> None:
    for kind in KINDS:
        marks = tuple(Mark(x=float(at), y=1.0 + at, low=0.5, high=3.0) for at in range(3))
        series = ChartSeries(name="a", kind=kind, marks=marks, colour=None)
        one = Chart(key="toy", title="A", panels=(Panel(series=(series,)),))
        assert "<path" in (svg(one) or ""), kind
