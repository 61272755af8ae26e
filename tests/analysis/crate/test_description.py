import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rocrate.rocrate import ROCrate

from analysis.crate.__main__ import main
from analysis.crate.description import NO_LICENCE
from analysis.results.opened import open_results
from telemetry.clock import US_PER_S
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import list_runs
from tests.analysis.crate.conftest import ODD, Made, entities, followed, of_type
from tests.support.records import Plan, build_run

QUDT = "http://qudt.org/vocab/unit/"
HOSTILE = '<script>alert(1)</script>\x1b[2J\u202e ../x http://center.example/#y {"@id": "./"}'


def actions(graph: Mapping[str, Any]) -> dict[int, Any]:
    """The actions by the number of their attempt."""
    return {int(one["name"][-1]): one for one in of_type(graph, "CreateAction")}


def values(graph: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """The PropertyValues that a property refers to, by their propertyID."""
    found = [one for one in followed(graph, value) if one["@type"] == "PropertyValue"]
    return {one.get("propertyID", one["name"]): one for one in found}


def test_every_ended_attempt_is_an_action_that_the_root_mentions(graph: Mapping[str, Any]) -> None:
    completed, failed = actions(graph)[2], actions(graph)[1]
    assert completed["actionStatus"] == "http://schema.org/CompletedActionStatus"
    assert failed["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert failed["error"] == "failed"
    assert "error" not in completed
    mentioned = {one["@id"] for one in graph["./"]["mentions"]}
    assert mentioned == {completed["@id"], failed["@id"]}


def test_an_action_has_the_record_s_times_and_command(made: Made, graph: Mapping[str, Any]) -> None:
    run = next(list_runs(made[0]))
    attempt = run.attempt(2)
    action = actions(graph)[2]
    for name, path in (("startTime", attempt.started), ("endTime", attempt.ended)):
        moment = datetime.fromisoformat(action[name])
        assert moment.timestamp() == pytest.approx(read_json(path)["t_us"] / US_PER_S, abs=1e-3)
    assert "python -m launcher model=nano" in action["description"]


def test_the_spec_is_what_was_worked_on_and_the_tables_what_came_of_it(
    made: Made, graph: Mapping[str, Any]
) -> None:
    run = next(list_runs(made[0]))
    action = actions(graph)[2]
    inputs = {one["@id"] for one in action["object"]}
    results = {one["@id"] for one in action["result"]}
    assert f"{run.run_id}/spec.json" in inputs
    assert f"{run.run_id}/attempt-002/launch.json" in inputs
    assert any(name.startswith("prompts/") for name in inputs)
    for name in ("samples.parquet", "responses.parquet", "spans.parquet", "seal.json"):
        assert f"{run.run_id}/attempt-002/{name}" in results


def test_joules_are_those_of_the_tables_with_units_and_uncertainty(
    made: Made, graph: Mapping[str, Any]
) -> None:
    row = open_results(made[0]).tables.runs.content.to_pylist()[0]
    told = values(graph, actions(graph)[2]["result"])
    for name, code, text in (
        ("energy_j", "J", "J"),
        ("power_w", "W", "W"),
        ("duration_s", "SEC", "s"),
        ("energy_per_token_j", "J", "J / token"),
    ):
        assert told[name]["value"] == row[name]
        assert told[name]["unitCode"] == QUDT + code
        assert told[name]["unitText"] == text
    beside = followed(graph, told["energy_j"]["valueReference"])[0]
    assert beside["value"] == row["energy_uncertainty_j"]
    assert told["energy_j"]["measurementTechnique"] == row["energy_method"]


def test_a_reading_that_nobody_has_is_no_zero_but_a_reason(graph: Mapping[str, Any]) -> None:
    missing = values(graph, actions(graph)[2]["result"])["node_energy_j"]
    assert "value" not in missing
    assert "unitCode" not in missing
    assert missing["description"].startswith("not recorded: ")


def test_simulated_stands_in_every_name_and_in_a_property(graph: Mapping[str, Any]) -> None:
    assert graph["./"]["name"].startswith("SIMULATED")
    for action in actions(graph).values():
        assert action["name"].startswith("SIMULATED")
        assert values(graph, action["additionalProperty"])["simulated"]["value"] is True
    energy = values(graph, actions(graph)[2]["result"])["energy_j"]
    assert energy["name"].startswith("SIMULATED")


def test_a_gpu_is_told_with_what_is_not_known_of_it(graph: Mapping[str, Any]) -> None:
    host = followed(graph, actions(graph)[2]["location"])[0]
    gpu = followed(graph, host["isRelatedTo"])[0]
    assert host["name"] == "node0"
    assert gpu["identifier"] == "SIM-a100-node0-0"
    properties = values(graph, gpu["additionalProperty"])
    assert properties["vbios"]["description"].startswith("not recorded")
    assert properties["power_limit_w"]["unitCode"] == QUDT + "W"
    used = followed(graph, actions(graph)[2]["resourceUsage"])[0]
    assert graph[used["about"]["@id"]]["identifier"] == gpu["identifier"]


def test_program_packages_and_person_are_those_of_the_record(graph: Mapping[str, Any]) -> None:
    action = actions(graph)[2]
    program = followed(graph, action["instrument"])[0]
    assert program["name"] == "joulegrid"
    assert graph[program["identifier"]["@id"]]["value"].startswith("0123456789abcdef")
    packages = {
        one["name"]: one["version"] for one in followed(graph, program["softwareRequirements"])
    }
    assert packages == {"Python": "3.11.7", "numpy": "2.4.0", "torch": "2.13.0"}
    assert followed(graph, action["agent"])[0]["name"] == "somebody"


def test_every_file_is_named_with_its_sha256(made: Made, graph: Mapping[str, Any]) -> None:
    crate = made[1]
    lying = {path for path in crate.rglob("*") if path.is_file()}
    lying.remove(crate / "ro-crate-metadata.json")
    for path in lying:
        entity = graph[quote(path.relative_to(crate).as_posix())]
        assert entity["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entity["contentSize"] == str(path.stat().st_size)
    assert len(of_type(graph, "File")) == len(lying)


def test_an_odd_name_is_a_uri_reference(made: Made, graph: Mapping[str, Any]) -> None:
    name = f"campaigns/20261127T000000Z/jobs/{ODD}"
    assert (made[1] / name).is_file()
    entity = graph["campaigns/20261127T000000Z/jobs/1%2050%25%23%C3%A4%3A%3F%26.log"]
    assert entity["name"] == name


def test_a_center_joins_a_job_by_cluster_number_and_time(tmp_path: Path) -> None:
    run = build_run(tmp_path / "results", Plan(merged=False))
    attempt = run.attempt(1)
    write_json(
        attempt.submitted,
        {
            "executor": "slurm",
            "slurm_cluster": "alps",
            "job_id": "77_3",
            "submit_time": "2026-11-20T10:00:00",
        },
    )
    write_json(
        attempt.folder / "slurm.json",
        {"environment": {"SLURM_JOB_ID": "80", "SLURM_CONTAINER": "/images/llm"}},
    )
    seal(run)
    graph = crated(tmp_path)
    action = actions(graph)[1]
    joins = {name: one["value"] for name, one in values(graph, action["identifier"]).items()}
    assert joins == {
        "slurm_cluster": "alps",
        "job_id": "77_3",
        "submit_time": "2026-11-20T10:00:00",
    }
    assert values(graph, action["environment"])["SLURM_JOB_ID"]["value"] == "80"
    assert followed(graph, action["containerImage"])[0]["name"] == "/images/llm"


def test_where_there_was_no_slurm_the_crate_says_so(graph: Mapping[str, Any]) -> None:
    joins = values(graph, actions(graph)[2]["identifier"])
    assert all("value" not in one for one in joins.values())
    assert all(one["description"].startswith("not recorded: ") for one in joins.values())


def test_hostile_words_of_a_record_stay_values(tmp_path: Path) -> None:
    build_run(
        tmp_path / "results",
        Plan(
            provenance={
                "user": HOSTILE,
                "packages": {HOSTILE: HOSTILE, "joulegrid": {"@id": "./"}},
                "command": [HOSTILE],
                "git": {"commit": {"@id": "http://center.example"}, "dirty": False},
            },
            gpu={"serial": HOSTILE, "vbios": {"@id": "../x"}},
        ),
    )
    graph = crated(tmp_path)
    text = (tmp_path / "crate" / "ro-crate-metadata.json").read_text()
    assert "\x1b" not in text
    for identifier, entity in graph.items():
        own = identifier in ("./", "ro-crate-metadata.json") or identifier.startswith("#")
        assert own or "sha256" in entity or entity["@type"] == "Dataset" or "/wfrun/" in identifier
        for value in entity.values():
            for one in value if isinstance(value, list) else [value]:
                assert not isinstance(one, dict) or one["@id"] in graph or "/ro/" in one["@id"]
    assert followed(graph, actions(graph)[1]["agent"])[0]["name"] == HOSTILE


def test_a_licence_is_what_its_maker_states_or_not_stated(tmp_path: Path) -> None:
    build_run(tmp_path / "results")
    assert crated(tmp_path)["./"]["license"] == NO_LICENCE
    stated = crated(tmp_path, "--license", "https://center.example/licence", out="other")
    assert stated["./"]["license"] == {"@id": "https://center.example/licence"}


def test_only_ended_attempts_are_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = build_run(tmp_path / "results")
    going = run.attempt(2)
    going.folder.mkdir()
    write_json(going.launch, {})
    graph = crated(tmp_path)
    assert list(actions(graph)) == [1]
    assert not [name for name in graph if "attempt-002" in name]
    assert "attempt-002: no end is on record" in " ".join(capsys.readouterr().out.split())


def seal(run: Any) -> None:
    from telemetry.merge.attempt import merge_attempt  # noqa: PLC0415
    from telemetry.record.seal import seal_attempt  # noqa: PLC0415

    merge_attempt(run, run.attempt(1))
    seal_attempt(run, run.attempt(1))


def crated(base: Path, *words: str, out: str = "crate") -> dict[str, Any]:
    assert main([str(base / "results"), "--out", str(base / out), *words]) == 0
    return entities(base / out)


def test_the_date_is_that_of_the_last_seal(made: Made, graph: Mapping[str, Any]) -> None:
    sealed = json.loads((next(list_runs(made[0])).attempt(2).seal).read_bytes())["sealed_us"]
    day = datetime.fromisoformat(graph["./"]["datePublished"])
    assert 0 <= sealed / US_PER_S - day.timestamp() < 48 * 3600


def test_the_library_of_ro_crates_reads_it(made: Made) -> None:
    crate = ROCrate(str(made[1]))
    mentioned = {one.id for one in crate.root_dataset["mentions"]}
    actions = {one.id for one in crate.get_by_type("CreateAction")}
    assert mentioned == actions
    assert len(actions) == 2
    assert {one.get("name") for one in crate.get_by_type("Person")} == {"somebody"}
