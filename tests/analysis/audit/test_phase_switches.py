"""A run says that it switched between phases: the samples of each phase must say so too."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from analysis.audit.check import Outcome
from analysis.energy.run_energy import RunEnergy
from analysis.energy.run_labels import labels_of
from analysis.runs.labels import Label
from analysis.runs.sealed_runs import open_run
from telemetry.clock import US_PER_S
from telemetry.power.phases import Delay, GpuSwitch, NodePhases, Switch
from telemetry.power.record import NodePower
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import close, look
from tests.analysis.audit.test_enforcement_checks import failed, setting, told
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run

CAPS: Final = {"prefill": 600.0, "decode": 250.0}
SPEC: Final = {
    **{"gpu": "h200", "dtype": "fp16", "gpus": 2, "gpus_per_node": 2, "power_cap_w": 600.0},
    "decode_power_cap_w": 250.0,
}
DELAY_US: Final = 20_000
Row = dict[str, Any]
Edge = tuple[str, int, int, int]


def phase_of(t_us: int) -> str:
    """The phase of a built record at a time: 2.5 s in, prefills of 0.5 and decodes of 1.5 s."""
    since_s = (t_us - T0_US) / US_PER_S - 2.5
    return "prefill" if since_s % 2.3 < 0.5 else "decode"


def true(row: Row) -> Row:
    """Boards whose limit and power follow the phase."""
    cap_w = CAPS[phase_of(row["t_us"])]
    if row["field"] == "sm_clock_mhz":
        return {**row, "field": "power_limit_w", "value": cap_w}
    if row["field"] == "power_instant_w" and row["value"] is not None:
        return {**row, "value": min(cap_w * 0.995, 610.0)}
    return row


def unmoved(row: Row) -> Row:
    """Boards whose limit stays what it was, whatever was said to be set."""
    limit = row["field"] == "sm_clock_mhz"
    return {**row, "field": "power_limit_w", "value": 600.0} if limit else true(row)


def hungry(row: Row) -> Row:
    """Boards that tell the limit of the phase, and draw what the prefill's lets them."""
    power = row["field"] == "power_instant_w" and row["value"] is not None
    return {**row, "value": 590.0} if power else true(row)


def edges_of(run: RunPaths) -> list[Edge]:
    paths = run.attempt(1).rank_shard("spans", 0).glob("*.parquet")
    rows = [row for path in sorted(paths) for row in pq.read_table(path).to_pylist()]
    return [
        (row["phase"], row["batch"], row["t_start_us"], row["t_end_us"])
        for row in rows
        if row["phase"] in CAPS
    ]


def switch_of(edge: Edge, uuids: list[str], **changes: Any) -> Switch:
    phase, batch, start_us, _ = edge
    cap_w = CAPS[phase]
    return Switch(
        phase=phase,
        batch=batch,
        asked_us=start_us,
        gpus=tuple(
            GpuSwitch(
                **{
                    **{"uuid": uuid, "quantity": "power_limit_w", "value": cap_w},
                    **{"set_us": start_us + 5_000, "read_us": start_us + 9_000, "stands": cap_w},
                    **{"fault": None, **changes},
                }
            )
            for uuid in uuids
        ),
    )


def run_with(
    results: Path,
    sample: Callable[[Row], Row] = true,
    change: Callable[[tuple[Switch, ...]], tuple[Switch, ...]] = lambda switches: switches,
    phases: Mapping[str, Any] | None = None,
) -> RunPaths:
    """A sealed run of which the node says that it switched at every edge."""
    run = build_run(results, Plan(spec=SPEC, merged=False, state=True, sample=sample))
    attempt = run.attempt(1)
    (host,) = attempt.hosts.glob("*.json")
    uuids = [str(gpu["uuid"]) for gpu in read_json(host)["gpus"]]
    switches = change(tuple(switch_of(edge, uuids) for edge in edges_of(run)))
    by_phase = {
        "asked": {phase: {"power_limit_w": cap_w} for phase, cap_w in CAPS.items()},
        "delays": tuple(
            Delay(uuid=uuid, quantity="power_limit_w", value=cap_w, read_us=(9_000, DELAY_US))
            for uuid in uuids
            for cap_w in CAPS.values()
        ),
        "phases_us": {"prefill": 500_000, "decode": 1_500_000},
        **{"rule": "long enough", "allowed": True, "switches": switches, **(phases or {})},
    }
    record = attempt.host_power(host.stem)
    record.parent.mkdir(exist_ok=True)
    least_and_most = {"least": told(200.0), "most": told(700.0)}
    one = {
        **setting(),
        **least_and_most,
        "asked": 600.0,
        "enforced": {"value": 600.0, "t_us": 4, "reason": None},
    }
    node = NodePower.from_mapping(
        {
            **{"version": 1, "host": host.stem, "asked_way": "auto", "way": "watcher"},
            **{"means": "NVML", "rule": "the watcher may set limits", "leftovers": []},
            "gpus": [
                {"uuid": uuid, "index": index, "settings": {"power_limit_w": one}}
                for index, uuid in enumerate(uuids)
            ],
            "phases": NodePhases(**by_phase).to_mapping(),
        }
    )
    write_json(record, node.to_mapping())
    return close(run)


