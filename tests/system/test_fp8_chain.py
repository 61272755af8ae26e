"""A run in fp8 goes the whole way on two ranks without a GPU, and says that it had no units."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telemetry.record.paths import list_runs
from tests.system.test_chain import POINT, command

pytestmark = pytest.mark.chain


def call(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One point in fp8 and one unrounded on two ranks, with a report, and audited."""
    folder = tmp_path_factory.mktemp("fp8") / "results"
    words = ("engine=fast", "gpus=2", "gpu=simulated-h100", "quantization=none,fp8")
    call(command(folder, "-m", *POINT, *words))
    call([sys.executable, "-m", "analysis", str(folder)])
    call([sys.executable, "-m", "analysis.audit", str(folder)])
    return folder


@pytest.fixture(scope="module")
def models(results: Path) -> dict[str, dict[str, Any]]:
    """What each run's record says of its model, by quantization."""
    found = [json.loads(path.read_text()) for path in results.rglob("model.json")]
    return {model["quantization"]: model for model in found}


def test_both_are_sealed(results: Path) -> None:
    assert [run.sealed() is not None for run in list_runs(results)] == [True, True]


def test_the_record_says_by_what_its_products_were_made(models: dict[str, dict[str, Any]]) -> None:
    assert models["fp8"]["engine"]["fp8"] == "fp32, of the same numbers"
    assert models["none"]["engine"]["fp8"] is None


def test_its_logit_error_is_that_of_e4m3(models: dict[str, dict[str, Any]]) -> None:
    error = models["fp8"]["logit_error"]
    assert error["reason"] is None
    assert 0.01 < error["relative_rms"] < 0.08
