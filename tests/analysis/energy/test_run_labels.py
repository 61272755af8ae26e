"""Every honest label is decided by the record, and by something in it that can say otherwise."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.energy.held import cap_bound_share
from analysis.energy.run_energy import RunEnergy
from analysis.energy.run_labels import labels_of
from analysis.paper.published import published
from analysis.runs.labels import (
    PAPER_BOARDS,
    Label,
    labels_of_other,
    labels_of_state,
    of_words,
    words_of,
)
from analysis.runs.sealed_runs import NOT_AS_SEALED, UNREADABLE_STATE, NotCounted, load, open_run
from tests.conftest import REPOSITORY
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run

# A measured A100 of 80 GB with trained weights, whose clocks nothing holds down.
HONEST: Mapping[str, Any] = {"gpu": "a100", "weights": "trained", "power_cap_w": None}
Rows = Callable[[dict[str, Any]], dict[str, Any] | None]


def _free(row: dict[str, Any]) -> dict[str, Any]:
    """Nothing held the clock down."""
    return {**row, "value": 0.0} if row["field"] == "throttle_reasons" else row


def _held(bits: float, share: float = 1.0) -> Rows:
    """Something did, in that share of the readings."""

    def sample(row: dict[str, Any]) -> dict[str, Any]:
        if row["field"] != "throttle_reasons":
            return row
        tick = (row["t_us"] - T0_US) // 100_000
        return {**row, "value": bits if tick % 1000 < share * 1000 else 0.0}

    return sample


def _plan(sample: Rows = _free, **more: Any) -> Plan:
    return Plan(**{"spec": HONEST, "state": True, "sample": sample, **more})


def _labels(results: Path, plan: Plan) -> set[Label]:
    build_run(results, plan)
    (run,) = load(results).runs
    return set(labels_of(RunEnergy(run)))


def test_a_whole_measured_run_has_none(tmp_path: Path) -> None:
    assert _labels(tmp_path, _plan()) == set()


@pytest.mark.parametrize(
    ("spec", "label"),
    [
        ({"weights": "random"}, Label.RANDOM_WEIGHTS),
        ({"gpu": "simulated-a100"}, Label.SIMULATED),
        ({"gpu": "h100"}, Label.OTHER_BOARD),
    ],
)
def test_what_a_spec_says_is_a_label(tmp_path: Path, spec: dict[str, Any], label: Label) -> None:
    assert _labels(tmp_path, _plan(spec={**HONEST, **spec})) == {label}


def test_a_board_is_told_by_its_driver_s_name_whatever_the_spec_says(tmp_path: Path) -> None:
    plan = _plan(gpu={"name": "NVIDIA A100-PCIE-40GB"})
    assert _labels(tmp_path, plan) == {Label.OTHER_BOARD}


def test_the_paper_s_boards_are_those_of_its_numbers() -> None:
    assert {number.gpu for number in published()} == set(PAPER_BOARDS)


@pytest.mark.parametrize(
    ("git", "label"),
    [
        ({"commit": "01" * 20, "dirty": True}, Label.DIRTY_TREE),
        ({"commit": "01" * 20, "dirty": False, "changes": ["a.py"]}, Label.DIRTY_TREE),
        ({"commit": None, "reason": "no git"}, Label.COMMIT_UNKNOWN),
    ],
)
def test_changed_code_and_unknown_code_are_labels(
    tmp_path: Path, git: dict[str, Any], label: Label
) -> None:
    assert _labels(tmp_path, _plan(provenance={"git": git})) == {label}


@pytest.mark.parametrize("bits", [0x8, 0x20, 0x40, 0x80, 0x10, 0x4])
def test_a_clock_that_was_held_down_is_throttled(tmp_path: Path, bits: int) -> None:
    assert _labels(tmp_path, _plan(_held(bits))) == {Label.THROTTLED}


@pytest.mark.parametrize("bits", [0x1, 0x2, 0x100])
def test_a_clock_that_somebody_chose_is_not(tmp_path: Path, bits: int) -> None:
    assert _labels(tmp_path, _plan(_held(bits))) == set()


def test_a_moment_of_it_before_the_window_is_not(tmp_path: Path) -> None:
    def before(row: dict[str, Any]) -> dict[str, Any]:
        early = row["t_us"] < T0_US + 1_000_000
        held = row["field"] == "throttle_reasons" and early
        return {**row, "value": 64.0} if held else _free(row)

    assert _labels(tmp_path, _plan(before)) == set()


def test_without_readings_of_it_throttling_is_not_recorded(tmp_path: Path) -> None:
    assert _labels(tmp_path, _plan(state=False)) == {Label.THROTTLING_UNKNOWN}


def test_readings_of_a_part_of_the_window_do_not_tell(tmp_path: Path) -> None:
    def ends(row: dict[str, Any]) -> dict[str, Any] | None:
        late = row["t_us"] > T0_US + 3_200_000
        return None if row["field"] == "throttle_reasons" and late else _free(row)

    assert _labels(tmp_path, _plan(ends)) == {Label.THROTTLING_UNKNOWN}


def _capped(cap_w: float, **more: Any) -> Plan:
    return _plan(**{"spec": {**HONEST, "power_cap_w": cap_w}, **more})


def test_a_cap_that_is_met_and_in_force_has_no_label(tmp_path: Path) -> None:
    assert _labels(tmp_path, _capped(203.0, gpu={"power_limit_w": 203.0})) == set()


def test_its_power_cap_does_not_throttle_a_run_that_asked_for_it(tmp_path: Path) -> None:
    plan = _capped(200.0, sample=_held(0x4), gpu={"power_limit_w": 200.0})
    assert _labels(tmp_path, plan) == set()


def test_heat_throttles_it_all_the_same(tmp_path: Path) -> None:
    plan = _capped(200.0, sample=_held(0x44), gpu={"power_limit_w": 200.0})
    assert _labels(tmp_path, plan) == {Label.THROTTLED}


def test_a_cap_that_the_power_never_came_near_did_not_bind(tmp_path: Path) -> None:
    assert _labels(tmp_path, _capped(250.0)) == {Label.CAP_NEVER_BOUND}


def test_nor_did_one_that_was_not_in_force(tmp_path: Path) -> None:
    plan = _capped(200.0, gpu={"power_limit_w": 300.0})
    assert _labels(tmp_path, plan) == {Label.CAP_NEVER_BOUND}


def test_a_limit_that_was_read_stands_before_the_inventory_s(tmp_path: Path) -> None:
    def limits(row: dict[str, Any]) -> dict[str, Any]:
        if row["field"] != "sm_clock_mhz":
            return _free(row)
        return {**row, "field": "power_limit_w", "value": 300.0}

    assert Label.CAP_NEVER_BOUND in _labels(tmp_path, _capped(200.0, sample=limits))


def test_without_a_limit_on_record_a_cap_is_not_checked(tmp_path: Path) -> None:
    plan = _capped(200.0, gpu={"power_limit_w": None})
    assert _labels(tmp_path, plan) == {Label.CAP_UNKNOWN}


def _locked(*clocks_mhz: float, **more: Any) -> Plan:
    """A lock of 1400 MHz, and the clocks that are read in turn."""
    reads = itertools.cycle(clocks_mhz)

    def clock(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "value": next(reads)} if row["field"] == "sm_clock_mhz" else _free(row)

    return _plan(**{"sample": clock, "spec": {**HONEST, "sm_clock_mhz": 1400}, **more})


def test_a_clock_that_was_read_as_it_was_asked_for_has_no_label(tmp_path: Path) -> None:
    assert _labels(tmp_path, _locked(1400.0, 1395.0)) == set()


@pytest.mark.parametrize("read_mhz", [1200.0, 1500.0])
def test_a_clock_that_was_asked_for_and_read_otherwise_was_not_held(
    tmp_path: Path, read_mhz: float
) -> None:
    assert _labels(tmp_path, _locked(1400.0, read_mhz)) == {Label.CLOCK_NOT_HELD}


def test_a_clock_that_nobody_read_is_not_checked(tmp_path: Path) -> None:
    assert Label.CLOCK_UNKNOWN in _labels(tmp_path, _locked(1400.0, state=False))


def test_the_share_of_time_that_a_limit_bound_is_that_of_its_bit(tmp_path: Path) -> None:
    run = open_run(build_run(tmp_path, _capped(200.0, sample=_held(0x4))))
    assert run is not None
    assert cap_bound_share(RunEnergy(run)) == 1.0
    free = open_run(build_run(tmp_path / "free", _capped(200.0)))
    assert free is not None
    assert cap_bound_share(RunEnergy(free)) == 0.0


def test_phases_that_are_too_short_are_not_attributable(tmp_path: Path) -> None:
    assert Label.NOT_ATTRIBUTABLE in _labels(tmp_path, _plan(prefill_s=0.05))


def test_a_lost_part_makes_a_record_partial(tmp_path: Path) -> None:
    def wild(row: dict[str, Any]) -> dict[str, Any]:
        at = row["field"] == "power_instant_w" and row["t_us"] == T0_US
        return {**row, "value": 1e9} if at else _free(row)

    assert Label.PARTIAL in _labels(tmp_path, _plan(wild))


@pytest.mark.parametrize(
    ("state", "labels"),
    [
        ("failed", (Label.FAILED, Label.UNSEALED)),
        ("timeout", (Label.FAILED, Label.UNSEALED)),
        ("completed", (Label.UNSEALED,)),
        ("lost", (Label.FAILED, Label.UNSEALED)),
        ("cancelled", (Label.UNSEALED,)),
        ("planned", (Label.UNSEALED,)),
        ("queued", (Label.UNSEALED,)),
        ("running", (Label.UNSEALED,)),
        ("sealed", ()),
    ],
)
def test_what_is_not_sealed_says_so(state: str, labels: tuple[Label, ...]) -> None:
    assert labels_of_state(state) == labels


@pytest.mark.parametrize("state", [NOT_AS_SEALED, UNREADABLE_STATE])
def test_what_is_not_as_sealed_says_so(state: str) -> None:
    other = NotCounted(run_id="a", attempt=None, state=state, reason="")
    assert labels_of_other(other) == (Label.NOT_AS_SEALED,)


def test_each_label_has_a_mark_and_a_word_of_its_own() -> None:
    assert len({label.mark for label in Label}) == len(Label)
    assert len({label.word for label in Label}) == len(Label)
    assert of_words(words_of(Label)) == tuple(Label)


def test_the_page_on_reports_tells_every_label_s_meaning() -> None:
    text = (REPOSITORY / "docs" / "report.md").read_text(encoding="utf-8")
    for label in Label:
        assert f"| {label.mark} | {label.word} | {label.meaning} |" in text
