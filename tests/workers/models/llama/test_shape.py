from typing import Any

import pytest

from workers.models.llama.shape import SHAPES, LlamaShape, RopeScaling


@pytest.mark.parametrize(
    ("name", "params", "ffn"),
    [
        ("7b", 6_738_415_616, 11_008),
        ("13b", 13_015_864_320, 13_824),
        ("30b", 32_528_943_616, 17_920),
        ("65b", 65_285_660_672, 22_016),
        ("llama-3.2-1b", 1_235_814_400, 8192),
        ("llama-3.2-3b", 3_212_749_824, 8192),
        ("mistral-7b-v0.1", 7_241_732_096, 14_336),
    ],
)
def test_a_shape_has_the_parameters_of_the_published_model(
    name: str, params: int, ffn: int
) -> None:
    assert (SHAPES[name].params, SHAPES[name].ffn) == (params, ffn)


@pytest.mark.parametrize(
    ("name", "legal"),
    [
        ("nano", {1, 2, 4, 8, 16, 32}),
        ("micro", {1, 2, 4, 8, 16, 32}),
        ("7b", {1, 2, 4, 8, 16, 32}),
        ("13b", {1, 2, 4, 8}),
        ("30b", {1, 2, 4}),
        ("65b", {1, 2, 4, 8, 16, 32}),
        ("llama-3.2-1b", {1, 2, 4, 8}),
        ("llama-3.2-3b", {1, 2, 4, 8}),
        ("mistral-7b-v0.1", {1, 2, 4, 8}),
    ],
)
def test_heads_decide_which_numbers_of_gpus_are_legal(name: str, legal: set[int]) -> None:
    tried = (1, 2, 4, 8, 16, 32)
    assert {gpus for gpus in tried if SHAPES[name].parallel_fault(gpus) is None} == legal


def test_a_parallel_fault_shows_both_operands() -> None:
    fault = SHAPES["13b"].parallel_fault(16)
    assert fault is not None
    assert "`gpus` must divide the 40 heads of 13b, but is 16 instead" in fault


def test_keys_that_ranks_cannot_share_are_told() -> None:
    fault = SHAPES["mistral-7b-v0.1"].parallel_fault(16)
    assert fault is not None
    assert "`gpus` must divide the 8 heads of keys and values of mistral-7b-v0.1" in fault


def test_micro_is_about_four_times_the_work_of_nano() -> None:
    def work(shape: LlamaShape) -> int:
        return shape.layers * shape.layer_matrix_params + shape.vocab * shape.dim

    assert 3.5 < work(SHAPES["micro"]) / work(SHAPES["nano"]) < 4.5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kv_heads": 3}, "`kv_heads` must divide the 8 heads, but is 3"),
        ({"kv_heads": -1}, "`kv_heads`"),
        ({"window": 0}, "`window`"),
        ({"ffn_width": 0}, "`ffn_width`"),
        ({"rope_theta": 1.0}, "`rope_theta` must be above 1"),
    ],
)
def test_a_shape_that_no_model_has_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LlamaShape(name="odd", dim=64, layers=1, heads=8, norm_eps=1e-6, **change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"factor": 0.5}, "`factor` must be at least 1"),
        ({"low_freq_factor": 4.0}, "`low_freq_factor` must be above 0 and below"),
        ({"original_positions": 0}, "`original_positions`"),
    ],
)
def test_a_scaling_that_slows_nothing_is_refused(change: dict[str, Any], said: str) -> None:
    given = {"factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    with pytest.raises(ValueError, match=said):
        RopeScaling(**{**given, "original_positions": 8192, **change})


def test_an_odd_head_dim_is_refused() -> None:
    with pytest.raises(ValueError, match="`dim` must be an even multiple of `heads`"):
        LlamaShape(name="odd", dim=24, layers=1, heads=8, norm_eps=1e-6)
