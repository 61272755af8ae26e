"""The least bytes and operations of a model's work, held against figures worked out by hand."""

import pytest

from analysis.performance.roofline import PhaseWork, RowWork, Sizes, kv_bytes, weight_bytes
from telemetry.boards.lookup import peaks_of
from telemetry.boards.peaks import Peaks
from workers.planning.shapes import SHAPES
from workers.planning.weight_formats import QUANTIZATIONS, matrix_bytes

SEVEN = Sizes(dim=4096, layers=32, ffn=11008, vocab=32000)


def rows(count: int, *, prompt: int, generated: int) -> list[RowWork]:
    return [RowWork(prompt=prompt, generated=generated, ended=False)] * count


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


def test_the_bound_of_64_rows_of_128_and_128_tokens_is_13_900_tokens_a_second() -> None:
    work = PhaseWork.decode(rows(64, prompt=128, generated=128))
    assert work.steps == 127
    moved = work.bytes(
        weight_bytes(SEVEN, dtype="fp16", quantization="none", degree=1), kv_bytes(SEVEN, "fp16")
    )
    assert 64 * 127 / (moved / 4.27e12) == pytest.approx(13_900, rel=0.01)


def test_prefill_of_64_prompts_of_128_tokens_is_at_least_108_milliseconds() -> None:
    work = PhaseWork.prefill(rows(64, prompt=128, generated=1))
    assert work.flops(SEVEN) / 989e12 == pytest.approx(0.108, rel=0.02)


def test_int8_halves_the_matrices_and_adds_a_scale_a_row_and_rank() -> None:
    plain = weight_bytes(SEVEN, dtype="fp16", quantization="none", degree=2)
    quantized = weight_bytes(SEVEN, dtype="fp16", quantization="int8", degree=2)
    scales = 32 * 4 * (3 * 4096 + 2 * 11008 + 2 * 2 * 4096)
    assert quantized == plain - SEVEN.matrix_params + scales


def test_the_groups_of_int4_are_those_that_divide_a_ranks_inputs() -> None:
    # 11008 = 43 x 256: on one rank groups of 128, on eight 1376 = 43 x 32 leaves groups of 32.
    one, eight = (
        weight_bytes(SEVEN, dtype="fp16", quantization="int4", degree=degree) for degree in (1, 8)
    )
    norms = 7 * 2 * SHAPES["7b"].norm_params
    more = 32 * 2 * 4096 * (11008 // 32 - 11008 // 128)
    assert eight - one == norms + more


def test_a_row_that_ended_was_asked_once_more_than_it_kept() -> None:
    kept = PhaseWork.decode([RowWork(prompt=5, generated=3, ended=True)])
    assert (kept.steps, kept.tokens, kept.met) == (3, 3, 6 + 7 + 8)
    assert PhaseWork.decode([RowWork(prompt=5, generated=0, ended=True)]).steps == 0


def test_tokens_of_a_prompt_that_decoding_read_are_no_work_of_prefill() -> None:
    late = [RowWork(prompt=6, generated=2, ended=False, first_step=4)]
    assert PhaseWork.prefill(late).tokens == 2
    assert PhaseWork.decode(late).tokens == 5


def test_rows_that_stopped_cost_a_step_nothing_but_its_weights() -> None:
    both = PhaseWork.decode([*rows(1, prompt=4, generated=9), *rows(1, prompt=4, generated=2)])
    assert (both.steps, both.tokens) == (8, 9)


@pytest.mark.parametrize(
    ("gpu", "bytes_per_s", "fp16"),
    [
        ({"name": "Tesla V100-SXM2-32GB"}, 900e9, 125e12),
        ({"name": "NVIDIA A100-SXM4-80GB"}, 2039e9, 312e12),
        ({"name": "NVIDIA H200"}, 4800e9, 989e12),
    ],
)
def test_boards_have_the_peaks_of_their_datasheets(
    gpu: dict[str, str], bytes_per_s: float, fp16: float
) -> None:
    peaks = peaks_of(gpu)
    assert isinstance(peaks, Peaks)
    assert peaks.stated_bytes_per_s == bytes_per_s
    assert peaks.stated_flop_per_s["fp16"] == fp16


def test_a_volta_has_no_peak_of_bf16_and_an_unmeasured_board_no_measured_one() -> None:
    peaks = peaks_of({"name": "Tesla V100-SXM2-32GB"})
    assert isinstance(peaks, Peaks)
    assert "bf16" not in peaks.stated_flop_per_s
    assert peaks.measured_bytes_per_s is None


def test_a_board_that_nobody_looked_up_or_a_modelled_one_has_no_peak_but_a_reason() -> None:
    assert peaks_of({"name": "NVIDIA B300"}) == "no peak is on file for NVIDIA B300"
    assert "done on CPU" in str(peaks_of({"name": "NVIDIA H200", "simulated": True}))


def test_sizes_refuse_what_no_model_has() -> None:
    with pytest.raises(ValueError, match="`dim` must be a whole number"):
        Sizes(dim=0, layers=1, ffn=1, vocab=1)


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
    sizes = Sizes(dim=dim, layers=shape.layers, ffn=ffn, vocab=shape.vocab)
    read = weight_bytes(sizes, dtype="fp16", quantization=quantization, degree=degree)
    assert read == planned
