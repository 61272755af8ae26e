"""What lengths and entropy of prompts and answers cost."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.energy.run_energy import RunEnergy
from analysis.findings.complexity_fit import (
    BASE,
    DATASETS,
    ENTROPY,
    GENERATED,
    PROMPT,
    TERMS,
    Fitted,
    PromptFamily,
)
from analysis.findings.complexity_models import TermRow
from analysis.findings.prompt_texts import entropy_bits, prompt_texts
from analysis.runs.sealed_runs import open_run
from analysis.tables.column import Row
from tests.analysis.findings.built import H200, REAL, tables_of
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run, work_w


def test_entropy_is_shannons_of_how_often_each_value_occurs() -> None:
    assert entropy_bits(np.array([7, 7, 7, 7])) == 0.0
    assert entropy_bits(np.array([0, 1, 2, 3])) == 2.0
    assert entropy_bits(np.array([0, 0, 0, 1])) == pytest.approx(
        -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    )
    assert entropy_bits(np.array([], dtype=np.int64)) == 0.0


def test_each_batch_has_its_lengths_its_entropy_and_its_energy(tmp_path: Path) -> None:
    plan = Plan(spec=REAL, gpu=H200)
    rows = tables_of(tmp_path, plan).complexity.rows
    assert [row["stretch"] for row in rows] == [0, 1]
    assert [row["batches"] for row in rows] == [1, 1]
    assert [row["prompt_tokens"] for row in rows] == [10, 10]
    assert [row["generated_tokens"] for row in rows] == [16, 16]
    seconds = plan.prefill_s + plan.decode_s
    assert rows[0]["seconds"] == pytest.approx(seconds)
    assert rows[0]["energy_j"] == pytest.approx(work_w(0) * seconds)
    assert rows[0]["energy_per_response_j"] == pytest.approx(work_w(0) * seconds / 2)
    assert rows[0]["decode_energy_j"] == pytest.approx(work_w(0) * plan.decode_s)
    text = b"prompt 0"
    own = entropy_bits(np.frombuffer(text, dtype=np.uint8).astype(np.int64))
    assert rows[0]["prompt_entropy_bits"] == pytest.approx(own)
    # No id of a built answer comes twice.
    assert rows[0]["answer_entropy_bits"] == pytest.approx(4.0)


def test_a_run_of_many_batches_has_stretches_that_leave_none_out(tmp_path: Path) -> None:
    plan = Plan(spec={**REAL, "prompts": 40, "batch_size": 1}, gpu=H200, overhead_s=0.0)
    rows = tables_of(tmp_path, plan).complexity.rows
    assert len(rows) == 16
    assert sum(int(str(row["batches"])) for row in rows) == 40
    total_j = work_w(0) * 40 * (plan.prefill_s + plan.decode_s)
    assert sum(float(str(row["energy_j"])) for row in rows) == pytest.approx(total_j)


def test_lengths_that_are_the_same_in_all_tell_no_slope(tmp_path: Path) -> None:
    rows = tables_of(tmp_path, Plan(spec=REAL, gpu=H200)).complexity_models.rows
    own = {row["term"]: row for row in rows if row["outcome"] == "energy_j"}
    assert {row["slope_j"] for row in own.values()} == {None}
    assert own[PROMPT]["reason"] == "the same in all: 10 a batch"
    assert own[GENERATED]["reason"] == "the same in all: 16 a batch"
    assert own[BASE]["reason"] is not None


def family(
    energy: Callable[[float, float, float], float],
    lengths: Callable[[np.random.Generator], tuple[float, float, float]],
    count: int = 40,
    **same: Any,
) -> Fitted:
    generator = np.random.default_rng(3)
    rows: list[Row] = []
    for number in range(count):
        prompt, generated, bits = lengths(generator)
        batches = 1 + number % 2
        rows.append(
            {
                "run_id": f"run-{number % 4}",
                "batches": batches,
                "prompt_tokens": round(prompt) * batches,
                "generated_tokens": round(generated) * batches,
                "prompt_entropy_bits": bits,
                "energy_j": energy(round(prompt), round(generated), bits) * batches,
                "simulated": False,
                "random_weights": True,
                "dataset": "gsm8k",
                **same,
            }
        )
    return Fitted(family=PromptFamily(rows=tuple(rows)), outcome="energy_j")


def free(generator: np.random.Generator) -> tuple[float, float, float]:
    return (
        float(generator.uniform(1000, 4000)),
        float(generator.uniform(2000, 16000)),
        float(generator.uniform(4.0, 4.5)),
    )


def test_slopes_that_made_the_energies_are_found_again_with_what_a_batch_costs() -> None:
    noise = np.random.default_rng(5)

    def energy(prompt: float, generated: float, _bits: float) -> float:
        return 50.0 + 0.03 * prompt + 0.2 * generated + float(noise.normal(0, 5))

    model = family(energy, free).model
    for term, true in ((BASE, 50.0), (PROMPT, 0.03), (GENERATED, 0.2), (ENTROPY, 0.0)):
        slope = model.slopes[term]
        assert slope.low <= true + 1e-9 <= slope.high or term == BASE
    assert model.slopes[GENERATED].value == pytest.approx(0.2, rel=0.02)
    assert model.slopes[PROMPT].value == pytest.approx(0.03, rel=0.1)
    assert model.slopes[ENTROPY].p > 0.05
    assert model.r_squared == pytest.approx(1.0, abs=1e-3)


def test_an_effect_of_entropy_is_told_after_lengths() -> None:
    noise = np.random.default_rng(6)

    def energy(prompt: float, generated: float, bits: float) -> float:
        return 0.03 * prompt + 0.2 * generated + 100.0 * bits + float(noise.normal(0, 2))

    slope = family(energy, free).model.slopes[ENTROPY]
    assert slope.value == pytest.approx(100.0, rel=0.1)
    assert slope.low > 0


def two_datasets(apart_j: float) -> Fitted:
    noise = np.random.default_rng(7)
    fitted = family(lambda p, g, _: 0.03 * p + 0.2 * g + float(noise.normal(0, 5)), free)
    rows: list[Row] = [
        {
            **row,
            "dataset": "alpaca" if number % 3 else "gsm8k",
            "energy_j": float(str(row["energy_j"]))
            + (apart_j * float(str(row["batches"])) if number % 3 else 0.0),
        }
        for number, row in enumerate(fitted.rows)
    ]
    return Fitted(family=PromptFamily(rows=tuple(rows)), outcome="energy_j")


def test_a_dataset_that_costs_more_beside_its_lengths_is_told() -> None:
    same, apart = (TermRow(of=two_datasets(joules), term=DATASETS) for joules in (0.0, 50.0))
    assert same.p is not None
    assert same.p > 0.05
    assert apart.p is not None
    assert apart.p < 1e-6
    assert "alpaca, gsm8k differ in energy" in str(apart.sentence)
    assert apart.slope is None
    assert apart.reason is not None


def test_one_dataset_alone_is_compared_with_nothing() -> None:
    row = TermRow(of=family(lambda p, g, b: p + g + b**3, free), term=DATASETS)
    assert (row.p, row.reason) == (None, "one dataset alone")


def test_lengths_that_rise_together_are_not_told_apart() -> None:
    def tied(generator: np.random.Generator) -> tuple[float, float, float]:
        prompt = float(generator.uniform(1000, 4000))
        return prompt, 4 * round(prompt), float(generator.uniform(4.0, 4.5))

    model = family(lambda p, g, b: 0.03 * p + 0.2 * g + b, tied).model
    assert set(model.slopes) <= {ENTROPY}
    assert "not told apart" in model.reasons[PROMPT]
    assert "not told apart" in model.reasons[GENERATED]
    assert "not told apart" in model.reasons[BASE]


def test_too_few_stretches_are_said_to_be() -> None:
    model = family(lambda p, g, b: p + g + b, free, count=5).model
    assert model.slopes == {}
    assert model.reasons[PROMPT] == "5 stretches of batches are too few: 7 are needed"
    assert set(model.reasons) == set(TERMS)


def test_passes_over_the_same_prompts_are_no_more_lengths() -> None:
    points = [(1000.0, 3000.0, 4.1), (2000.0, 9000.0, 4.3)]
    turn = iter(points * 20)
    model = family(lambda p, g, b: p + g + b, lambda _: next(turn)).model
    assert model.slopes == {}


def test_a_prompts_file_that_is_gone_leaves_entropy_out_and_lengths_in(tmp_path: Path) -> None:

    paths = build_run(tmp_path, Plan(spec=REAL, gpu=H200))
    run = open_run(paths)
    assert run is not None
    found = prompt_texts(run)
    assert not isinstance(found, str)
    assert found.bytes_of.tolist() == [8, 8, 8, 8]
    (path,) = (tmp_path / "prompts").iterdir()
    path.write_bytes(b'{"id": "0"}\n')
    assert "must have a text" in str(prompt_texts(run))
    path.write_bytes(b"no JSON\n")
    assert str(prompt_texts(run)).startswith("the prompts file cannot be read")
    path.unlink()
    assert prompt_texts(run) == "the prompts file is not in the results folder"


def test_random_weights_are_named_in_the_sentence() -> None:
    fitted = family(lambda p, g, b: 0.03 * p + 0.2 * g + b * 3, free)

    told = TermRow(of=fitted, term=GENERATED).sentence
    assert told is not None
    assert "[random weights]" in told


def test_windows_one_by_one_are_what_they_are_together(tmp_path: Path) -> None:
    for counter in (True, False):
        paths = build_run(tmp_path / str(counter), Plan(spec=REAL, gpu=H200, counter=counter))
        run = open_run(paths)
        assert run is not None
        energy = RunEnergy(run)
        (gpu,) = energy.gpus
        curve = gpu.curve(str(energy.attribution.method))
        assert not isinstance(curve, str)
        # The first begins where power steps from rest to work: there it is uncertain.
        starts, ends = (
            T0_US + np.array(at) for at in ([1_470_000, 4_200_000], [3_030_000, 6_100_000])
        )
        energies, variances, late = curve.each(starts, ends)
        together = curve.summed(starts, ends)
        assert together.value == pytest.approx(float(energies.sum()))
        width = 2 * math.sqrt(float(variances.sum()) + float(late.sum()) ** 2)
        assert together.plus_minus is not None
        assert together.plus_minus > 0.1
        assert together.plus_minus == pytest.approx(width, rel=1e-3)
