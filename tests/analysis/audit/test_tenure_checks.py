"""A GPU does one run's work at a time, in one host; a machine's steady clock begins at its boot."""

from pathlib import Path

from analysis.audit.check import Outcome
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths
from tests.analysis.audit.forging import Json, edit, look_at_all
from tests.support.records import Plan, build_run

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


def build(results: Path, repeat: int, attempt: int = 1, end: str = "completed") -> AttemptPaths:
    results.mkdir(exist_ok=True)
    plan = Plan(spec={"gpu": "a100", "repeat": repeat}, gpu={"uuid": "GPU-1"}, end=end)
    return build_run(results, plan, attempt).attempt(attempt)


def later(attempt: AttemptPaths, by_us: int, *, clock: bool = False) -> None:
    """Move an attempt's watchers; with `clock` its steady clock's beginning, too."""

    def host(content: Json) -> None:
        content["ready_us"] += by_us
        if clock:
            content["clock_offset_us"] += by_us

    for path in attempt.hosts.glob("*.json"):
        edit(path, host)
        edit(attempt.watchers / path.name, lambda log: log.update(ended_us=log["ended_us"] + by_us))


def outcome(results: Path, name: str) -> tuple[Outcome, str]:
    found = look_at_all(results, name)[""]
    return found.outcome, found.evidence


def test_two_runs_on_one_gpu_at_one_time_are_caught(tmp_path: Path) -> None:
    build(tmp_path, 0)
    later(build(tmp_path, 1), 0)
    failed, evidence = outcome(tmp_path, "one-at-a-time")
    assert failed is Outcome.FAILED
    assert "at one time" in evidence


def test_a_failed_attempt_counts_as_well(tmp_path: Path) -> None:
    build(tmp_path, 0)
    later(build(tmp_path, 1, end="failed"), 3_000_000)
    assert outcome(tmp_path, "one-at-a-time")[0] is Outcome.FAILED


def test_one_after_the_other_is_lawful(tmp_path: Path) -> None:
    build(tmp_path, 0)
    later(build(tmp_path, 1), MINUTE_US)
    assert outcome(tmp_path, "one-at-a-time")[0] is Outcome.PASSED
    assert outcome(tmp_path, "boots")[0] is Outcome.PASSED


def test_one_gpu_in_two_hosts_at_once_is_caught(tmp_path: Path) -> None:
    build(tmp_path, 0)
    second = build(tmp_path, 1)
    later(second, 0)
    edit(second.host("node0"), lambda host: host.update(host="node9"))
    failed, evidence = outcome(tmp_path, "one-at-a-time")
    assert failed is Outcome.FAILED
    assert "in node0 and in node9" in evidence


def test_a_board_under_a_second_uuid_is_caught(tmp_path: Path) -> None:
    board = {"name": "NVIDIA A100 80GB PCIe", "serial": "1653724064173"}
    for repeat, uuid in enumerate(("GPU-1", "GPU-2")):
        spec = {"gpu": "a100", "repeat": repeat}
        build_run(tmp_path, Plan(spec=spec, gpu={**board, "uuid": uuid}))
    failed, evidence = outcome(tmp_path, "one-at-a-time")
    assert failed is Outcome.FAILED
    assert "is GPU-1 in" in evidence


def test_a_beginning_that_cannot_be_read_is_no_pass(tmp_path: Path) -> None:
    build(tmp_path, 0).started.write_text("[")
    assert outcome(tmp_path, "one-at-a-time")[0] is Outcome.FAILED


def test_one_process_in_two_attempts_is_caught(tmp_path: Path) -> None:
    build(tmp_path, 0)
    later(build(tmp_path, 1), MINUTE_US)
    for path in tmp_path.glob("*/attempt-001/started.json"):
        edit(path, lambda began: began.update(pid=10))
    failed, evidence = outcome(tmp_path, "one-at-a-time")
    assert failed is Outcome.FAILED
    assert "process 10 of node0 began both" in evidence


def test_a_run_moved_in_time_with_its_clock_is_caught(tmp_path: Path) -> None:
    build(tmp_path, 0)
    later(build(tmp_path, 1), 10 * MINUTE_US, clock=True)
    # Booted between them, as the record has it.
    assert outcome(tmp_path, "boots")[0] is Outcome.PASSED
    for path in tmp_path.glob("*/attempt-001/hosts/*.json"):
        edit(path, lambda host: host.update(clock_offset_us=host["clock_offset_us"] - HOUR_US))
    failed, evidence = outcome(tmp_path, "boots")
    assert failed is Outcome.FAILED
    assert "began +600.0 s later" in evidence


def test_one_boot_with_two_beginnings_is_caught(tmp_path: Path) -> None:
    build(tmp_path, 0)
    later(build(tmp_path, 1), 10 * MINUTE_US, clock=True)
    for path in tmp_path.glob("*/attempt-001/hosts/*.json"):
        edit(path, lambda host: host["platform"].update(boot_id="one"))
    failed, evidence = outcome(tmp_path, "boots")
    assert failed is Outcome.FAILED
    assert "by its name one and the same" in evidence


def test_a_host_record_that_cannot_be_read_is_no_pass(tmp_path: Path) -> None:
    attempt = build(tmp_path, 0)
    write_json(attempt.host("node0"), {"host": "node0"})
    assert outcome(tmp_path, "one-at-a-time")[0] is Outcome.FAILED


def test_a_model_of_a_gpu_may_do_the_work_of_two(tmp_path: Path) -> None:
    gpu = {"gpu": "simulated-a100"}
    build_run(tmp_path, Plan(spec=gpu))
    later(build_run(tmp_path, Plan(spec={**gpu, "repeat": 1})).attempt(1), 0)
    assert outcome(tmp_path, "one-at-a-time")[0] is Outcome.SKIPPED
