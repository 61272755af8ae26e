"""RunSpec decides a run's identity; RunPaths and AttemptPaths say where its record lies."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

from telemetry.record.files import write_json
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC

OTHER: dict[str, Any] = {
    "model": "7b",
    "engine": "graph",
    "dtype": "bf16",
    "quantization": "int8",
    "weights": "0123456789abcdef",
    "tokenizer": "llama-32000",
    "gpu": "a100",
    "gpus": 2,
    "gpus_per_node": 1,
    "dataset": "alpaca",
    "prompts": 5,
    "batch_size": 3,
    "max_prompt_len": 65,
    "max_gen_len": 9,
    "temperature": 0.7,
    "top_p": 0.9,
    "ignore_eos": True,
    "seed": 2,
    "power_cap_w": 200.0,
    "sm_clock_mhz": 1000,
    "repeat": 1,
}


def test_run_id_is_a_slug_and_eight_hex_digits(spec: RunSpec) -> None:
    assert spec.run_id.startswith("nano-gsm8k-sample-simulated-a100-g1-b2-l8-r0-")
    assert len(spec.run_id.rpartition("-")[2]) == 8


def test_run_id_is_the_same_everywhere(spec: RunSpec) -> None:
    # Printed once; a change would make every center's finished runs start again.
    assert spec.run_id == "nano-gsm8k-sample-simulated-a100-g1-b2-l8-r0-47690816"


def test_a_format_of_keys_moves_the_run_id_and_its_absence_does_not(spec: RunSpec) -> None:
    kept = dataclasses.replace(spec, kv_dtype="fp8")
    assert kept.run_id != spec.run_id
    assert (kept.cached_dtype, spec.cached_dtype) == ("fp8", spec.dtype)
    assert "kv_dtype" not in spec.to_mapping()
    assert RunSpec.from_mapping(kept.to_mapping()) == kept


@pytest.mark.parametrize("name", sorted(SPEC))
def test_every_field_moves_the_run_id(spec: RunSpec, name: str) -> None:
    changes = {name: OTHER[name]}
    if name == "gpus_per_node":
        changes["gpus"] = 2
        wider = dataclasses.replace(spec, gpus=2, gpus_per_node=2)
        assert dataclasses.replace(spec, **changes).run_id != wider.run_id
    else:
        assert dataclasses.replace(spec, **changes).run_id != spec.run_id


def test_spec_survives_its_json(spec: RunSpec) -> None:
    assert RunSpec.from_mapping(json.loads(spec.canonical_json)) == spec


def test_whole_number_and_real_are_the_same_spec() -> None:
    one = RunSpec.from_mapping({**SPEC, "temperature": 1, "power_cap_w": 200})
    other = RunSpec.from_mapping({**SPEC, "temperature": 1.0, "power_cap_w": 200.0})
    assert one.run_id == other.run_id


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("model", "7B", "`model` must be a name of lower-case letters"),
        ("dataset", "../up", "`dataset` must be a name"),
        ("gpu", "a b", "`gpu` must be a name"),
        ("dtype", "fp64", "`dtype` must be one of fp32, fp16, bf16, but is 'fp64' instead"),
        ("gpus", 0, "`gpus` must be a whole number of at least 1, but is 0 instead"),
        ("gpus", True, "`gpus` must be a whole number"),
        ("seed", 2**63, f"`seed` must be a whole number of at most {2**63 - 1}, but is {2**63} "),
        ("gpus", 1.0, "`gpus` must be a whole number"),
        ("gpus_per_node", 2, "`gpus` must be a multiple of `gpus_per_node`, but 1 = 0 x 2 + 1"),
        ("seed", -1, "`seed` must be a whole number of at least 0"),
        ("temperature", -0.1, "`temperature` must be a number at least 0 and at most 100"),
        ("temperature", float("nan"), "`temperature` must be a number"),
        ("temperature", True, "`temperature` must be a number"),
        ("top_p", 0.0, "`top_p` must be a number above 0 and at most 1, but is 0.0 instead"),
        ("power_cap_w", 0.0, "`power_cap_w` must be a number above 0"),
        ("power_cap_w", float("inf"), "`power_cap_w` must be a number"),
        ("sm_clock_mhz", 0, "`sm_clock_mhz` must be a whole number of at least 1"),
        ("ignore_eos", 1, "`ignore_eos` must be true or false, but is 1 instead"),
    ],
)
def test_value_that_is_not_allowed_is_refused_by_name(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        RunSpec.from_mapping({**SPEC, name: value})


def test_stranger_s_key_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"`partition` must be one of .* is no field of a run"):
        RunSpec.from_mapping({**SPEC, "partition": "gpu"})


def test_missing_key_is_named() -> None:
    with pytest.raises(ValueError, match="`seed` must be given, but is missing"):
        RunSpec.from_mapping({name: value for name, value in SPEC.items() if name != "seed"})


def test_simulated_gpu_has_its_kind_beside_the_mark(spec: RunSpec) -> None:
    assert (spec.simulated, spec.gpu_kind) == (True, "a100")
    real = dataclasses.replace(spec, gpu="a100")
    assert (real.simulated, real.gpu_kind) == (False, "a100")


def test_nodes_are_ranks_over_ranks_per_node(spec: RunSpec) -> None:
    assert dataclasses.replace(spec, gpus=8, gpus_per_node=2).nodes == 4


def test_attempts_come_by_number_and_strangers_are_left_out(tmp_path: Path) -> None:
    run = RunPaths(results=tmp_path, run_id="r")
    for name in ("attempt-010", "attempt-002", "attempt-1000", "attempt-x", "notes"):
        (run.folder / name).mkdir(parents=True)
    assert [attempt.number for attempt in run.attempts()] == [2, 10, 1000]


def test_run_without_a_folder_has_no_attempts(tmp_path: Path) -> None:
    assert RunPaths(results=tmp_path, run_id="r").attempts() == []


def test_two_sealed_attempts_are_refused(tmp_path: Path) -> None:
    run = RunPaths(results=tmp_path, run_id="r")
    for number in (1, 2):
        run.attempt(number).folder.mkdir(parents=True)
        run.attempt(number).seal.write_text("{}")
    with pytest.raises(ValueError, match="at most one sealed attempt, but attempts 1, 2 are"):
        run.sealed()


def test_runs_are_the_folders_with_a_spec(tmp_path: Path) -> None:
    for name in ("b", "a", "prompts"):
        (tmp_path / name).mkdir()
    for name in ("b", "a"):
        (tmp_path / name / "spec.json").write_text("{}")
    assert [run.run_id for run in list_runs(tmp_path)] == ["a", "b"]
    assert list(list_runs(tmp_path / "nowhere")) == []


def test_every_file_of_an_attempt_lies_in_its_folder(tmp_path: Path) -> None:
    attempt = RunPaths(results=tmp_path, run_id="r").attempt(7)
    assert attempt.folder == tmp_path / "r" / "attempt-007"
    assert attempt.host("n1") == attempt.folder / "hosts" / "n1.json"
    assert attempt.rank(3) == attempt.folder / "ranks" / "rank-00003.json"
    assert attempt.rank_shard("spans", 3) == attempt.folder / "shards" / "spans" / "rank-00003"


def test_a_run_that_is_still_being_made_is_not_listed(tmp_path: Path, spec: RunSpec) -> None:
    for name in (spec.run_id, f".{spec.run_id}-k3x9"):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "spec.json", spec.to_mapping())
    assert [run.run_id for run in list_runs(tmp_path)] == [spec.run_id]


def test_fields_that_older_specs_lack_change_no_run_s_name_while_nobody_asks_for_them() -> None:
    old = RunSpec.from_mapping(SPEC)
    assert "memory_clock_mhz" not in old.canonical_json
    asked = RunSpec.from_mapping({**SPEC, "decode_power_cap_w": 200, "memory_clock_mhz": 1593})
    assert asked.run_id != old.run_id
    assert asked.settings == {"decode_power_cap_w": 200.0, "memory_clock_mhz": 1593}
    assert RunSpec.from_mapping(asked.to_mapping()) == asked
