"""A spec's arithmetic, as its shape says it, agrees with the audit's own count."""

import dataclasses
from typing import Any

import pytest

from analysis.performance.llama import kv_bytes, weight_bytes
from analysis.performance.roofline import PhaseWork, RowWork, Sizes
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from workers.models.llama.shape import SHAPES
from workers.planning.arithmetic import arithmetic_of
from workers.planning.weight_formats import QUANTIZATIONS


def spec_of(model: str, degree: int, **changes: Any) -> RunSpec:
    ranks = {"gpus": degree, "gpus_per_node": degree}
    return RunSpec.from_mapping({**SPEC, "model": model, **ranks, **changes})


def sizes_of(model: str) -> Sizes:
    shape = SHAPES[model]
    return Sizes(dim=shape.dim, layers=shape.layers, ffn=shape.ffn, vocab=shape.vocab)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("model", list(SHAPES))
def test_the_bytes_of_a_step_and_a_position_are_those_of_the_audit(
    model: str, degree: int, quantization: str, dtype: str
) -> None:
    spec = spec_of(model, degree, dtype=dtype, quantization=quantization, engine="fast")
    said, sizes = arithmetic_of(spec), sizes_of(model)
    expected = weight_bytes(sizes, dtype=dtype, quantization=quantization, degree=degree)
    assert said.weight_bytes_per_step == expected
    assert said.kv_bytes_per_position == kv_bytes(sizes, dtype)


@pytest.mark.parametrize("model", list(SHAPES))
def test_the_operations_are_those_of_the_audit(model: str) -> None:
    said = arithmetic_of(spec_of(model, 1))
    row = RowWork(prompt=5, generated=7, ended=False)
    for work in (PhaseWork.prefill([row]), PhaseWork.decode([row])):
        assert work.flops(sizes_of(model)) == (
            said.flop_per_token * work.tokens
            + said.flop_per_token_and_position * work.met
            + said.flop_per_logit_row * work.logits
        )


def test_all_of_it_is_whole_numbers_beside_the_family_s_name() -> None:
    said = dataclasses.asdict(arithmetic_of(spec_of("7b", 1)))
    assert said.pop("family") == "llama"
    assert said["parameters"] == SHAPES["7b"].params
    assert all(type(value) is int and value > 0 for value in said.values())
