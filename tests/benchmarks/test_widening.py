"""The lab of quantized products runs without a GPU, and finds the kernels' outputs right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_it_refuses_a_machine_that_can_run_no_kernel() -> None:
    done = run(["--rows", "3"], TRITON_INTERPRET="0", CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 2
    assert "there must be a GPU, or TRITON_INTERPRET=1" in done.stderr
