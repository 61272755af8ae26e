"""The grids of arXiv 2501.08219's versions and of the engines' ladder name what there is."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.abstracts.version import version_named
from analysis.effects.ladder import RUNGS
from launcher.config.command_line import read_points
from launcher.plan.check import check
from launcher.plan.grid import Verdict
from tests.conftest import REPOSITORY
from workers.planning.engine_facts import ENGINE_FACTS
from workers.planning.families import known_models

VERSIONS = ("v1", "v2")


@pytest.fixture(autouse=True)
def _no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards alone decide: a Slurm of this machine's, or its absence, has no say."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


def swept(experiment: str) -> dict[str, list[str]]:
    """What a grid sweeps, by key."""
    path = REPOSITORY / "conf" / "experiment" / f"{experiment}.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text())["hydra"]["sweeper"]["params"]
    return {name: str(values).split(",") for name, values in params.items()}


@pytest.mark.parametrize("name", VERSIONS)
def test_every_model_of_a_version_s_grid_is_there_and_of_its_list(name: str) -> None:
    models = swept(f"maliakel2025_{name}")["model"]
    listed = {one for model in version_named(name).models for one in model.ours}
    assert set(models) == listed
    assert set(models) <= set(known_models())


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_s_grid_has_one_data_set_of_each_of_its_tasks(name: str) -> None:
    version = version_named(name)
    datasets = swept(f"maliakel2025_{name}")["dataset"]
    tasks = [version.task_of(one) for one in datasets]
    assert tasks == list(version.tasks)


@pytest.mark.parametrize("name", VERSIONS)
def test_a_version_s_grid_has_two_lengths(name: str) -> None:
    assert swept(f"maliakel2025_{name}")["max_gen_len"] == ["64", "256"]


def test_what_cannot_run_is_kept_out_with_its_reason(tmp_path: Path) -> None:
    words = ("experiment=maliakel2025_v1", "cluster=h200", "dataset=fixed", "max_gen_len=256")
    asked = (f"results={tmp_path}", *words, "max_prompt_len=1000", "repeats=1")
    grid = check(read_points([*asked, "model=gpt2,mistral-7b-v0.1"]))
    assert [point.verdict for point in grid.points] == [Verdict.ILLEGAL, Verdict.RUN]
    assert "at most the 1024 positions" in str(grid.points[0].reason)


def test_every_engine_of_the_ladder_s_grid_is_there_and_a_rung() -> None:
    engines = swept("engine_ladder")["engine"]
    assert set(engines) <= set(ENGINE_FACTS)
    assert engines == list(RUNGS)


def test_the_ladder_s_grid_is_three_runs_an_engine(tmp_path: Path) -> None:
    words = ("experiment=engine_ladder", "cluster=h200")
    grid = check(read_points([f"results={tmp_path}", *words]))
    assert len(grid.points) == 18
    assert Verdict.ILLEGAL not in [point.verdict for point in grid.points]
