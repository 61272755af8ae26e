"""What one run says that it put back on a GPU is held against what the next one found there."""

from pathlib import Path
from typing import Any, Final

from analysis.audit.check import Finding, Outcome
from telemetry.power.record import NodePower
from telemetry.record.files import write_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import edit, look_at_all
from tests.support.records import Plan, build_run

CAP_W: Final = 250.0
BOARD: Final = "GPU-37968134-0-0"
FIRST_US, SECOND_US = 1_000_000, 2_000_000


def told(value: float, t_us: int) -> dict[str, Any]:
    return {"value": value, "t_us": t_us, "reason": None}


def run_on(
    results: Path, *, seed: int, t_us: int, found_w: float, capped: bool = True, **setting: Any
) -> RunPaths:
    """A sealed run on the one board that found a limit there, and capped it where it is said."""
    spec = {"gpu": "a100", "seed": seed, "power_cap_w": CAP_W if capped else None}
    run = build_run(results, Plan(spec=spec, merged=False))
    attempt = run.attempt(1)
    (host,) = attempt.hosts.glob("*.json")
    limit_w = CAP_W if capped else found_w

    def on_board(content: dict[str, Any]) -> None:
        content["gpus"] = [{**content["gpus"][0], "uuid": BOARD, "power_limit_w": limit_w}]
        content["ready_us"] = t_us

    edit(host, on_board)
    if capped:
        one = {
            **{"least": told(100, 1), "most": told(500, 1), "default": told(400, 1)},
            **{"before": told(found_w, t_us), "asked": CAP_W, "set_us": t_us, "took_us": 3},
            **{"enforced": told(CAP_W, t_us), "restored": told(found_w, t_us + 9)},
            **{"restored_by": "watcher", "refusal": None, **setting},
        }
        node = NodePower.from_mapping(
            {
                **{"version": 1, "host": host.stem, "asked_way": "auto", "way": "watcher"},
                **{"means": "NVML", "rule": "may", "leftovers": []},
                "gpus": [{"uuid": BOARD, "index": 0, "settings": {"power_limit_w": one}}],
            }
        )
        attempt.power.mkdir()
        write_json(attempt.host_power(host.stem), node.to_mapping())
    return run


def handed_over(results: Path) -> Finding:
    return look_at_all(results, "handed-over")[""]


def test_what_was_put_back_is_what_the_next_run_found(tmp_path: Path) -> None:
    run_on(tmp_path, seed=1, t_us=FIRST_US, found_w=400.0)
    run_on(tmp_path, seed=2, t_us=SECOND_US, found_w=400.0)
    found = handed_over(tmp_path)
    assert (found.outcome, found.evidence) == (
        Outcome.PASSED,
        "1 times the next run found what had stood before",
    )


def test_a_cap_that_is_said_to_be_put_back_and_that_the_next_run_found_is_told(
    tmp_path: Path,
) -> None:
    run_on(tmp_path, seed=1, t_us=FIRST_US, found_w=400.0)
    for seed, capped in ((2, True), (3, False)):
        results = tmp_path if capped else tmp_path / "plain"
        if not capped:
            run_on(results, seed=1, t_us=FIRST_US, found_w=400.0)
        run_on(results, seed=seed, t_us=SECOND_US, found_w=CAP_W, capped=capped)
        found = handed_over(results)
        assert found.outcome is Outcome.FAILED
        assert "attempt 1 put it back, 400 W, but" in found.evidence
        assert "found the 250 W that it had set" in found.evidence


def test_a_cap_that_a_dead_attempt_left_is_told(tmp_path: Path) -> None:
    not_yet = {"value": None, "t_us": None, "reason": "not restored yet"}
    run_on(tmp_path, seed=1, t_us=FIRST_US, found_w=400.0, restored=not_yet, restored_by=None)
    run_on(tmp_path, seed=2, t_us=SECOND_US, found_w=CAP_W, capped=False)
    assert "did not say it was put back" in handed_over(tmp_path).evidence


def test_what_an_administrator_set_meanwhile_is_no_fault(tmp_path: Path) -> None:
    run_on(tmp_path, seed=1, t_us=FIRST_US, found_w=400.0)
    run_on(tmp_path, seed=2, t_us=SECOND_US, found_w=350.0, capped=False)
    found = handed_over(tmp_path)
    assert found.outcome is Outcome.PASSED
    assert "somebody had set another value" in found.evidence


def test_what_a_broker_set_for_the_next_run_is_no_fault(tmp_path: Path) -> None:
    run_on(tmp_path, seed=1, t_us=FIRST_US, found_w=400.0)
    unset: dict[str, Any] = {"set_us": None, "took_us": None, "restored_by": None}
    second = run_on(tmp_path, seed=2, t_us=SECOND_US, found_w=CAP_W, **unset)
    (path,) = second.attempt(1).power.glob("*.json")
    edit(path, lambda node: node.update(way="broker"))
    assert handed_over(tmp_path).outcome is Outcome.PASSED


def test_a_record_that_cannot_be_read_is_told_and_runs_without_caps_are_no_case(
    tmp_path: Path,
) -> None:
    assert build_run(tmp_path / "plain").folder.is_dir()
    assert handed_over(tmp_path / "plain").outcome is Outcome.SKIPPED
    run = run_on(tmp_path, seed=1, t_us=FIRST_US, found_w=400.0)
    (path,) = run.attempt(1).power.glob("*.json")
    path.write_text("{}")
    assert "cannot be read" in handed_over(tmp_path).evidence
