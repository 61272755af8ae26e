"""Records of caps and clocks that somebody has written anew, sealed again: each lie is named."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from analysis.audit.check import Outcome
from analysis.energy.phase_spans import own_phases
from analysis.energy.run_energy import RunEnergy
from analysis.runs.sealed_runs import open_run
from telemetry.power.phases import Delay, Switch
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit import test_phase_switches as phased
from tests.analysis.audit.forging import close, look
from tests.analysis.audit.test_enforcement_checks import (
    CAP_W,
    LATER_US,
    Json,
    failed,
    low,
    run_with,
    told,
)

LEFT: Final = "somebody else's, and is left"


def forged(run: RunPaths, change: Callable[[Json], object]) -> RunPaths:
    """The run with its node's record written anew and sealed again."""
    (path,) = run.attempt(1).power.glob("*.json")
    content = read_json(path)
    change(content)
    write_json(path, content)
    return close(run)


def first(content: Json) -> Json:
    """The limit of the first GPU of a record."""
    found: Json = content["gpus"][0]["settings"]["power_limit_w"]
    return found


def also(content: Json, uuid: str) -> None:
    """The first GPU once more, under a name."""
    content["gpus"].append({**content["gpus"][0], "uuid": uuid})


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        (lambda one: first(one)["enforced"].update(t_us=None), "settings-enforced", "nobody says"),
        (lambda one: first(one).update(set_us=9_000_000), "settings-enforced", "before it was set"),
        (lambda one: first(one).update(set_us=None), "settings-enforced", "nobody says when"),
        (lambda one: also(one, "GPU-other"), "settings-enforced", "none of the job's"),
        (
            lambda one: also(one, one["gpus"][0]["uuid"]),
            "settings-enforced",
            "is on record 2 times",
        ),
        (
            lambda one: one.update(fault="`power_limit_w` of 250 cannot be set"),
            "settings-enforced",
            "the node says that it does not stand as asked",
        ),
        (lambda one: first(one)["restored"].update(t_us=None), "settings-restored", "nobody says"),
        (
            lambda one: [first(one)[at].update(value=900.0) for at in ("before", "restored")],
            "settings-restored",
            "900 is beyond what the card takes, 100 to 500",
        ),
        (
            lambda one: first(one)["before"].update(t_us=9_000_000),
            "settings-restored",
            "was read before it was set, but after",
        ),
        (lambda one: one.update(way="site"), "settings-restored", "the way is site"),
        (
            lambda one: first(one).update(left=LEFT, restored=told(CAP_W, LATER_US)),
            "settings-restored",
            "must be 500 again, but is 250",
        ),
    ],
)
def test_a_setting_that_contradicts_itself_is_found(
    tmp_path: Path, change: Callable[[Json], object], check: str, words: str
) -> None:
    run = run_with(tmp_path, sample=low)
    assert look(run, check).outcome is Outcome.PASSED
    failed(look(forged(run, change), check), words)


def test_what_is_said_to_be_left_could_not_be_seen_by_anybody_else(tmp_path: Path) -> None:
    def left(_index: int, one: Json) -> Json:
        other = told(420.0, LATER_US)
        return {**one, "restored": other, "restored_by": None, "left": LEFT}

    found = look(run_with(tmp_path, left, sample=low), "settings-restored")
    assert found.outcome is Outcome.UNSEEN
    assert "4 settings are left" in found.evidence
    assert LEFT in found.evidence


def test_a_board_s_own_limit_bounds_what_is_said_to_have_stood(tmp_path: Path) -> None:
    def grown(_index: int, one: Json) -> Json:
        stood = told(900.0)
        return {**one, "most": stood, "before": stood, "restored": {**stood, "t_us": LATER_US}}

    failed(look(run_with(tmp_path, grown, sample=low), "settings-restored"), "its board takes")


Switches = tuple[Switch, ...]


