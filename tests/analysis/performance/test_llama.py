"""The arithmetic of LLaMA models, held against figures worked out by hand and what is planned."""

import pytest

from analysis.performance.llama import LlamaSizes, kv_bytes, llama_arithmetic, weight_bytes
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from workers.models.llama.shape import SHAPES
from workers.planning.weight_formats import QUANTIZATIONS, matrix_bytes

SEVEN = LlamaSizes(dim=4096, layers=32, ffn=11008, vocab=32000)


def test_a_step_reads_all_of_7b_but_its_embedding_table() -> None:
    shape = SHAPES["7b"]
    read = weight_bytes(SEVEN, dtype="fp16", quantization="none", degree=1)
    assert read == 2 * (shape.params - shape.vocab * shape.dim)


def test_every_rank_reads_its_own_norms() -> None:
    one, eight = (
        weight_bytes(SEVEN, dtype="fp16", quantization="none", degree=degree) for degree in (1, 8)
    )
    assert eight - one == 7 * 2 * SHAPES["7b"].norm_params


def test_a_position_of_7b_holds_half_a_mebibyte_of_keys_and_values() -> None:
    assert kv_bytes(SEVEN, "fp16") == 1 << 19


def test_int8_halves_the_matrices_and_adds_a_scale_a_row_and_rank() -> None:
    plain = weight_bytes(SEVEN, dtype="fp16", quantization="none", degree=2)
    quantized = weight_bytes(SEVEN, dtype="fp16", quantization="int8", degree=2)
    scales = 32 * 4 * (3 * 4096 + 2 * 11008 + 2 * 2 * 4096)
    assert quantized == plain - SEVEN.matrix_params + scales


def test_fp8_reads_as_many_bytes_as_int8() -> None:
    eight, fp8 = (
        weight_bytes(SEVEN, dtype="fp16", quantization=name, degree=2) for name in ("int8", "fp8")
    )
    assert eight == fp8


def test_the_groups_of_int4_are_those_that_divide_a_ranks_inputs() -> None:
    # 11008 = 43 x 256: on one rank groups of 128, on eight 1376 = 43 x 32 leaves groups of 32.
    one, eight = (
        weight_bytes(SEVEN, dtype="fp16", quantization="int4", degree=degree) for degree in (1, 8)
    )
    norms = 7 * 2 * SHAPES["7b"].norm_params
    more = 32 * 2 * 4096 * (11008 // 32 - 11008 // 128)
    assert eight - one == norms + more


def test_sizes_refuse_what_no_model_has() -> None:
    with pytest.raises(ValueError, match="`dim` must be a whole number"):
        LlamaSizes(dim=0, layers=1, ffn=1, vocab=1)


def test_a_format_that_is_not_known_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="int3"):
        weight_bytes(SEVEN, dtype="fp16", quantization="int3", degree=1)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
@pytest.mark.parametrize("degree", [1, 2, 4, 8])
@pytest.mark.parametrize("model", ["nano", "7b", "13b", "65b"])
def test_the_formula_counts_what_the_ranks_matrices_are_planned_to_weigh(
    model: str, degree: int, quantization: str
) -> None:
    shape = SHAPES[model]
    dim, ffn = shape.dim, shape.ffn
    slices = [
        *[(dim // degree, dim)] * 3,
        (dim, dim // degree),
        *[(ffn // degree, dim)] * 2,
        (dim, ffn // degree),
    ]
    layer = sum(matrix_bytes(*slice_, quantization, 2) for slice_ in slices)
    planned = degree * (shape.layers * layer + 2 * shape.norm_params) + 2 * shape.vocab * dim
    sizes = LlamaSizes(dim=dim, layers=shape.layers, ffn=ffn, vocab=shape.vocab)
    read = weight_bytes(sizes, dtype="fp16", quantization=quantization, degree=degree)
    assert read == planned


@pytest.mark.parametrize("model", ["nano", "7b", "13b", "65b"])
def test_the_formula_counts_the_parameters_that_the_model_is_planned_with(model: str) -> None:
    shape = SHAPES[model]
    sizes = {"dim": shape.dim, "layers": shape.layers, "ffn": shape.ffn, "vocab": shape.vocab}
    found = llama_arithmetic(sizes, RunSpec.from_mapping(SPEC))
    assert found.parameters == shape.params
    assert found.flop_per_token == 2 * shape.layers * shape.layer_matrix_params
    assert found.flop_per_token_and_position == 4 * shape.layers * shape.dim
    assert found.flop_per_logit_row == 2 * shape.vocab * shape.dim


def test_a_format_that_is_not_known_leaves_all_but_the_bytes_of_a_step() -> None:
    spec = RunSpec.from_mapping({**SPEC, "quantization": "int3"})
    found = llama_arithmetic(vars(SEVEN), spec)
    assert found.weight_bytes_per_step is None
    assert found.flop_per_token == 2 * SEVEN.matrix_params
