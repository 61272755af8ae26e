"""What planned points are expected to take, and what that rests on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.runs.sealed_runs import load
from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.forecast.forecaster import Forecaster, foresee
from launcher.forecast.history import read_history
from launcher.forecast.lesson import lesson
from launcher.forecast.work import Host
from launcher.plan.check import check
from launcher.plan.grid import Grid, Verdict
from telemetry.boards.table import BOARDS
from telemetry.record.foreseen import Basis, Foreseen
from tests.support.recordings import recorded, unpack
from tests.support.records import Plan, build_run

pytestmark = pytest.mark.grids


def grid_of(results: Path, *words: str) -> Grid:
    return foresee(check(read_points([f"results={results}", *words])))


def seen(grid: Grid) -> list[Foreseen]:
    return [point.foreseen for point in grid.points if point.foreseen is not None]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recorded runs: 7B by both engines and 13B by `fast`, each on one H200."""
    results = Path(tmp_path_factory.mktemp("history"))
    for name in ("387c05a0", "13c89e3b", "a25e6652"):
        (archive,) = [path for path in recorded() if name in path.name]
        unpack(archive, results)
    return results


FAST = ("cluster=h200", "dataset=fixed", "engine=fast")


def test_without_any_run_of_the_board_it_is_the_datasheet_s(tmp_path: Path) -> None:
    (one,) = seen(grid_of(tmp_path, *FAST, "model=7b"))
    assert (one.basis, one.told, one.runs) == (
        Basis.DATASHEET,
        "from the datasheet alone",
        (),
    )
    assert one.time_s.low < one.time_s.value < one.time_s.high


def test_runs_of_the_same_model_and_engine_come_first(tmp_path: Path, history: Path) -> None:
    (one,) = seen(grid_of(tmp_path, *FAST, "model=7b", f"history={history}"))
    assert one.basis is Basis.SAME
    assert one.told == "from 1 sealed run of 7b fast on h200"
    assert one.runs[0].endswith("13c89e3b")
    assert len(one.runs) == 3


def test_of_another_model_it_is_the_roofline_and_those_runs(tmp_path: Path, history: Path) -> None:
    (one,) = seen(grid_of(tmp_path, *FAST, "model=65b", "gpus=2", f"history={history}"))
    assert one.basis is Basis.BOARD
    assert one.told.startswith("from the roofline of h200 and 3 sealed runs of 13b fast, 7b fast")


def test_history_narrows_the_interval(tmp_path: Path, history: Path) -> None:
    words = (*FAST, "model=7b", "prompts=4096")
    (without,) = seen(grid_of(tmp_path, *words))
    (with_it,) = seen(grid_of(tmp_path, *words, f"history={history}"))
    assert with_it.time_s.high / with_it.time_s.low < without.time_s.high / without.time_s.low


def test_a_real_board_teaches_no_simulated_one(tmp_path: Path, history: Path) -> None:
    words = ("cluster=local", "gpu=simulated-h200", "model=nano", f"history={history}")
    (one,) = seen(grid_of(tmp_path, *words))
    assert one.basis is Basis.DATASHEET
    assert one.simulated
    assert "simulation" in one.told


def test_a_simulated_board_teaches_no_real_one(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(spec={"gpu": "simulated-h200"}))
    (one,) = seen(grid_of(tmp_path, *FAST, "model=7b"))
    assert one.basis is Basis.DATASHEET
    assert not one.simulated