def at(one: Switch, **changes: Any) -> Switch:
    return dataclasses.replace(
        one, gpus=tuple(dataclasses.replace(gpu, **changes) for gpu in one.gpus)
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda all_: (*all_, at(all_[0], stands=all_[0].gpus[0].value)), "was switched to twice"),
        (lambda all_: (all_[1], all_[0], *all_[2:]), "before the switch that is told before it"),
        (
            lambda all_: tuple(
                at(one, set_us=one.asked_us + 400_000, read_us=one.asked_us + 1_000) for one in all_
            ),
            "was read back before it was set",
        ),
        (
            lambda all_: tuple(
                at(one, set_us=one.asked_us + 5_000, read_us=one.asked_us + 9_000_000)
                for one in all_
            ),
            "its settings took 18.000 s of it to stand",
        ),
        (
            lambda all_: tuple(
                dataclasses.replace(
                    one, gpus=(*one.gpus, dataclasses.replace(one.gpus[0], uuid="GPU-other"))
                )
                for one in all_
            ),
            "GPU-other is none of the job's",
        ),
        (
            lambda all_: tuple(
                dataclasses.replace(one, gpus=(*one.gpus, one.gpus[0])) for one in all_
            ),
            "is told 2 times",
        ),
    ],
)
def test_switches_that_contradict_themselves_are_found(
    tmp_path: Path, change: Callable[[Switches], Switches], words: str
) -> None:
    failed(look(phased.run_with(tmp_path, change=change), "settings-enforced"), words)


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        # What differs between phases is the spec's to say, not the record's.
        ({"asked": {"prefill": {}, "decode": {}}}, "`power_limit_w` must be 600 in prefill"),
        (
            {"asked": {"prefill": {"power_limit_w": 250.0}, "decode": {"power_limit_w": 600.0}}},
            "`power_limit_w` must be 600 in prefill, but 250 is on record",
        ),
        ({"allowed": False}, "the record says that nothing may be switched"),
    ],
)
def test_phases_that_are_not_the_spec_s_are_found(tmp_path: Path, phases: Json, words: str) -> None:
    failed(look(phased.run_with(tmp_path, phases=phases), "settings-enforced"), words)


def delays(uuids: tuple[str, ...], us: int) -> tuple[Delay, ...]:
    return tuple(
        Delay(uuid=uuid, quantity="power_limit_w", value=value, read_us=(us,))
        for uuid in uuids
        for value in phased.CAPS.values()
    )


def with_delays(run: RunPaths, us: int, phases_us: int, gpus: int = 2) -> RunPaths:
    def change(content: Json) -> None:
        uuids = tuple(gpu["uuid"] for gpu in content["gpus"][:gpus])
        told_delays = [dict(vars(one)) for one in delays(uuids, us)]
        content["phases"]["delays"] = told_delays
        content["phases"]["phases_us"] = dict.fromkeys(phased.CAPS, phases_us)

    return forged(run, change)


def test_a_delay_that_is_said_to_be_longer_leaves_no_sample_out_for_it(tmp_path: Path) -> None:
    # 200 ms at both edges hide 80 % of each prefill, with warm-up phases said to be long.
    run = with_delays(phased.run_with(tmp_path), 200_000, 60_000_000)
    failed(look(run, "settings-enforced"), "lasted 500.0 ms in the measurement")


def test_a_delay_that_is_said_to_be_shorter_is_that_of_the_switches_themselves(
    tmp_path: Path,
) -> None:
    opened = open_run(with_delays(phased.run_with(tmp_path), 1_000, 500_000))
    assert opened is not None
    run_energy = RunEnergy(opened)
    phases = own_phases(run_energy, run_energy.gpus[0])
    assert phases is not None
    edges = [edge for edge in phased.edges_of(opened.paths) if edge[0] == "prefill"]
    begun = [start_us for start_us, _ in phases[0].windows_us]
    assert begun == [start_us + 9_000 for _, _, start_us, _ in edges]


def test_switches_that_took_much_of_their_phases_are_found(tmp_path: Path) -> None:
    def slow(all_: Switches) -> Switches:
        return tuple(at(one, read_us=one.asked_us + 200_000) for one in all_)

    run = phased.run_with(tmp_path, change=slow)
    failed(look(run, "settings-enforced"), "its settings took 0.4", "s of it to stand")


def test_a_gpu_whose_delay_was_not_measured_is_found(tmp_path: Path) -> None:
    run = with_delays(phased.run_with(tmp_path), phased.DELAY_US, 500_000, gpus=1)
    failed(look(run, "settings-enforced"), "the delay of its `power_limit_w` was not measured")
