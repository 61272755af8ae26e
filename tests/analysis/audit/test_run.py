"""Each check of the audit fails for the one fault it is there for."""

import csv
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.audit.__main__ import main
from analysis.audit.check import Outcome
from analysis.audit.run import audit_folder, audit_results
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from telemetry.clock import US_PER_S
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import RunPaths
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run, energy_j, reseal

Columns = dict[str, list[Any]]


def outcomes(results: Path) -> dict[str, Outcome]:
    return {line.name: line.outcome for line in audit_results(results)}


def evidence(results: Path, name: str) -> str:
    return next(line.evidence for line in audit_results(results) if line.name == name)


def edit_json(path: Path, **changes: Any) -> None:
    write_json(path, {**read_json(path), **changes})


def edit_table(run: RunPaths, kind: str, change: Callable[[Columns], None]) -> None:
    path = run.attempt(1).table(kind)
    table = pq.read_table(path, partitioning=None)
    columns = table.to_pydict()
    change(columns)
    pq.write_table(pa.Table.from_pydict(columns, schema=table.schema), path)


TOO_PLAIN = (
    *("sm-clock", "copies", "near-copies", "repeats-alike", "digits", "held", "readers", "texts"),
    *("recount", "pages"),
    *("signature", "seal-stamp", "roots", "root-stamp", "lodged", "export", "allocation"),
    *("accounting", "handed-over", "outside-meter", "outside-meter-own", "arrivals"),
)
UNTOLD = ("settings-enforced", "settings-restored")


def test_a_record_without_a_fault_fails_no_check(tmp_path: Path) -> None:
    real: dict[str, Any] = {"gpu": "h200", "dtype": "fp16"}
    board = {"name": "NVIDIA H200", "kind": "h200"}
    two = {**real, "gpus": 2, "power_cap_w": 350.0}
    build_run(tmp_path, Plan(spec=two, gpu=board, rank_counter=True, passes=2))
    four = {**real, "gpus": 4, "gpus_per_node": 2, "power_cap_w": 500.0}
    build_run(tmp_path, Plan(spec=four, gpu=board, rank_counter=True, idle_gpus=1))
    write_report(load(tmp_path))
    found = outcomes(tmp_path)
    assert {name for name, outcome in found.items() if outcome is not Outcome.PASSED} == {
        # What the two built runs are too plain for: no clock asked for, no trace that varies, no
        # second repeat, no driver's digits, no board held by its cap, no second field of power, no
        # tokenizer's file, nobody who vouches for them, no batch system, no meter, no served load.
        *TOO_PLAIN,
        # Caps that no node of theirs tells of.
        *UNTOLD,
    }
    assert {found[name] for name in TOO_PLAIN} == {Outcome.SKIPPED}
    assert {found[name] for name in UNTOLD} == {Outcome.UNSEEN}


def change_a_byte(run: RunPaths) -> None:
    path = run.attempt(1).provenance
    path.write_bytes(path.read_bytes().replace(b"somebody", b"somebudy"))


def add_a_file(run: RunPaths) -> None:
    (run.attempt(1).folder / "notes.txt").write_text("extra")


def remove_a_shard(run: RunPaths) -> None:
    next(run.attempt(1).shards("spans").rglob("*.parquet")).unlink()


def seal_a_second_attempt(run: RunPaths) -> None:
    run.attempt(2).folder.mkdir()
    run.attempt(2).seal.write_bytes(run.attempt(1).seal.read_bytes())


def edit_the_spec(run: RunPaths) -> None:
    edit_json(run.spec, temperature=0.9)
    reseal(run)


def rename_in_the_manifest(run: RunPaths) -> None:
    edit_json(run.attempt(1).manifest, run_id="another")
    reseal(run)