def labels(run: RunPaths) -> set[Label]:
    opened = open_run(run)
    assert opened is not None
    return set(labels_of(RunEnergy(opened)))


def test_phases_whose_samples_follow_the_switches_pass(tmp_path: Path) -> None:
    run = run_with(tmp_path)
    for name in ("settings-enforced", "cap-kept", "settings-restored"):
        found = look(run, name)
        assert found.outcome is Outcome.PASSED, found.evidence
    assert not {Label.CAP_NEVER_BOUND, Label.CAP_UNKNOWN} & labels(run)


def test_a_run_that_says_it_switched_and_whose_samples_do_not_is_found(tmp_path: Path) -> None:
    run = run_with(tmp_path, unmoved)
    assert look(run, "settings-enforced").outcome is Outcome.PASSED
    failed(look(run, "cap-kept"), "decode: 250 W asked for, 600 W in force")
    assert Label.CAP_NEVER_BOUND in labels(run)


def test_a_phase_that_draws_more_than_its_own_cap_is_found(tmp_path: Path) -> None:
    run = run_with(tmp_path, hungry)
    failed(look(run, "cap-kept"), "decode: a cap of 250 W, and 590.0 W drawn on average")


def test_a_phase_whose_own_cap_never_bound_has_the_label(tmp_path: Path) -> None:
    def idle_decode(row: Row) -> Row:
        power = row["field"] == "power_instant_w" and phase_of(row["t_us"]) == "decode"
        return {**row, "value": 180.0} if power else true(row)

    run = run_with(tmp_path, idle_decode)
    assert look(run, "cap-kept").outcome is Outcome.PASSED
    assert Label.CAP_NEVER_BOUND in labels(run)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda switches: switches[:-1], "was never switched to"),
        (
            lambda switches: (*switches, switch_of(("decode", 99, 1, 2), ["GPU-x"])),
            "was switched to, and never was",
        ),
        (
            lambda switches: (
                *switches[1:],
                switch_of((switches[0].phase, 0, 5, 6), [gpu.uuid for gpu in switches[0].gpus]),
            ),
            "asked for outside of it",
        ),
        (
            lambda switches: tuple(
                switch_of((one.phase, one.batch, one.asked_us, 0), [one.gpus[0].uuid])
                for one in switches
            ),
            "was not set",
        ),
        (
            lambda switches: tuple(
                switch_of(
                    (one.phase, one.batch, one.asked_us, 0),
                    [gpu.uuid for gpu in one.gpus],
                    stands=600.0,
                )
                for one in switches
            ),
            "must be 250, but 600 was read",
        ),
        (
            lambda switches: tuple(
                switch_of(
                    (one.phase, one.batch, one.asked_us, 0),
                    [gpu.uuid for gpu in one.gpus],
                    stands=None,
                    read_us=None,
                )
                for one in switches
            ),
            "was never read back",
        ),
        (
            lambda switches: tuple(
                switch_of(
                    (one.phase, one.batch, one.asked_us, 0),
                    [gpu.uuid for gpu in one.gpus],
                    value=600.0,
                )
                for one in switches
            ),
            "must be 250.0, but was set to 600.0",
        ),
    ],
)
def test_a_record_of_switches_that_is_not_of_its_phases_is_found(
    tmp_path: Path, change: Callable[[tuple[Switch, ...]], tuple[Switch, ...]], told: str
) -> None:
    failed(look(run_with(tmp_path, change=change), "settings-enforced"), told)


@pytest.mark.parametrize(
    ("phases", "told"),
    [
        ({"delays": ()}, "was not measured"),
        ({"phases_us": {"prefill": 100_000, "decode": 10**6}}, "must last 20 times the delay"),
        (
            {"delays": (Delay(uuid="GPU-0", quantity="sm_clock_mhz", value=1.0, silent=5),)},
            "is not known",
        ),
    ],
)
def test_phases_that_were_switched_against_the_rule_are_found(
    tmp_path: Path, phases: Mapping[str, Any], told: str
) -> None:
    failed(look(run_with(tmp_path, phases=phases), "settings-enforced"), told)


def test_without_a_measured_delay_no_sample_is_held_against_a_phase(tmp_path: Path) -> None:
    run = run_with(tmp_path, phases={"delays": ()})
    found = look(run, "cap-kept")
    assert found.outcome is Outcome.UNSEEN, found.evidence
    assert Label.CAP_UNKNOWN in labels(run)
