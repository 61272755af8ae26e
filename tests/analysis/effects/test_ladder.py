"""The engines on one ladder: the same work alone, ratios with intervals, reasons for gaps."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.effects.ladder import RUNGS
from analysis.figures.engine_ladder import engine_ladder
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.workbook.build import TABLES, build_tables
from telemetry.record.files import write_bytes
from telemetry.record.paths import prompts_folder
from tests.support.recordings import FOLDER, recorded, unpack
from tests.support.records import Plan, build_run, window_s

H200: Mapping[str, Any] = {"name": "NVIDIA H200", "kind": "h200"}
# The ladder's table and what it and its figure are made from.
NEEDED = ("groups", "runs", "performance", "gpus", "engine_ladder")
FIVE = tuple(name for name in RUNGS if name != "vllm")


def plan(engine: str, decode_s: float = 1.5, **changes: Any) -> Plan:
    spec = {"gpu": "h200", "dtype": "fp16", "ignore_eos": True, "engine": engine}
    own = changes.pop("spec", {})
    return Plan(spec={**spec, **own}, gpu=H200, decode_s=decode_s, **changes)


def tables_of(results: Path, *plans: Plan) -> Any:
    for one in plans:
        build_run(results, one)
    return build_tables(load(results), kinds=[kind for kind in TABLES if kind.name in NEEDED])


def ladder_of(results: Path, *plans: Plan) -> dict[str, Row]:
    rows = tables_of(results, *plans).engine_ladder.rows
    return {str(row["engine"]): row for row in rows}


def fewer(row: dict[str, Any]) -> dict[str, Any]:
    """An answer of half the tokens."""
    ids = row["generated_ids"][: len(row["generated_ids"]) // 2]
    return {**row, "generated_tokens": len(ids), "generated_ids": ids}


def padded(row: dict[str, Any]) -> dict[str, Any]:
    """A prompt whose padding is counted."""
    return {**row, "prompt_tokens": row["prompt_tokens"] + 3}


def test_five_engines_stand_on_one_ladder_in_their_order(tmp_path: Path) -> None:
    plans = [
        plan(engine, 2.0 - 0.3 * place + 0.1 * repeat, spec={"repeat": repeat})
        for place, engine in enumerate(FIVE)
        for repeat in range(3)
    ]
    rows = ladder_of(tmp_path, *plans)
    assert tuple(rows) == RUNGS
    assert {rows[name]["n"] for name in FIVE} == {3}
    assert {rows[name]["first_rung"] for name in RUNGS} == {"reference"}
    times = {place: window_s(plan(FIVE[place], 2.1 - 0.3 * place)) for place in (0, 4)}
    fast = rows["fast"]
    # All draw 200 W, so that joules go as time, but for geometric means.
    assert fast["energy_ratio"] == pytest.approx(times[4] / times[0], rel=0.01)
    low, high = float(str(fast["energy_ratio_low"])), float(str(fast["energy_ratio_high"]))
    assert low < float(str(fast["energy_ratio"])) < high
    assert fast["rate_ratio"] == pytest.approx(times[0] / times[4], rel=0.01)
    assert fast["rate_ratio_low"] is not None
    assert float(str(fast["energy_per_token_uncertainty_j"])) > 0
    assert str(fast["interval_rule"]).startswith("Welch's t of logarithms")
    assert "random weights" in str(fast["labels"])


def test_an_engine_without_runs_is_a_null_with_its_reason(tmp_path: Path) -> None:
    row = ladder_of(tmp_path, plan("reference"), plan("fast", 0.5))["vllm"]
    assert (row["energy_per_token_j"], row["tokens_per_s"], row["power_w"]) == (None, None, None)
    assert (row["bound_share"], row["energy_ratio"], row["labels"]) == (None, None, None)
    assert row["n"] == 0
    assert row["reason"] == row["bound_reason"] == row["ratio_reason"]
    assert row["reason"] == "no sealed run of this work"


def test_an_engine_that_generated_fewer_tokens_is_not_laid_beside(tmp_path: Path) -> None:
    lie = plan("transformers", 0.5, response=fewer)
    row = ladder_of(tmp_path, plan("reference"), plan("fast"), lie)["transformers"]
    assert (row["energy_per_token_j"], row["energy_ratio"]) == (None, None)
    assert row["reason"] == "it generated 16 tokens in 4 responses where 32 were asked for"
    assert row["generated_tokens_per_response"] == 4


def test_a_first_rung_that_generated_fewer_is_no_measure_for_the_others(tmp_path: Path) -> None:
    rows = ladder_of(tmp_path, plan("reference", response=fewer), plan("transformers"))
    assert rows["reference"]["energy_per_token_j"] is None
    assert rows["transformers"]["first_rung"] == "transformers"
    assert rows["transformers"]["reason"] is None


def test_answers_that_end_by_themselves_may_differ_by_their_draw_alone(tmp_path: Path) -> None:
    free: dict[str, Any] = {"spec": {"ignore_eos": False}}
    rows = ladder_of(
        tmp_path,
        plan("reference", **free),
        plan("fast", **free),
        plan("vllm", response=fewer, **free),
    )
    assert rows["fast"]["reason"] is None
    assert rows["vllm"]["reason"] == "other work: 4 tokens of answer a response, reference 8"


def test_padding_that_is_counted_as_prompt_is_other_work(tmp_path: Path) -> None:
    rows = ladder_of(tmp_path, plan("reference"), plan("transformers", response=padded))
    assert rows["transformers"]["energy_per_token_j"] is None
    assert rows["transformers"]["reason"] == (
        "other work: 8 tokens of prompt a response, reference 5"
    )


def test_another_set_of_prompts_is_other_work(tmp_path: Path) -> None:
    data = b'{"id": "0", "text": "another"}\n'
    sha256 = hashlib.sha256(data).hexdigest()
    prompts_folder(tmp_path).mkdir()
    write_bytes(prompts_folder(tmp_path) / f"{sha256}.jsonl", data)
    other = plan("vllm", launch={"prompts_sha256": sha256})
    rows = ladder_of(tmp_path, plan("reference"), plan("fast"), other)
    assert rows["vllm"]["energy_per_token_j"] is None
    assert rows["vllm"]["reason"] == (
        f"its runs of this spec did other work: prompts_digest {sha256[:12]}"
    )


def test_boards_that_their_driver_calls_something_else_are_not_the_same(tmp_path: Path) -> None:
    other = replace(plan("fast"), gpu={"name": "NVIDIA H100 80GB HBM3", "kind": "h100"})
    row = ladder_of(tmp_path, plan("reference"), other)["fast"]
    assert row["energy_per_token_j"] is None
    assert row["reason"] == "other boards: NVIDIA H100 80GB HBM3, reference NVIDIA H200"


def test_energies_by_two_methods_are_told(tmp_path: Path) -> None:
    rows = ladder_of(tmp_path, plan("reference"), plan("fast", counter=False))
    assert str(rows["fast"]["measured_apart"]).startswith("energy by polled_counter / ")


@pytest.mark.parametrize(
    "other",
    [
        {"gpu": "h100"},
        {"gpus": 2, "gpus_per_node": 2},
        {"batch_size": 4},
        {"dtype": "bf16"},
        {"max_gen_len": 9},
        {"dataset": "alpaca-sample"},
        {"model": "micro"},
    ],
)
def test_runs_of_unlike_work_make_no_ladder(other: Mapping[str, Any], tmp_path: Path) -> None:
    assert not ladder_of(tmp_path, plan("reference"), plan("fast", spec=other))


def test_settings_of_the_measurement_that_differ_are_named(tmp_path: Path) -> None:
    rows = ladder_of(tmp_path, plan("reference"), plan("fast", launch={"warmup_batches": 2}))
    assert rows["fast"]["measured_apart"] == "warmup_batches 1 / 2"


def test_simulated_runs_have_a_ladder_of_their_own_that_says_so(tmp_path: Path) -> None:
    spec = {"gpu": "simulated-a100", "dtype": "fp32"}
    plans = [Plan(spec={**spec, "engine": name}) for name in ("reference", "fast")]
    tables = tables_of(tmp_path, *plans)
    assert {row["simulated"] for row in tables.engine_ladder.rows} == {True}
    chart = engine_ladder(load(tmp_path), tables)
    assert chart.simulated
    build_run(tmp_path, plan("reference"))
    build_run(tmp_path, plan("fast", 0.5))
    assert not engine_ladder(load(tmp_path), tables_of(tmp_path)).simulated


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("recorded")
    chosen = [path for path in recorded() if "b64" in path.name]
    chosen += sorted((FOLDER / "gsm8k").glob("*gsm8k*l256*.tar.xz"))
    for archive in chosen:
        unpack(archive, results)
    return results


def test_recorded_runs_of_two_engines_make_a_true_ladder(real: Path) -> None:
    tables = tables_of(real)
    rows = tables.engine_ladder.rows
    told = [row for row in rows if row["engine"] == "fast"]
    assert {row["model"] for row in told} == {"7b", "13b", "65b"}
    for row in told:
        runs = str(row["runs"]).split()
        own = [one for one in tables.runs.rows if one["run_id"] in runs]
        # The joules of the runs themselves, over their tokens.
        mean = sum(one["energy_j"] / one["generated_tokens"] for one in own) / len(own)
        assert row["energy_per_token_j"] == pytest.approx(mean)
        assert 0.1 < float(str(row["energy_ratio"])) < 0.5
        assert float(str(row["energy_ratio_low"])) < float(str(row["energy_ratio_high"])) < 1.0
        assert 2.0 < float(str(row["rate_ratio"])) < 20.0
        assert 0.3 < float(str(row["bound_share"])) < 1.0
        assert "random weights" in str(row["labels"])
    missing = [row for row in rows if row["engine"] not in ("reference", "fast")]
    assert {row["reason"] for row in missing} == {"no sealed run of this work"}
    chart = engine_ladder(load(real), tables)
    assert chart.reason is None
    assert all(mark.hover and mark.labels for mark in chart.marks())
    # Of more works than there are colours those on the fewest GPUs, so that each size is drawn.
    assert {mark.axes["model"] for mark in chart.marks()} == {"7b", "13b", "65b"}