def raise_a_power(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["value"][60] += 1.0

    edit_table(run, "samples", change)
    reseal(run)


def swap_two_samples(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        for column in columns.values():
            column[10], column[50] = column[50], column[10]

    edit_table(run, "samples", change)
    reseal(run)


def repeat_a_sample(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        for column in columns.values():
            column.insert(10, column[10])

    edit_table(run, "samples", change)
    reseal(run)


def stamp_an_hour_late(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["t_us"][-1] += 3_600_000_000

    edit_table(run, "samples", change)
    reseal(run)


def leave_a_hole(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["t_end_us"][4] -= 50_000

    edit_table(run, "spans", change)
    reseal(run)


def lose_a_rank(run: RunPaths) -> None:
    manifest = read_json(run.attempt(1).manifest)
    edit_json(run.attempt(1).manifest, ranks=manifest["ranks"][:1])
    reseal(run)


def share_a_gpu(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["gpu_uuid"] = [columns["gpu_uuid"][0]] * len(columns["gpu_uuid"])

    edit_table(run, "spans", change)
    reseal(run)


def miscount_tokens(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["generated_tokens"][0] += 1

    edit_table(run, "responses", change)
    reseal(run)


def exceed_the_length(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["generated_ids"][0] = [1] * 9
        columns["generated_tokens"][0] = 9

    edit_table(run, "responses", change)
    reseal(run)


def miscount_words(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["text"][0] = "three words now"

    edit_table(run, "responses", change)
    reseal(run)


def lose_a_response(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        for column in columns.values():
            column.pop()

    edit_table(run, "responses", change)
    reseal(run)


def count_more_in_spans(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        columns["generated_tokens"][columns["phase"].index("decode")] += 5

    edit_table(run, "spans", change)
    reseal(run)


def order_other_prompts(run: RunPaths) -> None:
    sha256 = read_json(run.attempt(1).launch)["prompts_sha256"]
    run.prompts(sha256).write_text("other prompts\n")
    reseal(run)


def hide_the_simulation(run: RunPaths) -> None:
    edit_json(run.attempt(1).manifest, simulated=False)
    reseal(run)


def forget_the_commit(run: RunPaths) -> None:
    edit_json(run.attempt(1).provenance, git={"commit": None, "reason": "no repository"})
    reseal(run)


def change_the_code(run: RunPaths) -> None:
    git = read_json(run.attempt(1).provenance)["git"]
    edit_json(run.attempt(1).provenance, git={**git, "dirty": True})
    reseal(run)


def read_the_wrong_counter(run: RunPaths) -> None:
    def change(columns: Columns) -> None:
        for name in ("energy_start_j", "energy_end_j"):
            columns[name] = [value * 1.2 for value in columns[name]]

    edit_table(run, "spans", change)
    reseal(run)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (read_the_wrong_counter, "rank-counter"),
        (change_a_byte, "seal"),
        (add_a_file, "seal"),
        (remove_a_shard, "seal"),
        (seal_a_second_attempt, "one-seal"),
        (edit_the_spec, "run-id"),
        (rename_in_the_manifest, "run-id"),
        (raise_a_power, "merge"),
        (swap_two_samples, "order"),
        (repeat_a_sample, "order"),
        (stamp_an_hour_late, "lifetime"),
        (leave_a_hole, "tiling"),
        (lose_a_rank, "presence"),
        (share_a_gpu, "gpus"),
        (miscount_tokens, "responses"),
        (exceed_the_length, "responses"),
        (miscount_words, "responses"),
        (lose_a_response, "prompts"),
        (count_more_in_spans, "tokens"),
        (order_other_prompts, "prompts"),
        (hide_the_simulation, "labels"),
        (forget_the_commit, "provenance"),
        (change_the_code, "provenance"),
    ],
)
def test_a_fault_put_into_a_sealed_run_fails_its_check(
    tmp_path: Path, fault: Callable[[RunPaths], None], check: str
) -> None:
    run = build_run(tmp_path, Plan(spec={"gpus": 2}, rank_counter=True))
    fault(run)
    assert outcomes(tmp_path)[check] is Outcome.FAILED


def drop_a_second(row: dict[str, Any]) -> dict[str, Any] | None:
    inside = T0_US + 3_200_000 < row["t_us"] < T0_US + 3_700_000
    return None if inside and row["field"] == "power_instant_w" else row


def double_power(row: dict[str, Any]) -> dict[str, Any]:
    factor = 1.2 if row["field"] == "power_instant_w" else 1.0
    return {**row, "value": row["value"] * factor}


def stall_the_counter(row: dict[str, Any]) -> dict[str, Any]:
    """The counter is brought up to date every half second, in five times the stated time."""
    if row["field"] != "energy_j":
        return row
    seen_us = (row["t_us"] - T0_US) // 500_000 * 500_000
    return {**row, "value": 1000.0 + energy_j(0, seen_us / US_PER_S)}


def lose_all(row: dict[str, Any]) -> None:
    """No reading of any GPU reaches the record."""


def lose_the_idle_gpu(row: dict[str, Any]) -> dict[str, Any] | None:
    return None if "-idle-" in row["device"] else row


def exceed_the_limit(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "value": row["value"] * 2}


@pytest.mark.parametrize(
    ("plan", "check"),
    [
        (Plan(sample=drop_a_second), "coverage"),
        # Power that is twice what it was contradicts the counter wherever they are compared.
        (Plan(sample=double_power), "power-integral polls phase-shares"),
        (Plan(sample=exceed_the_limit), "power"),
        (Plan(sample=stall_the_counter, decode_s=10.0), "sensor"),
        (Plan(sample=lose_the_idle_gpu, idle_gpus=1), "idle-gpus"),
        (Plan(hosts={"simulated": False}), "labels"),
        (Plan(provenance={"git": {"commit": "short", "dirty": False}}), "provenance"),
    ],
)
def test_a_fault_at_the_source_fails_its_check_and_no_other(
    tmp_path: Path, plan: Plan, check: str
) -> None:
    build_run(tmp_path, plan)
    failed = {name for name, outcome in outcomes(tmp_path).items() if outcome is Outcome.FAILED}
    assert failed == set(check.split())


def test_a_cap_that_is_not_in_force_fails(tmp_path: Path) -> None:
    def limit(row: dict[str, Any]) -> dict[str, Any]:
        renamed = row["field"] == "power_instant_w"
        return {**row, "field": "power_limit_w", "value": 300.0} if renamed else row

    build_run(tmp_path, Plan(spec={"power_cap_w": 250.0}, sample=limit))
    assert outcomes(tmp_path)["power-cap"] is Outcome.FAILED
    assert "250 W asked for, 300 W in force" in evidence(tmp_path, "power-cap")


def test_allowed_changes_to_the_code_pass_and_stand_in_the_verdict(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"a change").hexdigest()
    git = {"commit": digest[:40], "dirty": True, "changes": [" M a.py"], "diff_sha256": digest}
    build_run(tmp_path, Plan(provenance={"git": git, "allow_dirty": True}))
    audit = audit_folder(tmp_path)
    (line,) = [line for line in audit.lines if line.name == "provenance"]
    assert line.outcome is Outcome.PASSED
    assert "with changes, which the launcher was told to allow" in line.evidence
    assert audit.verdict.endswith("; 1 of 1 run from a tree with changes")


def test_a_number_edited_in_the_report_is_found_twice(tmp_path: Path) -> None:
    build_run(tmp_path)
    write_report(load(tmp_path))
    path = tmp_path / "report" / "tables" / "runs.csv"
    path.write_bytes(path.read_bytes().replace(b",200.0,", b",180.0,"))
    found = outcomes(tmp_path)
    assert found["report-tables"] is Outcome.FAILED
    assert found["identities"] is Outcome.FAILED


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("energy_j", "20.0", "has an energy, but is not attributable"),
        ("reason", "", "has no energy and no reason"),
    ],
)
def test_a_number_written_for_a_phase_too_short_for_the_sensor_is_found(
    tmp_path: Path, column: str, value: str, fault: str
) -> None:
    build_run(tmp_path, Plan(prefill_s=0.1))
    write_report(load(tmp_path))
    path = tmp_path / "report" / "tables" / "phases.csv"
    with path.open(newline="") as source:
        rows = list(csv.DictReader(source))
    (prefill,) = [row for row in rows if row["phase"] == "prefill"]
    prefill |= {"energy_uncertainty_j": "1.0", column: value}
    with path.open("w", newline="") as sink:
        writer = csv.DictWriter(sink, fieldnames=rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert outcomes(tmp_path)["short-phases"] is Outcome.FAILED
    assert fault in evidence(tmp_path, "short-phases")


def test_a_run_on_its_rank_counters_alone_fails_no_check_of_its_energies(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpus": 2}, rank_counter=True, sample=lose_all))
    found = outcomes(tmp_path)
    assert found["phase-sum"] is Outcome.PASSED
    assert found["short-phases"] is Outcome.PASSED
    assert found["power-integral"] is Outcome.SKIPPED
    assert found["coverage"] is Outcome.FAILED


def test_a_gpu_whose_energy_is_not_its_part_of_the_run_is_found(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpus": 2}, idle_gpus=1))
    write_report(load(tmp_path))
    assert outcomes(tmp_path)["identities"] is Outcome.PASSED
    path = tmp_path / "report" / "tables" / "gpus.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "-idle-" not in line))
    assert "J charged = J + idle GPUs" in evidence(tmp_path, "identities")
    path.write_text("".join(lines[:2]))
    assert "J = sum over GPUs" in evidence(tmp_path, "identities")


def test_phases_that_do_not_sum_are_found(tmp_path: Path) -> None:
    run = build_run(tmp_path)

    def overlap(columns: Columns) -> None:
        columns["t_start_us"][5] -= 300_000

    edit_table(run, "spans", overlap)
    reseal(run)
    assert outcomes(tmp_path)["phase-sum"] is Outcome.FAILED


DAMAGE: dict[str, Callable[[RunPaths], object]] = {
    "an empty spans table": lambda run: run.attempt(1).table("spans").write_bytes(b""),
    "a samples table of noise": lambda run: (
        run.attempt(1).table("samples").write_bytes(os.urandom(4096))
    ),
    "a manifest that is a list": lambda run: run.attempt(1).manifest.write_text("[1, 2]"),
    "a manifest without anything": lambda run: run.attempt(1).manifest.write_text("{}"),
    "a seal that is no JSON": lambda run: run.attempt(1).seal.write_bytes(b"\xff\xfe{"),
    "a seal whose files are words": lambda run: edit_json(run.attempt(1).seal, files="all"),
    "a spec with a stranger's key": lambda run: edit_json(run.spec, partition="debug"),
    "no spec": lambda run: run.spec.unlink(),
    "no end": lambda run: run.attempt(1).ended.unlink(),
    "an end of another type": lambda run: edit_json(run.attempt(1).ended, t_us="soon"),
    "hosts that are numbers": lambda run: edit_json(run.attempt(1).manifest, hosts={"a": 1}),
    "ranks that are words": lambda run: edit_json(run.attempt(1).manifest, ranks=["zero"]),
    "deeply nested provenance": lambda run: run.attempt(1).provenance.write_text("[" * 100_000),
    "provenance that is null": lambda run: run.attempt(1).provenance.write_text("null"),
    "a prompts hash that is a path": lambda run: edit_json(
        run.attempt(1).launch, prompts_sha256="../../../../etc/passwd"
    ),
}


@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_damaged_input_is_a_failed_check_and_never_a_traceback(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    DAMAGE[damage](run)
    assert main([str(tmp_path)]) == 1
    assert "[ ] " in capsys.readouterr().out
    assert read_json(tmp_path / "report" / "audit.json")["passed"] is False


def test_an_audit_says_the_same_twice_and_prints_a_box_for_each_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path)
    assert main([str(tmp_path)]) == 0
    first = (tmp_path / "report" / "audit.json").read_bytes()
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "report" / "audit.json").read_bytes() == first
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert len(lines) == 2 * len(json.loads(first)["checks"])
    assert all(line[:4] in ("[x] ", "[-] ") for line in lines)


def test_an_audit_does_not_touch_the_record(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    main([str(tmp_path)])
    assert before == {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("folder", "code"), [("nowhere", 2), (".", 3)])
def test_nothing_to_audit_is_one_line_and_a_missing_folder_bad_input(
    tmp_path: Path, folder: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / folder)]) == code
    assert capsys.readouterr().err.startswith("audit: ")


def test_a_counter_polled_more_seldom_than_the_window_is_long_misses_nothing(
    tmp_path: Path,
) -> None:
    build_run(tmp_path, Plan(rank_counter=True, counter_period_us=5_000_000))
    (line,) = [line for line in audit_results(tmp_path) if line.name == "coverage"]
    assert line.outcome is Outcome.PASSED, line.evidence
