import pytest

from workers.models.llama.shape import SHAPES, LlamaShape


@pytest.mark.parametrize(
    ("name", "params", "ffn"),
    [
        ("7b", 6_738_415_616, 11_008),
        ("13b", 13_015_864_320, 13_824),
        ("30b", 32_528_943_616, 17_920),
        ("65b", 65_285_660_672, 22_016),
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
    ],
)
def test_heads_decide_which_numbers_of_gpus_are_legal(name: str, legal: set[int]) -> None:
    tried = (1, 2, 4, 8, 16, 32)
    assert {gpus for gpus in tried if SHAPES[name].parallel_fault(gpus) is None} == legal


def test_a_parallel_fault_shows_both_operands() -> None:
    fault = SHAPES["13b"].parallel_fault(16)
    assert fault is not None
    assert "`gpus` must divide the 40 heads of 13b, but is 16 instead" in fault


def test_micro_is_about_four_times_the_work_of_nano() -> None:
    def work(shape: LlamaShape) -> int:
        return shape.layers * shape.layer_matrix_params + shape.vocab * shape.dim

    assert 3.5 < work(SHAPES["micro"]) / work(SHAPES["nano"]) < 4.5


def test_an_odd_head_dim_is_refused() -> None:
    with pytest.raises(ValueError, match="`dim` must be an even multiple of `heads`"):
        LlamaShape(name="odd", dim=24, layers=1, heads=8, norm_eps=1e-6)
