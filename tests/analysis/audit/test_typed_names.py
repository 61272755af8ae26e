"""What was typed in other letters is what was run; what was typed otherwise is not."""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import Json, close, copy, edit, look


@pytest.mark.parametrize(
    ("typed", "outcome"),
    [
        *(("model=7B", Outcome.PASSED), ("model=13b", Outcome.FAILED)),
        *(("gpu=H200", Outcome.PASSED), ("gpu=H200-141GB", Outcome.PASSED)),
        *(("gpu=H100", Outcome.FAILED), ("gpu=simulated-h200", Outcome.FAILED)),
    ],
)
def test_a_name_in_other_letters_is_the_one_that_was_run(
    base: RunPaths, tmp_path: Path, typed: str, outcome: Outcome
) -> None:
    run = copy(base, tmp_path)
    key = typed.partition("=")[0]
    ran = {"model": "model=7b", "gpu": "gpu=h200"}[key]

    def change(provenance: Json) -> None:
        for name, word in (("overrides", ran), ("command", typed)):
            provenance[name] = [
                *(one for one in provenance[name] if not one.startswith(f"{key}=")),
                word,
            ]

    edit(run.attempt(1).provenance, change)
    assert look(close(run), "launch").outcome is outcome
