"""The lab of quantized products runs without a GPU, and finds the kernels' outputs right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.widening import Lab
from tests.benchmarks.widening_work import SMALL

pytestmark = pytest.mark.kernels


def run(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.widening", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_every_kind_of_weight_is_multiplied_as_in_fp32(tmp_path: Path) -> None:
    out = tmp_path / "lab.json"
    done = run(["--rows", "3", "--bits", "4,8", "--out", str(out)], TRITON_INTERPRET="1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert {(told["bits"], told["name"]) for told in found} == {
        (bits, name) for bits in (16, 8, 4) for name in ("wo", "gate_up")
    }
    for told in found:
        # Rounding to fp16, 2^-11 of a number up to four times the root mean square.
        assert told["error"] < 5e-3, told
        assert told["us"] is None


def test_chains_that_were_timed_are_no_tilings_to_choose_from() -> None:
    lab = Lab(SMALL, on_gpu=False, bytes_per_s=1e12)
    timed = {"name": "wo", "rows": 16, "bits": 4, "error": 0.0}
    lab.found += [{**timed, "us": 9.0}, {"chain": "4 bits", "rows": 16, "us_a_layer": 72.4}]
    lab.found += [{**timed, "us": 8.0}, {**timed, "us": None}, {**timed, "us": 1.0, "error": 3.0}]
    assert lab.best("wo", 16, 4) == {**timed, "us": 8.0}
    assert lab.best("wo", 64, 4) is None


def test_it_refuses_a_machine_that_can_run_no_kernel() -> None:
    done = run(["--rows", "3"], TRITON_INTERPRET="0", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert "there must be a GPU, or TRITON_INTERPRET=1" in done.stderr
