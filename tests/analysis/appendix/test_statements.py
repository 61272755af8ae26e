"""Each statement is the record's: another value there is another value here, and none is none."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from analysis.appendix.badges import State, judged, state_of
from analysis.appendix.making import gather
from analysis.appendix.markdown import markdown
from analysis.appendix.system import to_mapping
from analysis.audit.__main__ import main as audit
from analysis.results.opened import open_results
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import list_runs
from telemetry.record.place import named_place
from tests.analysis.appendix.conftest import Write, Written, appendices, row_of
from tests.support.records import Plan, build_run, reseal

PLATFORM = {"cpu_model": "A CPU", "logical_cpus": 2, "memory_bytes": 1 << 33, "kernel": "6.1"}


@pytest.mark.parametrize(
    ("document", "label", "changes", "told"),
    [
        ("artifact", "GPU", {"gpu": {"name": "SIMULATED X9"}}, "SIMULATED X9"),
        ("artifact", "VBIOS", {"gpu": {"vbios": "96.00.A5"}}, "96.00.A5"),
        ("artifact", "GPU driver", {"gpu": {"driver": "580.1"}}, "580.1"),
        ("artifact", "GPU memory", {"gpu": {"memory_bytes": 7e9}}, "7 GB"),
        ("artifact", "Power limit in W", {"gpu": {"power_limit_w": 123.0}}, "123"),
        (
            *("artifact", "Processor"),
            *({"hosts": {"platform": {**PLATFORM, "cpu_model": "Z80"}}}, "Z80"),
        ),
        (
            *("artifact", "Kernel"),
            *({"hosts": {"platform": {**PLATFORM, "kernel": "7.0"}}}, "7.0"),
        ),
        (
            *("artifact", "Memory of a node"),
            *({"hosts": {"platform": {**PLATFORM, "memory_bytes": 5e9}}}, "5 GB"),
        ),
        ("artifact", "Python", {"provenance": {"python": "3.99"}}, "3.99"),
        ("artifact", "torch", {"provenance": {"packages": {"torch": "9.9"}}}, "9.9"),
        (
            *("artifact", "All packages", {"provenance": {"packages": {"a": "1"}}}),
            "1, with their versions, in provenance.json of each run",
        ),
        ("artifact", "Commit", {"provenance": {"git": {"commit": "feed"}}}, "feed"),
        ("artifact", "Prompts of a run", {"spec": {"prompts": 6}}, "6"),
        ("artifact", "Seed", {"spec": {"seed": 77}}, "77"),
        ("artifact", "Data set", {"spec": {"dataset": "alpaca-sample"}}, "alpaca-sample"),
        ("system", "accelerators_per_node", {"spec": {"gpus": 2, "gpus_per_node": 2}}, "2"),
        ("system", "accelerator_model_name", {"gpu": {"name": "SIMULATED X9"}}, "SIMULATED X9"),
        ("system", "number_of_nodes", {"spec": {"gpus": 2, "gpus_per_node": 1}}, "2"),
        ("system", "hw_notes", {"gpu": {"vbios": "96.00.A5"}}, "VBIOS 96.00.A5"),
        ("system", "framework", {"provenance": {"packages": {"torch": "9.9"}}}, "torch 9.9"),
    ],
)
def test_a_statement_follows_the_record(
    write: Write, document: str, label: str, changes: dict[str, Any], told: str
) -> None:
    assert row_of(write(**changes)[document], label) == told
    assert row_of(write()[document], label) != told


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        ("VBIOS", {}),
        ("GPU driver", {}),
        ("Commit", {"provenance": {"git": {"commit": None}}}),
        ("Python", {"provenance": {"python": None}}),
        ("All packages", {"provenance": {"packages": {}}}),
        ("Processor", {"hosts": {"platform": {}}}),
    ],
)
def test_what_the_record_lacks_is_not_recorded_with_a_reason(
    write: Write, label: str, changes: dict[str, Any]
) -> None:
    told = row_of(write(**changes)["artifact"], label)
    assert told.startswith("not recorded: ")
    assert len(told) > len("not recorded: ")


def test_what_differs_between_runs_is_told_of_all(tmp_path: Path) -> None:
    results = tmp_path / "results"
    build_run(results, Plan(gpu={"driver": "1.0"}))
    build_run(results, Plan(gpu={"driver": "2.0"}, spec={"repeat": 1}))
    build_run(results, Plan(spec={"repeat": 2}))
    told = row_of(appendices(results)["artifact"], "GPU driver")
    assert told == "1.0; 2.0 (not recorded in 1 of 3)"


def test_execution_takes_as_long_as_the_runs_took(write: Write, tmp_path: Path) -> None:
    write()
    results = next(tmp_path.iterdir())
    run = next(list_runs(results))
    attempt = run.attempt(1)
    took_us = read_json(attempt.ended)["t_us"] - read_json(attempt.started)["t_us"]
    told = row_of(appendices(results)["artifact"], "Artifact Execution")
    assert float(told) == pytest.approx(took_us / 60e6, abs=0.05)
    later = {
        **read_json(attempt.ended),
        "t_us": read_json(attempt.started)["t_us"] + 90 * 60_000_000,
    }
    write_json(attempt.ended, later)
    reseal(run)
    assert row_of(appendices(results)["artifact"], "Artifact Execution") == "90.0"
    attempt.started.unlink()
    reseal(run)
    told = row_of(appendices(results)["artifact"], "Artifact Execution")
    assert told == "not recorded: 1 of 1 runs tell no start or no end"


def test_energies_are_those_of_the_tables(measured: Path, of_measured: Written) -> None:
    text = markdown(of_measured["artifact"])
    groups = open_results(measured).tables.groups.content.to_pylist()
    assert groups
    for row in groups:
        assert f"{row['energy_per_token_j_mean']:.4g}" in text
        assert f"{row['power_w_mean']:.4g}" in text


def test_the_artifact_is_identified_by_its_seals(measured: Path, of_measured: Written) -> None:
    text = markdown(of_measured["artifact"])
    for run in open_results(measured).runs:
        assert run.seal_sha256 in text


def test_commands_are_as_one_types_them(write: Write) -> None:
    text = markdown(write()["artifact"])
    assert "python -m launcher 'reproduce=results 0' plan=true" in text
    assert "python -m analysis.compare 'results 0' 'results 0-reproduced'" in text


def test_what_the_numbers_are_not_stands_on_top_of_each(write: Write) -> None:
    dirty = {"git": {"commit": "feed", "dirty": True, "changes": [" M x"]}}
    for document in write(provenance=dirty).values():
        top = markdown(document).splitlines()[2:12]
        for word in ("SIMULATED", "RANDOM WEIGHTS", "CODE WITH CHANGES", "NOT AUDITED"):
            assert any(word in line for line in top), (document.name, word)


def test_a_failed_audit_stands_on_top(tmp_path: Path) -> None:
    results = tmp_path / "results"
    build_run(results, Plan(response=lambda row: {**row, "words": row["words"] + 1}))
    assert audit([str(results)]) == 1
    warnings = appendices(results)["badges"].warnings
    assert any(line.startswith("AUDIT FAILED") for line in warnings)
    assert state(results, "Artifacts Evaluated - Functional") is State.NOT_MET


def test_an_audit_of_other_files_is_none(tmp_path: Path) -> None:
    results = tmp_path / "results"
    build_run(results)
    audit([str(results)])
    build_run(results, Plan(spec={"repeat": 1}))
    warnings = appendices(results)["badges"].warnings
    assert any(line.startswith("NOT AUDITED") for line in warnings)


def test_a_run_that_was_changed_is_in_no_number_and_named(tmp_path: Path) -> None:
    results = tmp_path / "results"
    build_run(results)
    forged = build_run(results, Plan(spec={"repeat": 1}))
    forged.attempt(1).ended.write_text("{}")
    warnings = appendices(results)["boundary"].warnings
    assert any("NOT AS SEALED" in line and forged.run_id in line for line in warnings)


def state(results: Path, badge: str) -> State:
    return state_of(judged(gather(named_place(results, "x")))[badge])


def test_a_planned_run_that_is_not_there_keeps_a_badge_away(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = build_run(results)
    plan = results / "campaigns" / "20261127T000000Z" / "campaign.json"
    plan.parent.mkdir(parents=True)
    points = [{"run_id": run.run_id, "verdict": "run"}, {"run_id": "other", "verdict": "run"}]
    write_json(plan, {"points": points[:1]})
    assert "all 1 planned runs are sealed" in markdown(appendices(results)["badges"])
    write_json(plan, {"points": points})
    text = markdown(appendices(results)["badges"])
    assert "1 of 2 planned runs are not sealed, such as other" in text
    assert state(results, "Artifacts Evaluated - Functional") is State.NOT_MET


def test_no_badge_of_people_is_given_by_a_record(of_measured: Written) -> None:
    for badge in ("Artifacts Available", "Results Reproduced", "Results Replicated"):
        assert row_of(of_measured["badges"], badge) == "cannot tell by the record"


def test_the_boundary_follows_period_and_window(write: Write, tmp_path: Path) -> None:
    document = write()["boundary"]
    assert row_of(document, "1a Granularity").startswith("a power reading each 0.1 s | met")
    results = next(tmp_path.iterdir())
    run = next(list_runs(results))
    manifest = read_json(run.attempt(1).manifest)
    for entry in manifest["coverage"]:
        entry["period_us"] = 2_000_000
    write_json(run.attempt(1).manifest, manifest)
    reseal(run)
    told = row_of(appendices(results)["boundary"], "1a Granularity")
    assert told.startswith("a power reading each 2 s | not met")
    assert "1 of 1 runs are shorter" in row_of(document, "1b Timespan")
    document = write(decode_s=40.0)["boundary"]
    assert "| met |" in row_of(document, "1b Timespan")


def test_gpu_sensors_alone_meet_no_level(of_measured: Written) -> None:
    text = markdown(of_measured["boundary"])
    assert "**Level:** none" in text
    assert "| not met |" in row_of(of_measured["boundary"], "4 Point and accuracy")
    assert "cannot tell" in row_of(of_measured["boundary"], "2 Machine fraction")


def test_an_outside_meter_stands_as_its_user_states_it(tmp_path: Path) -> None:
    results = tmp_path / "results"
    build_run(results)
    statement = {"boundary": "node", "covers": ["node0"], "calibration": "PTB 2026 no. 7"}
    (results / "meters").mkdir()
    write_json(results / "meters" / "pdu.json", {"statement": statement})
    told = row_of(appendices(results)["boundary"], "outside meter pdu")
    assert "boundary node" in told
    assert "covers node0" in told
    assert "calibrated by PTB 2026 no. 7" in told
    point = row_of(appendices(results)["boundary"], "4 Point and accuracy")
    assert "| cannot tell by the record |" in point
    write_json(results / "meters" / "pdu.json", {"statement": {**statement, "calibration": None}})
    assert "| not met |" in row_of(appendices(results)["boundary"], "4 Point and accuracy")


def test_the_system_is_json_with_null_and_reason(measured: Path) -> None:
    system = to_mapping(gather(named_place(measured, "x")))
    assert json.loads(json.dumps(system)) == system
    assert system["accelerator_model_name"]["value"] == "NVIDIA H200"
    assert system["cooling"] == {
        "value": None,
        "reason": "its owner states it, no record does",
        "missing": 0,
        "asked": 0,
    }
    for told in system.values():
        assert (told["value"] is None) == (told["reason"] is not None)


def test_uncertainty_is_told_with_the_point(of_measured: Written, measured: Path) -> None:
    rows = open_results(measured).tables.runs.content.to_pylist()
    shares = sorted(100 * row["energy_uncertainty_j"] / row["energy_j"] for row in rows)
    told = row_of(of_measured["boundary"], "4 Point and accuracy")
    assert f"{shares[0]:.3g} to {shares[-1]:.3g} %" in told
    assert all(map(math.isfinite, shares))


def test_what_integrated_the_energy_is_told(write: Write) -> None:
    counted = row_of(write(rank_counter=True)["boundary"], "1c Type")
    assert counted.startswith("rank_counter | met")
    assert "without a gap" in counted
    summed = row_of(write(counter=False)["boundary"], "1c Type")
    assert summed.startswith("power_integral of power_instant_w | met")
    assert "not everywhere by a counter" in summed
