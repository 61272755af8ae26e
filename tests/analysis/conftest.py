"""Equal charts are drawn once a worker: most of the time of a small report, and of its audit."""

from collections.abc import Iterator
from typing import Final

import pytest

from analysis.figures import rendered, static
from analysis.figures.chart import Chart

# A chart is what it is drawn from, and drawn the same each time: tests/analysis/figures.
_DRAWN: Final[dict[str, str | None]] = {}


@pytest.fixture(autouse=True, scope="module")
def drawn_once() -> Iterator[None]:
    """The first of equal charts is drawn, others are that picture."""

    def svg(chart: Chart) -> str | None:
        told = repr(chart)
        if told not in _DRAWN:
            _DRAWN[told] = static.svg(chart)
        return _DRAWN[told]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendered, "svg", svg)
        yield
