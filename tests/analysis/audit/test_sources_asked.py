"""The source of readings is the one that was asked for, or the one that follows where none was."""

from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from telemetry.record.files import read_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import Json, close, copy, edit, look, recompose, respec


@pytest.mark.parametrize(
    ("gpu", "told", "outcome"),
    [
        *(("cpu", "host", Outcome.PASSED), ("cpu", "dcgm", Outcome.FAILED)),
        *(("h200", "auto", Outcome.PASSED), ("h200", "host", Outcome.FAILED)),
        ("h200", "simulated", Outcome.FAILED),
    ],
)
def test_a_source_that_was_left_open_follows_from_the_gpu(
    base: RunPaths, tmp_path: Path, gpu: str, told: str, outcome: Outcome
) -> None:
    run = copy(base, tmp_path)
    telemetry = {**read_json(run.attempt(1).provenance)["config"]["telemetry"], "source": "auto"}
    if gpu == "cpu":
        run = respec(run, gpu=gpu)
    recompose(run, gpu=gpu, telemetry=telemetry)

    def change(launch: Json) -> None:
        launch["telemetry"] = told
        launch["device"] = "cpu" if gpu == "cpu" else launch["device"]

    edit(run.attempt(1).launch, change)
    found = look(close(run), "launch")
    assert found.outcome is outcome
    if outcome is Outcome.FAILED:
        said = f"`telemetry` is {told} in launch.json, but the launcher was given auto"
        assert said in found.evidence
