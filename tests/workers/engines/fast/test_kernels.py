"""The Triton kernels compute what plain torch does, by Triton's interpreter, on any machine."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.conftest import REPOSITORY
from workers.engines.fast.kernels import arguments

# One process interprets all kernels: minutes where others run beside it.
_PATIENCE_S = 540
pytestmark = [pytest.mark.kernels, pytest.mark.timeout(_PATIENCE_S + 60)]

# Differences relative to the root mean square of what is expected. fp32: sums of a few hundred
# products in another order, 4.4e-6 measured. fp16: rounding of the result, 2**-11 of a number that
# is up to four times the root mean square, 2.2e-3 measured; a whole step of
# several such products 2.3e-3 measured.
MOST = {"float32": 2e-5, "float16": 5e-3}
MOST_STEP = 1e-2
# And a key of fp8 may be rounded to the neighbour, a sixteenth away: 1.2e-2 measured.
MOST_KEPT_STEP = 3e-2
# Two orders of a step differ by a rounding of fp16 here and there, which puts an input on the other
# side of a tie between two e4m3 numbers now and then, and in the layer behind more of them: the two
# drift apart towards fp8's own error. A scale left out errs by its whole size.
MOST_OF_FP8_S_OWN = 1.5

PRODUCTS = [
    *("1 rows, 1 splits, none, float32", "5 rows, 1 splits, none, float32"),
    *("5 rows, 3 splits, none, float32", "1 rows, 1 splits, int8, float32"),
    *("5 rows, 3 splits, int8, float32", "5 rows, 1 splits, int8, float16"),
    *("1 rows, 1 splits, int4, float32", "5 rows, 3 splits, int4, float32"),
    *("5 rows, 1 splits, int4, float16", "5 rows, 3 splits, none left, float32"),
    *("5 rows, 1 splits, none left, float16", "1 rows, 1 splits, fp8, float32"),
    *("5 rows, 3 splits, fp8, float32", "5 rows, 3 splits, fp8 left, float16"),
]
EPILOGUES = ["plain", "residual", "sums of squares", "swiglu", "queries", "keys", "values"]


@pytest.fixture(scope="module")
def measured() -> Mapping[str, float]:
    """What `tests.doubles.triton` printed; fails with its words where Triton is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.doubles.triton"],
        cwd=REPOSITORY,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_no_argument_has_a_name_that_triton_s_own_tuple_has() -> None:
    # A compiled kernel would get that tuple's, with no word said; the interpreter gets ours.
    groups = [group for group in vars(arguments).values() if hasattr(group, "_fields")]
    assert arguments.Cache in groups
    for group in groups:
        assert not {"values", "type"} & set(group._fields), group


@pytest.mark.parametrize("case", PRODUCTS)
@pytest.mark.parametrize("epilogue", EPILOGUES)
def test_a_product_and_what_follows_it_are_right(
    measured: Mapping[str, float], epilogue: str, case: str
) -> None:
    assert measured[f"{epilogue}: {case}"] <= MOST[case.rsplit(", ", 1)[1]]


@pytest.mark.parametrize("case", PRODUCTS)
def test_keys_and_values_go_nowhere_else_in_the_cache(
    measured: Mapping[str, float], case: str
) -> None:
    assert measured[f"cache elsewhere: {case}"] == 0


@pytest.mark.parametrize("case", [case for case in PRODUCTS if "none" in case])
def test_logits_are_right(measured: Mapping[str, float], case: str) -> None:
    assert measured[f"logits: {case}"] <= MOST["float32"]


@pytest.mark.parametrize("which", ["edges", "normal"])
def test_a_row_is_rounded_to_e4m3_as_torch_rounds_it(
    measured: Mapping[str, float], which: str
) -> None:
    assert measured[f"e4m3, {which}: numbers that differ"] == 0
    assert measured[f"e4m3, {which}: scales that differ"] == 0


@pytest.mark.parametrize("rows", [1, 5])
def test_inputs_that_are_no_whole_blocks_read_nothing_beyond_their_end(
    measured: Mapping[str, float], rows: int
) -> None:
    assert measured[f"uneven inputs: {rows} rows"] <= MOST["float32"]


@pytest.mark.parametrize("group", [32, 64, 128])
def test_every_group_meets_its_own_scale(measured: Mapping[str, float], group: int) -> None:
    assert measured[f"groups of {group}"] <= MOST["float16"]


@pytest.mark.parametrize(
    "case", ["int8, 192 inputs", "int8, 320 inputs", "int4, 704 inputs", "int4, 80 inputs"]
)
def test_prefill_s_products_of_quantized_weights_are_right(
    measured: Mapping[str, float], case: str
) -> None:
    assert measured[f"unpacked: {case}"] == 0
    assert measured[f"product: {case}"] <= MOST["float16"]


@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("window", [0, 6])
@pytest.mark.parametrize("kept", [6, 2])
def test_attention_sees_a_row_s_own_past_and_window_and_no_more(
    measured: Mapping[str, float], splits: int, window: int, kept: int
) -> None:
    assert measured[f"attention: {splits} splits, {kept} kept, window {window}"] <= MOST["float32"]


@pytest.mark.parametrize("splits", [1, 4])
def test_all_heads_may_share_one_of_keys(measured: Mapping[str, float], splits: int) -> None:
    assert measured[f"attention: {splits} splits, 1 kept, window 0"] <= MOST["float32"]


