"""The paper's claims, drawn from their table's rows: number, verdict, estimate, reason."""

from typing import Any

import pytest

from analysis.claims.answers import Scope
from analysis.claims.decide import ClaimVerdict
from analysis.claims.table import CLAIMS
from analysis.figures.chart import Chart
from analysis.figures.claims import COLOUR_OF, OWN, PAPER, claimed, claims
from analysis.figures.interactive import plot
from analysis.figures.static import svg
from tests.analysis.figures.test_effects import NOTHING, tables


def row(**changes: Any) -> dict[str, Any]:
    return {
        **{"claim": "a100-faster", "where": "figure 2", "by_what": PAPER, "verdict": "reproduced"},
        **{"gpu": "v100, a100", "engine": "reference", "evidence": "2.1 lies in it", "n": 4},
        **{"deciding_value": 2.1, "deciding_low": 1.9, "deciding_high": 2.3, "p": 0.01},
        **{"claimed_low": 1.6, "claimed_high": 2.5, **changes},
    }


def open_row(**changes: Any) -> dict[str, Any]:
    empty = dict.fromkeys(name for name in row() if name.startswith(("deciding", "claimed", "p")))
    return row(**empty, verdict="cannot tell", evidence="no sealed run on v100", n=0, **changes)


def drawn(*rows: dict[str, Any]) -> Chart:
    return claims(NOTHING, tables(CLAIMS, *rows))


def test_the_words_that_it_is_drawn_by_are_those_of_the_table() -> None:
    assert set(COLOUR_OF) == set(ClaimVerdict)
    assert (PAPER, OWN) == (Scope.PAPER, Scope.OWN)


def test_an_estimate_and_its_interval_stand_over_what_the_paper_claims() -> None:
    (mark,) = drawn(row()).panels[0].series[0].marks
    assert (mark.y, mark.low, mark.high) == pytest.approx((1.05, 0.95, 1.15))


def test_a_claim_of_one_bound_is_held_against_that_bound() -> None:
    assert claimed(row(claimed_high=None)) == pytest.approx(1.6)


def test_a_claim_of_nothing_or_of_zero_has_no_place_on_the_axis() -> None:
    assert claimed(row(claimed_low=None, claimed_high=None)) is None
    assert claimed(row(claimed_low=None, claimed_high=0.0)) is None


def test_each_claim_is_named_by_number_and_verdict() -> None:
    chart = drawn(row(), row(claim="gsm8k-slower", verdict="not reproduced"))
    assert chart.panels[0].categories == (
        "1 a100-faster: reproduced",
        "2 gsm8k-slower: not reproduced",
    )


def test_a_claim_that_cannot_be_told_names_its_reason() -> None:
    chart = drawn(row(), open_row(claim="power-grows"))
    assert chart.panels[0].categories is not None
    assert chart.panels[0].categories[1] == "2 power-grows: cannot tell (a)"
    assert "(a) no sealed run on v100" in chart.caption


def test_numbers_of_other_boards_are_series_of_their_own() -> None:
    chart = drawn(open_row(), row(by_what="in general", gpu="h200", engine="fast"))
    assert [one.name for one in chart.panels[0].series] == ["h200, fast: reproduced"]


def test_without_any_number_the_figure_says_so() -> None:
    assert drawn(open_row()).reason == "no run has a number that a claim can be held against"


def test_it_is_drawn_on_paper_and_on_the_page() -> None:
    chart = drawn(row(), open_row(claim="power-grows"))
    assert "1 a100-faster: reproduced" in str(svg(chart))
    assert plot(chart) is not None
