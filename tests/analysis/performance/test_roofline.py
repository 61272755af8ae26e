"""The least bytes and operations of a model's work, held against figures worked out by hand."""

import dataclasses

import numpy as np
import pytest

from analysis.performance.llama import llama_arithmetic
from analysis.performance.roofline import PhaseWork, RowWork
from telemetry.boards.lookup import peaks_of
from telemetry.boards.peaks import Peaks
from telemetry.record.arithmetic import Arithmetic, EncoderArithmetic
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC

SEVEN = llama_arithmetic(
    {"dim": 4096, "layers": 32, "ffn": 11008, "vocab": 32000},
    RunSpec.from_mapping({**SPEC, "dtype": "fp16"}),
)


def rows(*each: tuple[int, int], ended: int = 0, first_step: int = 0) -> RowWork:
    """Prompts of so many tokens that got so many."""
    prompt, generated = np.array(each).T
    return RowWork(
        prompt=prompt,
        generated=generated,
        ended=np.full(len(each), ended),
        first_step=np.full(len(each), first_step),
    )


def test_the_bound_of_64_rows_of_128_and_128_tokens_is_13_900_tokens_a_second() -> None:
    work = PhaseWork.decode(rows(*[(128, 128)] * 64))
    assert work.steps == 127
    assert SEVEN.weight_bytes_per_step is not None
    moved = work.bytes(SEVEN.weight_bytes_per_step, SEVEN.kv_bytes_per_position)
    assert 64 * 127 / (moved / 4.27e12) == pytest.approx(13_900, rel=0.01)


def test_prefill_of_64_prompts_of_128_tokens_is_at_least_108_milliseconds() -> None:
    work = PhaseWork.prefill(rows(*[(128, 1)] * 64))
    assert work.flops(SEVEN) / 989e12 == pytest.approx(0.108, rel=0.02)


def test_a_row_that_ended_was_asked_once_more_than_it_kept() -> None:
    kept = PhaseWork.decode(rows((5, 3), ended=1))
    assert (kept.steps, kept.tokens, kept.met) == (3, 3, 6 + 7 + 8)
    assert PhaseWork.decode(rows((5, 0), ended=1)).steps == 0


def test_tokens_of_a_prompt_that_decoding_read_are_no_work_of_prefill() -> None:
    late = rows((6, 2), first_step=4)
    assert PhaseWork.prefill(late).tokens == 2
    assert PhaseWork.decode(late).tokens == 5


def test_rows_that_stopped_cost_a_step_nothing_but_its_weights() -> None:
    both = PhaseWork.decode(rows((4, 9), (4, 2)))
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


def test_a_window_bounds_what_later_tokens_attend_to() -> None:
    rows = RowWork(
        prompt=np.array([3, 6]),
        generated=np.array([4, 3]),
        ended=np.zeros(2, dtype=np.int64),
        first_step=np.zeros(2, dtype=np.int64),
        window=4,
    )
    assert PhaseWork.prefill(rows).met == (1 + 2 + 3) + (1 + 2 + 3 + 4 + 4 + 4)
    # Three steps of the first row, at positions 4 to 6, and two of the second.
    assert PhaseWork.decode(rows).met == PhaseWork.decode(rows).touched == 3 * 4 + 2 * 4
    every = dataclasses.replace(rows, window=None)
    assert PhaseWork.decode(every).met == (4 + 5 + 6) + (7 + 8)
    # Half of the layers look at all: the mean layer meets the mean of both, rounded down.
    half = dataclasses.replace(rows, windowed=0.5)
    assert PhaseWork.prefill(half).met == (6 + 6 + 18 + 21) // 2
    assert half.met(np.array([6, 0])) == (18 + 21) // 2


def test_an_encoder_s_work_stands_apart_from_its_decoder_s() -> None:
    encoder = EncoderArithmetic(
        flop_per_token=1_000,
        flop_per_token_and_position=10,
        weight_bytes=7_000,
        flop_per_crossed_token=100,
        flop_per_crossed_position=5,
        crossing_bytes=300,
    )
    both = Arithmetic(
        family="t5",
        parameters=1,
        flop_per_token=2_000,
        flop_per_token_and_position=20,
        flop_per_logit_row=50,
        weight_bytes_per_step=9_000,
        kv_bytes_per_position=8,
        encoder=encoder,
    )
    work = dataclasses.replace(rows((4, 3), (2, 1)), encoded=True)
    encode, prefill, decode = (
        make(work) for make in (PhaseWork.encode, PhaseWork.prefill, PhaseWork.decode)
    )
    assert encode.flops(both) == 1_000 * 6 + 10 * (16 + 4)
    assert encode.bytes(9_000, 8, encoder) == 7_000
    # Two start tokens, each of which meets itself and its own row's prompt.
    assert prefill.flops(both) == 2 * 2_000 + 2 * 20 + 2 * 50 + 100 * 6 + 5 * 6
    assert prefill.bytes(9_000, 8, encoder) == 9_000 + 300 + 8 * (2 + 6)
    # The first row's second and third token: 2 and 3 of its own positions, 4 encoded each.
    assert decode.flops(both) == 2 * 2_000 + 20 * (2 + 3) + 2 * 50 + 5 * 2 * 4
    assert decode.bytes(9_000, 8, encoder) == 2 * 9_000 + 8 * (2 + 3 + 2 * 4)
    assert PhaseWork.encode(rows((4, 3))) == PhaseWork()