@pytest.mark.parametrize(
    "case",
    ["1 rows, 1 splits, none grouped, float32", "5 rows, 3 splits, int4 grouped, float32"],
)
def test_shared_keys_and_values_go_where_their_heads_lie(
    measured: Mapping[str, float], case: str
) -> None:
    for what in ("queries", "keys", "values"):
        assert measured[f"{what}: {case}"] <= MOST["float32"]
    assert measured[f"cache elsewhere: {case}"] == 0


@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("window", [0, 6])
@pytest.mark.parametrize("kept", [6, 2])
def test_attention_over_fp8_reads_the_numbers_that_it_stands_for(
    measured: Mapping[str, float], splits: int, window: int, kept: int
) -> None:
    case = f"{splits} splits, {kept} kept, window {window}, fp8"
    assert measured[f"attention: {case}"] <= MOST["float32"]


def test_every_number_of_16_bits_is_rounded_to_fp8_as_plain_torch_does(
    measured: Mapping[str, float],
) -> None:
    assert measured["fp8: numbers kept otherwise"] == 0
    assert measured["fp8: no numbers that became some"] == 0


@pytest.mark.parametrize(
    "case",
    ["1 rows, 1 splits, none as fp8, float16", "5 rows, 3 splits, none grouped as fp8, float16"],
)
def test_keys_and_values_that_leave_a_product_as_fp8_are_the_nearest_or_beside_it(
    measured: Mapping[str, float], case: str
) -> None:
    for what in ("keys", "values"):
        assert measured[f"{what}: {case}"] <= 1
    assert measured[f"cache elsewhere: {case}"] == 0


@pytest.mark.parametrize("name", ["packed", "steps"])
def test_tokens_are_placed_as_the_fp8_that_plain_torch_places(
    measured: Mapping[str, float], name: str
) -> None:
    assert measured[f"place {name}: keys as fp8"] <= 1
    assert measured[f"place {name}: values as fp8"] == 0


@pytest.mark.parametrize(
    "what",
    [
        *("embed", "embed's sums", "add and norm", "add and norm's residual", "norm alone"),
        *("add and squares", "add and squares' sums", "gate"),
        *("place packed: queries", "place packed: keys", "place packed: values"),
        *("place steps: queries", "place steps: keys", "place steps: values"),
    ],
)
def test_what_stands_between_products_is_right(measured: Mapping[str, float], what: str) -> None:
    assert measured[what] <= MOST["float32"]


in_both_ways = pytest.mark.parametrize("way", ["", " in parts"])


@in_both_ways
def test_no_token_outside_the_nucleus_is_drawn(measured: Mapping[str, float], way: str) -> None:
    assert measured[f"drawn outside the nucleus{way}"] == 0


@in_both_ways
def test_draws_have_the_nucleus_chances(measured: Mapping[str, float], way: str) -> None:
    # A standard score beyond 4 comes 6 times in 100,000 seeds, and the seed is fixed.
    assert abs(measured[f"draws' standard score{way}"]) < 4


@in_both_ways
def test_a_seed_and_a_step_decide_a_draw(measured: Mapping[str, float], way: str) -> None:
    assert measured[f"one seed's draws that differ{way}"] == 0
    assert measured[f"next step's draws that differ{way}"] > 0


@in_both_ways
def test_a_temperature_of_zero_takes_the_likeliest(measured: Mapping[str, float], way: str) -> None:
    assert measured[f"greedy's wrong choices{way}"] == 0


@in_both_ways
@pytest.mark.parametrize("how", ["greedy", "drawn"])
@pytest.mark.parametrize("odd", ["NaN", "inf", "-inf"])
def test_a_row_whose_logits_are_no_numbers_gets_no_token(
    measured: Mapping[str, float], odd: str, how: str, way: str
) -> None:
    assert measured[f"{odd}, {how}: refused rows{way}"] == 0


@pytest.mark.parametrize("how", ["ignoring", "heeding"])
def test_the_first_step_of_no_numbers_is_told_and_kept(
    measured: Mapping[str, float], how: str
) -> None:
    assert measured[f"odd, {how} the end"] == 0


@pytest.mark.parametrize("how", ["heeding", "ignoring"])
def test_rows_that_ended_stay_where_they_are(measured: Mapping[str, float], how: str) -> None:
    assert measured[f"advance, {how} the end"] == 0


@pytest.mark.parametrize("how", ["", ", fp8 keys", ", shared, fp8 keys"])
def test_prefill_of_ragged_prompts_is_plain_torch_s(
    measured: Mapping[str, float], how: str
) -> None:
    assert measured[f"prefill: 3 rows{how}"] <= (MOST_KEPT_STEP if how else MOST_STEP)


@pytest.mark.parametrize(
    "case",
    [
        "1 rows, int4",
        "3 rows, none",
        "3 rows, int8",
        "1 rows, none, shared",
        "3 rows, int4, shared",
        "3 rows, none, fp8 keys",
        "3 rows, none, shared, fp8 keys",
    ],
)
def test_a_whole_step_is_plain_torch_s_and_the_same_again(
    measured: Mapping[str, float], case: str
) -> None:
    assert measured[f"step: {case}"] <= (MOST_KEPT_STEP if "fp8" in case else MOST_STEP)
    assert measured[f"step again: {case}"] == 0


@pytest.mark.parametrize("case", ["1 rows, fp8", "3 rows, fp8", "3 rows, fp8, shared"])
def test_a_step_of_fp8_is_as_near_to_plain_torch_s_as_rounding_lets_it_and_the_same_again(
    measured: Mapping[str, float], case: str
) -> None:
    own = measured[f"fp8's own error: {case}"]
    assert own <= 0.1
    assert measured[f"step's rms: {case}"] <= MOST_OF_FP8_S_OWN * own
    assert measured[f"step again: {case}"] == 0
