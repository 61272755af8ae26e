"""What a node says of its caps and clocks is held against the wish and against the samples."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from analysis.audit.check import Finding, Outcome
from telemetry.power.record import NodePower
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import close, look, recompose
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run

CAP_W: Final = 250.0
ASKED: Final = {"gpu": "a100", "gpus": 4, "gpus_per_node": 4, "power_cap_w": CAP_W}
Json = dict[str, Any]
Change = Callable[[int, Json], Json | None]


def told(value: float | None, t_us: int | None = 1, reason: str | None = None) -> Json:
    return {"value": value, "t_us": t_us, "reason": reason}


# After every sample of a built run.
LATER_US: Final = T0_US + 10**9
NOT_YET: Final = told(None, None, "not restored yet")


def setting() -> Json:
    """A cap that was set, read back, kept and put back."""
    return {
        **{"least": told(100.0), "most": told(500.0), "default": told(400.0)},
        **{"before": told(500.0), "asked": CAP_W, "set_us": 2, "took_us": 3, "refusal": None},
        **{"enforced": told(CAP_W, 4), "restored": told(500.0, LATER_US), "restored_by": "watcher"},
    }


def honest(_index: int, one: Json) -> Json:
    return one


def run_with(
    results: Path,
    change: Change = honest,
    quantity: str = "power_limit_w",
    way: str = "watcher",
    **plan: Any,
) -> RunPaths:
    """A sealed run whose node says of each GPU what `change` makes of an honest setting."""
    built = build_run(results, Plan(**{"spec": ASKED, "merged": False, **plan}))
    attempt = built.attempt(1)
    for path in sorted(attempt.hosts.glob("*.json")):
        uuids = [gpu["uuid"] for gpu in read_json(path)["gpus"]]
        settings = [change(index, setting()) for index in range(len(uuids))]
        node = NodePower.from_mapping(
            {
                **{"version": 1, "host": path.stem, "asked_way": "auto", "way": way},
                **{"means": "NVML", "rule": "the watcher may set limits", "leftovers": []},
                "gpus": [
                    {"uuid": uuid, "index": index, "settings": {quantity: one}}
                    for index, (uuid, one) in enumerate(zip(uuids, settings, strict=True))
                    if one is not None
                ],
            }
        )
        record = attempt.host_power(path.stem)
        record.parent.mkdir(exist_ok=True)
        write_json(record, node.to_mapping())
    return close(built)


def failed(found: Finding, *words: str) -> None:
    assert found.outcome is Outcome.FAILED, found.evidence
    for word in words:
        assert word in found.evidence


def low(row: dict[str, Any]) -> dict[str, Any]:
    """Every board draws 240 W at work."""
    if row["field"] != "power_instant_w" or row["value"] is None:
        return row
    return {**row, "value": min(row["value"], 240.0)}


def test_a_cap_that_was_read_back_kept_and_put_back_passes(tmp_path: Path) -> None:
    run = run_with(tmp_path, sample=low)
    for name in ("settings-enforced", "cap-kept", "settings-restored"):
        found = look(run, name)
        assert found.outcome is Outcome.PASSED, found.evidence
    assert look(run, "settings-enforced").evidence == ("4 settings read back as asked, on 4 GPUs")


def test_a_record_that_says_250_w_whose_samples_draw_400_is_found(tmp_path: Path) -> None:
    # The third board works at 400 W.
    run = run_with(tmp_path)
    assert look(run, "settings-enforced").outcome is Outcome.PASSED
    failed(look(run, "cap-kept"), "a cap of 250 W", "draw 3")


def test_a_cap_that_was_never_read_back_is_found(tmp_path: Path) -> None:
    unread = told(None, 4, "nvmlDeviceGetEnforcedPowerLimit: Not Supported")
    run = run_with(tmp_path, lambda _, one: {**one, "enforced": unread})
    failed(look(run, "settings-enforced"), "must be 250", "never read back: nvmlDevice", "3 more")


def test_one_gpu_without_the_cap_is_found(tmp_path: Path) -> None:
    other = told(400.0, 4)
    run = run_with(tmp_path, lambda at, one: {**one, "enforced": other} if at == 2 else one)
    failed(look(run, "settings-enforced"), "must be 250, but 400 was read back")
    untold = run_with(tmp_path / "untold", lambda at, one: None if at == 3 else one)
    failed(look(untold, "settings-enforced"), "nothing is on record of its settings")


def test_a_cap_that_was_read_back_after_the_window_began_is_found(tmp_path: Path) -> None:
    late = told(CAP_W, 2**52)
    run = run_with(tmp_path, lambda _, one: {**one, "enforced": late})
    failed(look(run, "settings-enforced"), "after the window had begun")


def test_a_limit_that_was_lifted_in_the_window_is_found(tmp_path: Path) -> None:
    def lifted(row: dict[str, Any]) -> dict[str, Any]:
        # Its clock's readings become the limit's.
        if row["field"] != "sm_clock_mhz":
            return low(row)
        return {**row, "field": "power_limit_w", "value": 400.0}

    run = run_with(tmp_path, sample=lifted, state=True)
    failed(look(run, "cap-kept"), "250 W asked for, 400 W in force in the window")


def test_a_value_that_was_not_put_back_after_a_kill_is_found(tmp_path: Path) -> None:
    run = run_with(
        tmp_path, lambda _, one: {**one, "restored": NOT_YET, "restored_by": None}, sample=low
    )
    failed(look(run, "settings-restored"), "must be 500 again", "not restored yet")


def test_a_reset_to_the_default_is_no_restore(tmp_path: Path) -> None:
    default = told(400.0, LATER_US)
    run = run_with(tmp_path, lambda _, one: {**one, "restored": default}, sample=low)
    failed(look(run, "settings-restored"), "must be 500 again, but is 400 instead")


def limits(row: dict[str, Any]) -> dict[str, Any]:
    """Its clock's readings become the limit's, which stands as asked throughout."""
    if row["field"] != "sm_clock_mhz":
        return low(row)
    return {**row, "field": "power_limit_w", "value": CAP_W}


def test_a_value_that_is_said_to_stand_again_and_was_read_otherwise_later_is_found(
    tmp_path: Path,
) -> None:
    early = told(500.0, T0_US + 4_000_000)
    run = run_with(tmp_path, lambda _, one: {**one, "restored": early}, sample=limits, state=True)
    failed(look(run, "settings-restored"), "to stand at 500 again, but was read as 250 later")
    assert look(run, "cap-kept").outcome is Outcome.PASSED


def test_a_value_that_was_put_back_before_it_was_needed_is_found(tmp_path: Path) -> None:
    early = told(500.0, 5)
    run = run_with(tmp_path, lambda _, one: {**one, "restored": early}, sample=low)
    failed(look(run, "settings-restored"), "before the window began", "3 more")


def test_a_change_that_nobody_is_said_to_have_made_is_found(tmp_path: Path) -> None:
    unsaid = {"set_us": None, "took_us": None, "restored": NOT_YET, "restored_by": None}
    run = run_with(tmp_path, lambda at, one: {**one, **unsaid} if at == 1 else one, sample=low)
    failed(look(run, "settings-restored"), "went from 500 to 250, and nobody says who set it")
    by_site = run_with(tmp_path / "site", lambda _, one: {**one, **unsaid}, way="site", sample=low)
    failed(look(by_site, "settings-restored"), "went from 500 to 250", "3 more")


def test_a_gpu_of_which_nothing_says_that_it_was_put_back_is_found(tmp_path: Path) -> None:
    run = run_with(tmp_path, lambda at, one: None if at == 3 else one, sample=low)
    failed(look(run, "settings-restored"), "nothing is on record of what stands there again")


def test_a_node_whose_record_is_gone_is_found(tmp_path: Path) -> None:
    spec = {**ASKED, "gpus_per_node": 2}
    run = run_with(tmp_path, spec=spec, sample=low)
    gone = sorted(run.attempt(1).power.glob("*.json"))[1]
    gone.unlink()
    close(run)
    failed(look(run, "settings-restored"), f"{gone.stem}: GPU-", "nothing is on record")
    failed(look(run, "settings-enforced"), f"on {gone.stem}: nothing is on record")


def test_a_cap_whose_limit_was_read_of_one_board_alone_could_not_be_seen(tmp_path: Path) -> None:
    boards: list[str] = []

    def of_one(row: dict[str, Any]) -> dict[str, Any]:
        boards.append(row["device"])
        read = limits(row)
        return read if row["device"] == boards[0] or read is row else low(row)

    run = run_with(tmp_path, sample=of_one, state=True)
    found = look(run, "cap-kept")
    assert found.outcome is Outcome.UNSEEN, found.evidence
    assert "no limit was read of GPU-" in found.evidence


def test_a_cap_that_an_idle_gpu_of_the_job_has_not_is_found(tmp_path: Path) -> None:
    def lifted(row: dict[str, Any]) -> dict[str, Any]:
        read = limits(row)
        idle = "-idle-" in row["device"] and read["field"] == "power_limit_w"
        return {**read, "value": 400.0} if idle else read

    run = run_with(tmp_path, sample=limits, state=True, idle_gpus=1)
    assert look(run, "cap-kept").outcome is Outcome.PASSED
    run = run_with(tmp_path / "lifted", sample=lifted, state=True, idle_gpus=1)
    failed(look(run, "cap-kept"), "250 W asked for, 400 W in force")


def test_a_setting_that_nobody_asked_for_is_found(tmp_path: Path) -> None:
    run = run_with(tmp_path, spec={**ASKED, "power_cap_w": None})
    failed(look(run, "settings-enforced"), "was set, and nobody asked for it")


def test_a_real_run_that_asked_and_left_no_record_could_not_be_checked(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(spec=ASKED))
    for name in ("settings-enforced", "settings-restored"):
        assert look(run, name).outcome is Outcome.UNSEEN


@pytest.mark.parametrize("name", ["settings-enforced", "cap-kept", "settings-restored"])
def test_a_run_that_asked_for_nothing_is_no_case(tmp_path: Path, name: str) -> None:
    assert look(build_run(tmp_path), name).outcome is Outcome.SKIPPED


def test_a_site_s_own_cap_is_read_back_and_nothing_is_put_back(tmp_path: Path) -> None:
    def site(_index: int, one: Json) -> Json:
        unset = {"set_us": None, "took_us": None, "restored_by": None}
        return {**one, **unset, "before": one["enforced"]}

    run = run_with(tmp_path, site, way="site", sample=low)
    assert look(run, "settings-enforced").outcome is Outcome.PASSED
    assert look(run, "settings-restored").outcome is Outcome.SKIPPED


@pytest.mark.parametrize("way", ["broker", "slurm"])
def test_what_is_put_back_after_the_job_could_not_be_seen_by_its_run(
    tmp_path: Path, way: str
) -> None:
    def unset(_index: int, one: Json) -> Json:
        unset = {"set_us": None, "took_us": None, "restored_by": None, "restored": NOT_YET}
        return {**one, **unset, "before": one["enforced"]}

    run = run_with(tmp_path, unset, way=way, sample=low)
    assert look(run, "settings-enforced").outcome is Outcome.PASSED
    found = look(run, "settings-restored")
    assert found.outcome is Outcome.UNSEEN
    assert f"{way} puts it back after the job" in found.evidence


def test_a_clock_lock_that_no_driver_tells_of_is_no_pass_and_no_fault(tmp_path: Path) -> None:
    untold = told(None, None, "NVML tells of no lock")
    lock = {**setting(), "before": untold, "asked": 1410.0, "enforced": untold, "restored": untold}
    run = run_with(
        tmp_path,
        lambda *_: lock,
        "sm_clock_mhz",
        spec={**ASKED, "power_cap_w": None, "sm_clock_mhz": 1410},
    )
    for name in ("settings-enforced", "settings-restored"):
        found = look(run, name)
        assert found.outcome is Outcome.UNSEEN, found.evidence
        assert "no driver tells of" in found.evidence


@pytest.mark.parametrize(("stood", "outcome"), [(1410.0, "passed"), (1200.0, "failed")])
def test_an_application_clock_in_the_place_of_a_lock_is_read_back(
    tmp_path: Path, stood: float, outcome: str
) -> None:
    clock = {**setting(), "asked": 1410.0, "enforced": told(stood, 4)}
    run = run_with(
        tmp_path,
        lambda *_: clock,
        "application_sm_clock_mhz",
        spec={**ASKED, "power_cap_w": None, "sm_clock_mhz": 1410},
    )
    assert look(run, "settings-enforced").outcome.name.lower() == outcome


def test_a_clock_lock_that_the_card_refused_is_found(tmp_path: Path) -> None:
    untold = told(None, None, "NVML tells of no lock")
    lock = {**setting(), "asked": 1410.0, "enforced": untold, "refusal": "Insufficient Permissions"}
    run = run_with(
        tmp_path,
        lambda *_: lock,
        "sm_clock_mhz",
        spec={**ASKED, "power_cap_w": None, "sm_clock_mhz": 1410},
    )
    failed(look(run, "settings-enforced"), "must be 1410", "never read back")


def test_a_cap_that_was_typed_in_per_cent_is_held_against_its_watts(tmp_path: Path) -> None:
    spec = {"gpu": "h200", "dtype": "fp16", "power_cap_w": 490.0}
    for share, outcome in (("70%", Outcome.PASSED), ("60%", Outcome.FAILED)):
        built = build_run(tmp_path / share, Plan(spec=spec, merged=False))
        recompose(built, power_cap_w=share)
        found = look(close(built), "launch")
        assert found.outcome is outcome, found.evidence


@pytest.mark.parametrize(
    ("clock_mhz", "outcome"),
    [
        pytest.param(1380, Outcome.PASSED, id="a clock that boards offer"),
        pytest.param(1386, Outcome.PASSED, id="whole megahertz, as records from before have it"),
        pytest.param(1395, Outcome.FAILED, id="another"),
    ],
)
def test_a_clock_that_was_typed_in_per_cent_is_held_against_its_megahertz(
    tmp_path: Path, clock_mhz: int, outcome: Outcome
) -> None:
    spec = {"gpu": "h200", "dtype": "fp16", "sm_clock_mhz": clock_mhz}
    built = build_run(tmp_path, Plan(spec=spec, merged=False))
    recompose(built, sm_clock_mhz="70%")
    found = look(close(built), "launch")
    assert found.outcome is outcome, found.evidence
