"""A spec's arithmetic, as its shape says it, agrees with the audit's own count."""

from typing import Any

import pytest

from analysis.performance.llama import llama_arithmetic
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from workers.models.llama.shape import SHAPES
from workers.planning.arithmetic import arithmetic_of
from workers.planning.weight_formats import QUANTIZATIONS


def spec_of(model: str, degree: int, **changes: Any) -> RunSpec:
    ranks = {"gpus": degree, "gpus_per_node": degree}
    return RunSpec.from_mapping({**SPEC, "model": model, **ranks, **changes})


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("degree", [1, 2, 4])
@pytest.mark.parametrize("model", list(SHAPES))
def test_every_number_is_the_audit_s(
    model: str, degree: int, quantization: str, dtype: str
) -> None:
    spec = spec_of(model, degree, dtype=dtype, quantization=quantization, engine="fast")
    # As model.json has it.
    assert arithmetic_of(spec) == llama_arithmetic(SHAPES[model].describe(), spec)


@pytest.mark.parametrize("model", ["7b", "llama-3.2-3b"])
def test_keys_of_fp8_are_half_of_what_a_step_reads_of_the_cache(model: str) -> None:
    spec = spec_of(model, 1, dtype="fp16", kv_dtype="fp8", engine="fast")
    whole = arithmetic_of(spec_of(model, 1, dtype="fp16", engine="fast"))
    found = arithmetic_of(spec)
    assert 2 * found.kv_bytes_per_position == whole.kv_bytes_per_position
    assert found.weight_bytes_per_step == whole.weight_bytes_per_step
    assert found == llama_arithmetic(SHAPES[model].describe(), spec)


def test_a_record_from_before_heads_could_share_keys_is_read_as_it_was() -> None:
    sizes = {"dim": 4096, "layers": 32, "ffn": 11_008, "vocab": 32_000, "heads": 32}
    spec = spec_of("7b", 1)
    assert llama_arithmetic(sizes, spec) == arithmetic_of(spec)


def test_shared_keys_are_what_a_step_reads_of_the_cache() -> None:
    # 8 heads of 128 numbers, keys and values, in each layer; 24 heads ask for them.
    spec = spec_of("llama-3.2-3b", 1, dtype="fp16")
    found = arithmetic_of(spec)
    assert found.kv_bytes_per_position == 2 * 28 * 8 * 128 * 2
    assert found.flop_per_token_and_position == 4 * 28 * 24 * 128
    # The tied table is read once, as the output matrix.
    assert found.weight_bytes_per_step == 2 * found.parameters


def test_the_parameters_are_those_of_the_paper_s_7b() -> None:
    assert arithmetic_of(spec_of("7b", 1)).parameters == 6_738_415_616
