"""Verdicts: what is tested by, how gain is taken, and what one missing number does."""

from pathlib import Path

import pytest

from analysis.compare.verdict import Judgement, Word
from telemetry.record.files import write_json
from tests.analysis.compare.conftest import fill
from tests.analysis.compare.test_cells import REAL, compared
from tests.support.records import Plan, build_run, reseal


def headline(*folders: Path, by: str | None = None) -> Judgement:
    return compared(*folders, by=by).headline[0]


def in_campaign(results: Path, plan: Plan, campaign: str) -> None:
    run = build_run(results, plan)
    write_json(run.attempt(1).submitted, {"t_us": 1, "campaign": campaign})
    reseal(run)


def test_runs_that_have_their_twins_are_tested_as_pairs(tmp_path: Path) -> None:
    for repeat, drift_s in enumerate((0.0, 1.0, 2.0)):
        for engine, more_s in (("reference", 1.0 + repeat / 10), ("fast", 0.0)):
            spec = {"repeat": repeat, "engine": engine}
            plan = Plan(spec=spec, decode_s=10.0 + drift_s + more_s)
            in_campaign(tmp_path / "r", plan, "20260101T000000Z-n-1")
    found = headline(tmp_path / "r", by="engine")
    assert found.ratio is not None
    assert found.ratio.test == "paired t of logarithms"
    # What drifts from one repeat to the next is in both: it would hide the difference.
    assert found.word is Word.LESS


def test_runs_of_two_campaigns_have_no_twins(tmp_path: Path) -> None:
    for engine in ("reference", "fast"):
        for repeat in range(3):
            spec = {"repeat": repeat, "engine": engine}
            in_campaign(tmp_path / "r", Plan(spec=spec, decode_s=10.0 + repeat), engine)
    found = headline(tmp_path / "r", by="engine")
    assert found.ratio is not None
    assert found.ratio.test == "Welch's t of logarithms"


def test_other_gpus_have_their_gain_in_the_interval_and_the_same_have_not(tmp_path: Path) -> None:
    spec = {"gpu": "a100"}
    a = fill(tmp_path / "a", (10.0, 10.1), spec=spec, **REAL)
    same = fill(tmp_path / "same", (10.0, 10.1), spec=spec, **REAL)
    found = headline(a, same)
    assert found.gain == "the same GPUs on both sides: their gain cancels"
    fill(tmp_path / "a", (10.0, 10.1), spec={**spec, "gpus": 2, "gpus_per_node": 2}, **REAL)
    wide = headline(tmp_path / "a", by="gpus")
    # Two boards of 200 and 300 W: the root of their squares over the sum.
    assert wide.gain == "other GPUs: their gain, up to 5.0 % and 3.6 %, is in the interval"
    assert relative_width(wide) > relative_width(found) + 0.05


def relative_width(one: Judgement) -> float:
    """The interval's width over the ratio."""
    assert one.ratio is not None
    assert one.ratio.low is not None
    assert one.ratio.high is not None
    return (one.ratio.high - one.ratio.low) / one.ratio.ratio


def test_a_cell_without_an_energy_says_why_and_gives_no_verdict(tmp_path: Path) -> None:
    a = fill(tmp_path / "a", (10.0, 10.1))
    b = fill(
        tmp_path / "b",
        (10.1, 10.0),
        counter=False,
        sample=lambda row: None if str(row["field"]).startswith("power") else row,
    )
    found = compared(a, b)
    energy, _, speed = (each[0] for each in found.verdicts)
    assert energy.word is Word.CANNOT_TELL
    assert str(energy.reason).startswith("2 of 2 runs lack J / token (generated): ")
    # What needs no energy is told all the same.
    assert speed.word is not Word.CANNOT_TELL


@pytest.mark.parametrize(
    ("seconds", "word"),
    [((11.0, 11.05), Word.MORE), ((9.0, 9.05), Word.LESS), ((10.05, 10.0), Word.SAME)],
)
def test_each_word_has_its_case(tmp_path: Path, seconds: tuple[float, ...], word: Word) -> None:
    a = fill(tmp_path / "a", (10.0, 10.05, 10.0, 10.05))
    b = fill(tmp_path / "b", seconds * 2)
    assert headline(a, b).word is word
