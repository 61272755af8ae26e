"""The decoding benchmark runs without a GPU, and its bound is that of a card's memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.cases import CASES
from tests.benchmarks.decode import step_bound_s

# An H200's copy bandwidth as measured, and any rate of products.
SPEEDS = {"bytes_per_s": 4.27e12, "flops": 1e15}


@pytest.mark.parametrize(
    ("case", "name", "tokens_per_s"),
    [
        *[("7b-b64", "reference", 13_900), ("7b-b1", "fast", 316), ("65b-g8", "fast", 13_470)],
        *[("llama-3.2-3b-b64", "fast", 34_880), ("mistral-7b-b64", "fast", 17_260)],
    ],
)
def test_the_bound_of_a_step_is_its_bytes_over_the_bandwidth(
    case: str, name: str, tokens_per_s: float
) -> None:
    bound_s = step_bound_s(CASES[case], name, SPEEDS)
    assert CASES[case].batch / bound_s == pytest.approx(tokens_per_s, rel=0.02)


def test_quantized_weights_have_a_lower_bound() -> None:
    case = CASES["7b-b1"]
    whole, eight, fp8, four = (
        step_bound_s(case, name, SPEEDS) for name in ("fast", "fast-int8", "fast-fp8", "fast-int4")
    )
    assert 0.5 < eight / whole < 0.56
    assert fp8 == eight
    assert 0.26 < four / whole < 0.33


@pytest.mark.ranks
@pytest.mark.parametrize("case", ["smoke", "smoke-g2"])
def test_it_measures_an_engine_without_a_gpu_on_one_rank_and_on_two(
    case: str, tmp_path: Path
) -> None:
    out = tmp_path / "turns.json"
    words = ["--case", case, "--contenders", "reference", "--rounds", "2", "--seconds", "0.2"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.decode", *words, "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reference: decode" in done.stdout
    turns = json.loads(out.read_text())["turns"]["reference"]
    assert len(turns) == 2
    for turn in turns:
        assert turn["decoded_tokens"] == 2 * 5 * turn["batches"]
        assert len(turn["step_us"]) == 5 * turn["batches"]


@pytest.mark.ranks
def test_a_contender_that_fails_is_left_out_by_name() -> None:
    words = ["--case", "smoke", "--contenders", "nonsense", "--rounds", "1", "--seconds", "0.2"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.decode", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "nonsense is left out" in done.stdout