def test_a_cpu_s_run_of_another_host_teaches_nothing_here(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    (one,) = seen(grid_of(tmp_path, "cluster=local", "gpu=simulated-a100", "prompts=8"))
    assert one.basis is Basis.DATASHEET


def test_without_a_gpu_there_is_time_and_no_energy(tmp_path: Path) -> None:
    (one,) = seen(grid_of(tmp_path, "cluster=local", "gpu=cpu", "cluster.device=cpu"))
    assert one.energy_j is None
    assert one.told == "from core_gflops alone"


def test_more_prompts_take_longer_and_a_longer_window_too(tmp_path: Path) -> None:
    few, many = seen(grid_of(tmp_path, *FAST, "model=7b", "prompts=64,4096", "min_window_s=0"))
    (long,) = seen(grid_of(tmp_path, *FAST, "model=7b", "min_window_s=600"))
    assert many.window_s.value > 50 * few.window_s.value
    assert long.window_s.low >= 600


def test_faster_memory_takes_less_time_and_every_board_has_some(tmp_path: Path) -> None:
    (one,) = seen(grid_of(tmp_path, *FAST, "model=7b", "prompts=4096"))
    point = grid_of(tmp_path, *FAST, "model=7b", "prompts=4096").points[0]
    times = {}
    for name in BOARDS:
        spec = replace(point.spec, gpu=name)
        times[name] = Forecaster(name, [], Host()).foresee(spec, point.launch, node=None)
    assert times["h200"] == one
    assert times["v100"].time_s.value > times["a100"].time_s.value > one.time_s.value
    for name, found in times.items():
        limit_w = BOARDS[name].power_limit_w
        assert found.energy_j is not None
        if limit_w is not None:
            assert found.energy_j.high <= limit_w * found.time_s.high


def test_a_sealed_point_costs_nothing(tmp_path: Path) -> None:
    words = ("cluster=local", "gpu=simulated-a100", "prompts=4", "batch_size=2", "max_gen_len=8")
    spec = grid_of(tmp_path / "new", *words).points[0].spec
    build_run(tmp_path, Plan(spec=spec.to_mapping()))
    (point,) = grid_of(tmp_path, *words).points
    assert point.verdict in (Verdict.SEALED, Verdict.OTHERWISE)
    assert point.foreseen is None


def test_a_run_that_was_changed_since_its_seal_teaches_nothing(
    tmp_path: Path, history: Path
) -> None:
    changed = tmp_path / "changed"
    for archive in recorded():
        if "13c89e3b" in archive.name:
            unpack(archive, changed)
    (model,) = changed.glob("*/attempt-001/model.json")
    model.write_text(model.read_text().replace('"seconds"', '"seconds" '))
    grid = grid_of(tmp_path / "new", *FAST, "model=7b", f"history={changed}")
    assert [one.basis for one in seen(grid)] == [Basis.DATASHEET]
    assert any("not as sealed" in note and "13c89e3b" in note for note in grid.notes)


@pytest.mark.parametrize("given", ["absent", "plain"])
def test_a_history_that_is_no_results_folder_is_refused(tmp_path: Path, given: str) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(BadInputError, match="`history` must be a results folder or null"):
        grid_of(tmp_path / "new", "cluster=local", f"history={tmp_path / given}")


def test_the_same_beliefs_give_the_same_figures(tmp_path: Path, history: Path) -> None:
    words = (*FAST, "model=7b", f"history={history}")
    assert seen(grid_of(tmp_path, *words)) == seen(grid_of(tmp_path, *words))


@pytest.mark.parametrize(
    "words",
    [
        ("prompts=1", "batch_size=64", "max_gen_len=1"),
        ("prompts=65", "batch_size=64", "warmup_batches=0", "max_warmup_batches=null"),
        ("prompts=3", "batch_size=2", "telemetry.idle_s=0", "min_window_s=3600"),
        ("max_warmup_s=0", "warmup_batches=5", "max_warmup_batches=50"),
        ("quantization=int4", "logit_error=false", "prompts=100000"),
        ("engine=reference", "dataset=alpaca_seed", "dataset.source=auto"),
    ],
)
def test_the_ends_of_what_keys_allow_have_figures_too(
    tmp_path: Path, history: Path, words: tuple[str, ...]
) -> None:
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text('{"instruction": "say", "instances": [{"input": "it"}]}\n')
    more = (f"dataset.path={seeds}", "prompts=1") if "dataset=alpaca_seed" in words else ()
    given = {word.partition("=")[0] for word in words}
    base = [word for word in FAST if word.partition("=")[0] not in given]
    for source in ((), (f"history={history}",)):
        (one,) = seen(grid_of(tmp_path, *base, "model=7b", *words, *more, *source))
        assert 0 < one.time_s.low <= one.time_s.high
        assert one.window_s.value < one.time_s.value
        assert one.energy_j is not None
        assert one.window_energy_j is not None
        assert 0 < one.window_energy_j.value < one.energy_j.value


def test_a_run_without_a_reading_of_energy_teaches_time_alone(tmp_path: Path) -> None:
    def silent(row: dict[str, Any]) -> dict[str, Any] | None:
        return None if row["field"] in ("power_instant_w", "energy_j") else row

    run = build_run(tmp_path, Plan(sample=silent))
    (sealed,) = load(tmp_path).runs
    taught = lesson(sealed, Host())
    assert taught.run_id == run.run_id
    assert {"step_s", "load_s"} <= set(taught.amounts)
    assert not {"window_w", "rest_w"} & set(taught.amounts)


def test_a_run_that_was_never_sealed_teaches_nothing(tmp_path: Path) -> None:
    build_run(tmp_path, Plan(end="failed"))
    spec = Plan().run_spec
    found = read_history([tmp_path], [spec], {})
    assert (found.lessons[spec.gpu], found.notes) == ([], ())


def test_a_run_in_two_folders_teaches_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        build_run(tmp_path / name, Plan())
    spec = Plan().run_spec
    found = read_history([tmp_path / "one", tmp_path / "two"], [spec], {})
    assert len(found.lessons[spec.gpu]) == 1


def test_a_damaged_record_is_told_and_hides_no_other(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    damaged = build_run(tmp_path, Plan(spec={"seed": 2}))
    damaged.spec.write_text("{")
    spec = Plan().run_spec
    found = read_history([tmp_path], [spec], {})
    assert len(found.lessons[spec.gpu]) == 1
    assert damaged.run_id in found.notes[0]


def test_ranks_that_meet_over_a_network_take_longer_and_nobody_knows_how_long(
    tmp_path: Path,
) -> None:
    words = (*FAST, "model=65b", "gpus=8", "prompts=4096")
    (one,) = seen(grid_of(tmp_path, *words))
    (four,) = seen(grid_of(tmp_path, *words, "cluster.gpus_per_node=2"))
    assert four.window_s.value > one.window_s.value
    assert four.window_s.high / four.window_s.low > 1.5 * one.window_s.high / one.window_s.low


def test_runs_of_one_node_are_not_said_to_know_a_network(tmp_path: Path, history: Path) -> None:
    words = (*FAST, "model=7b", "gpus=8", f"history={history}")
    (one,) = seen(grid_of(tmp_path, *words))
    (four,) = seen(grid_of(tmp_path, *words, "cluster.gpus_per_node=2"))
    assert one.told == "from 1 sealed run of 7b fast on h200"
    assert four.told == "from 1 sealed run of 7b fast on h200, none over several nodes"
