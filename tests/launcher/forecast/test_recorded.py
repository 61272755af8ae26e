"""The recorded runs, each left out in turn: what a plan would have said of it, and how far off."""

import statistics
from pathlib import Path

import pytest

from tests.benchmarks.forecast import AMOUNTS, KEEPS, Error, Taught, errors, taught
from tests.support.recordings import recorded, unpack

# The goals are 10 and 30 %; these leave room for constants that are learned better elsewhere. From
# the datasheet these two hosts are strangers: processors faster than most, and kernels kept.
MOST_MEDIAN = {"same model": 0.08, "other models": 0.1, "other engines": 0.2, "datasheet": 0.3}
# One of the two hosts ran 7B alone: without its model it is a stranger too.
MOST_WORST = {"same model": 0.25, "other models": 0.6, "other engines": 0.45, "datasheet": 0.6}
# Of a 90 % interval over 84 amounts that hang together by fours.
LEAST_INSIDE = 0.8


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Taught]:
    results = Path(tmp_path_factory.mktemp("recorded"))
    for archive in recorded():
        unpack(archive, results)
    return taught(results)


def _all(runs: list[Taught], basis: str) -> list[Error]:
    return list(errors(runs, KEEPS[basis], runs))


@pytest.mark.parametrize("basis", KEEPS)
def test_a_run_that_is_left_out_is_foreseen(runs: list[Taught], basis: str) -> None:
    found = _all(runs, basis)
    for amount in AMOUNTS:
        shares = [one.share for one in found if one.amount == amount]
        assert len(shares) == len(runs)
        assert statistics.median(shares) <= MOST_MEDIAN[basis], amount
        assert max(shares) <= MOST_WORST[basis], amount


@pytest.mark.parametrize("basis", KEEPS)
def test_the_intervals_hold_what_was_measured_as_often_as_they_say(
    runs: list[Taught], basis: str
) -> None:
    found = _all(runs, basis)
    inside = [one.foreseen.holds(one.measured) for one in found]
    assert sum(inside) / len(inside) >= LEAST_INSIDE


def test_the_less_is_known_the_wider_the_interval(runs: list[Taught]) -> None:
    wide = [
        statistics.median(one.foreseen.high / one.foreseen.low for one in _all(runs, basis))
        for basis in ("same model", "other models", "datasheet")
    ]
    assert wide == sorted(wide)
