"""A grid is checked as a whole: each point gets a verdict before anything starts."""

from pathlib import Path

import pytest

from launcher.__main__ import main
from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.config.listing import group_options
from launcher.plan.check import check
from launcher.plan.fit import AUTO
from launcher.plan.grid import Grid, Verdict
from telemetry.record.attempt_state import record_end
from telemetry.record.files import write_json
from telemetry.record.paths import RunPaths
from telemetry.record.schema import EndState
from tests.support.signing import make_key
from workers.planning.engine_facts import DEFAULT_ENGINE, ENGINE_FACTS
from workers.planning.families import known_models
from workers.prompts.corpus import CORPORA
from workers.prompts.staging import StagedCopy


def grid_of(results: Path, *words: str) -> Grid:
    return check(read_points([f"results={results}", *words]))


def verdicts(grid: Grid) -> list[Verdict]:
    return [point.verdict for point in grid.points]


def test_heads_that_do_not_divide_are_illegal_and_the_others_run(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "cluster=h200", "model=13b", "gpus=8,16,32")
    assert verdicts(grid) == [Verdict.RUN, Verdict.ILLEGAL, Verdict.ILLEGAL]
    assert "40 heads of 13b" in str(grid.points[1].reason)


def test_a_model_that_does_not_fit_the_gpu_is_too_large(tmp_path: Path) -> None:
    grid = grid_of(
        tmp_path, "cluster=supercloud_v100", "model=65b", "gpus=4,8", "max_prompt_len=128"
    )
    assert verdicts(grid) == [Verdict.TOO_LARGE, Verdict.RUN]
    assert "Tesla V100 32 GB" in str(grid.points[0].reason)


def test_a_model_that_does_not_fit_this_machine_is_too_large(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "cluster=local", "model=65b", "gpus=8")
    assert verdicts(grid) == [Verdict.TOO_LARGE]
    assert "this machine's memory" in str(grid.points[0].reason)


def test_a_point_that_cannot_end_in_time_is_too_long(tmp_path: Path) -> None:
    grid = grid_of(
        tmp_path,
        "cluster=local",
        "model=micro",
        "prompts=64",
        "max_gen_len=1000",
        "cluster.core_gflops=0.1",
        "cluster.timeout_min=1",
    )
    assert verdicts(grid) == [Verdict.TOO_LONG]


def test_ranks_that_do_not_fill_their_nodes_are_illegal(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "cluster=supercloud_v100", "model=13b", "gpus=5")
    assert verdicts(grid) == [Verdict.ILLEGAL]
    assert "5 = 2 x 2 + 1" in str(grid.points[0].reason)


def test_ranks_are_spread_over_as_few_nodes_as_hold_them(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "cluster=supercloud_v100", "model=7b", "gpus=1,2,8")
    assert [(e.spec.nodes, e.spec.gpus_per_node) for e in grid.points] == [(1, 1), (1, 2), (4, 2)]


def test_a_cap_on_a_real_gpu_is_planned_and_kept_out_where_nobody_sets_it(tmp_path: Path) -> None:
    words = ("cluster=h200", "model=7b", "power_cap_w=null,300")
    assert verdicts(grid_of(tmp_path, *words)) == [Verdict.RUN, Verdict.RUN]
    kept_out = grid_of(tmp_path, *words, "power=none")
    assert verdicts(kept_out) == [Verdict.RUN, Verdict.UNSUPPORTED]
    assert any("nvidia-smi -pl 300" in note and "power=site" in note for note in kept_out.notes)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("power_cap_w=1", "`power_cap_w` must be from 150 to 300 for A100 80 GB"),
        ("power_cap_w=500", "but is 500 instead"),
        ("sm_clock_mhz=1411", "`sm_clock_mhz` must be at most 1410 for A100 80 GB"),
    ],
)
def test_a_setting_that_the_simulated_board_would_not_take_is_illegal(
    tmp_path: Path, word: str, told: str
) -> None:
    (point,) = grid_of(tmp_path, "cluster=local", "gpu=simulated-a100", word).points
    assert point.verdict is Verdict.ILLEGAL
    assert point.reason is not None
    assert told in point.reason


def test_settings_at_the_simulated_board_s_limits_run(tmp_path: Path) -> None:
    words = ("cluster=local", "gpu=simulated-a100", "power_cap_w=150,300", "sm_clock_mhz=1410")
    assert verdicts(grid_of(tmp_path, *words)) == [Verdict.RUN, Verdict.RUN]


def test_a_cap_where_no_gpu_computes_is_not_pretended(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "cluster=local", "gpu=cpu", "power_cap_w=200")
    assert verdicts(grid) == [Verdict.UNSUPPORTED]


def test_each_repeat_is_its_own_run(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "cluster=local", "repeats=3")
    assert [point.spec.repeat for point in grid.points] == [0, 1, 2]
    assert len({point.spec.run_id for point in grid.points}) == 3


def test_equal_points_are_kept_once(tmp_path: Path) -> None:
    assert len(grid_of(tmp_path, "cluster=local", "temperature=1,1.0").points) == 1


def test_where_the_record_lies_cannot_be_swept() -> None:
    with pytest.raises(BadInputError, match="`results` must be the same for all points"):
        check(read_points(["results=a,b"]))


def test_a_key_that_does_not_sign_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="`signing_key` must be a key that signs"):
        grid_of(tmp_path / "results", "cluster=local", f"signing_key={tmp_path / 'none'}")
    key = make_key(tmp_path / "key")
    (point,) = grid_of(tmp_path / "results", "cluster=local", f"signing_key={key}").points
    assert point.launch.signing_key == str(key)


def test_how_points_are_composed_cannot_be_swept() -> None:
    with pytest.raises(BadInputError, match="`compose` must be the same for all points"):
        check(read_points(["compose=quick,hydra"]))


def test_the_bundled_sample_has_its_own_name_in_the_record(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "cluster=local", "dataset.source=sample")
    assert grid.points[0].spec.dataset == "gsm8k-sample"


def test_the_identity_of_a_run_does_not_depend_on_where_it_runs(tmp_path: Path) -> None:
    words = ("cluster=h200", "dataset.source=hub")
    here = grid_of(tmp_path / "a", *words)
    there = grid_of(tmp_path / "b", *words, "cluster.slurm.partition=big", "cluster.timeout_min=7")
    assert here.points[0].spec.run_id == there.points[0].spec.run_id


def test_a_sealed_point_is_skipped(tmp_path: Path) -> None:
    spec = grid_of(tmp_path, "cluster=local").points[0].spec
    attempt = RunPaths(results=tmp_path, run_id=spec.run_id).attempt(1)
    attempt.folder.mkdir(parents=True)
    write_json(attempt.seal, {})
    assert verdicts(grid_of(tmp_path, "cluster=local")) == [Verdict.SEALED]


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (EndState.FAILED, Verdict.RUN),
        (EndState.CANCELLED, Verdict.RUN),
        (EndState.LOST, Verdict.RUN),
        (EndState.COMPLETED, Verdict.MERGE),
    ],
)
def test_a_dead_attempt_is_tried_again_and_a_complete_one_only_sealed(
    tmp_path: Path, end: EndState, expected: Verdict
) -> None:
    spec = grid_of(tmp_path, "cluster=local").points[0].spec
    attempt = RunPaths(results=tmp_path, run_id=spec.run_id).attempt(1)
    attempt.folder.mkdir(parents=True)
    record_end(attempt, end, None, "test")
    assert verdicts(grid_of(tmp_path, "cluster=local")) == [expected]


def test_planning_starts_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["cluster=local", "plan=true", "gpus=1,2", f"results={tmp_path}/r"])
    assert code == 0
    assert "2 run" in capsys.readouterr().out
    assert not (tmp_path / "r").exists()


# arXiv 2310.03003: points of each figure and table, and those that run or plan under the estimate.
@pytest.mark.grids
@pytest.mark.parametrize(
    ("experiment", "points"),
    [
        ("figure2_throughput", 12),
        ("figure3_power", 36),
        ("figure4_watts", 24),
        ("figure5_watts", 24),
        ("figure6_j_per_token", 24),
        ("figure7_j_per_token", 24),
        ("figure8_j_per_response", 24),
        ("figure9_j_per_response", 24),
        ("table1_nodes", 2),
        ("table2_minimum_hardware", 24),
        ("table3_power_cap", 9),
        ("table4_utilization_a100", 8),
        ("table5_utilization_v100", 6),
        ("demo", 8),
        # This project's own: both engines over every legal number of GPUs, and fewer bits a weight.
        ("sharding_h200", 24),
        ("sharding_laptop", 8),
        ("caps_and_clocks", 40),
        ("sequence_lengths", 16),
        ("dvfs", 18),
        ("quantization_h200", 18),
        ("format_curve", 80),
        # Distilled models beside the larger ones: 24 points, three repeats each.
        ("distilled_twins", 72),
        # What docs/transformers.md shows, on one card.
        ("second_paper_h200", 54),
    ],
)
def test_every_experiment_is_a_grid_of_its_own(
    tmp_path: Path, experiment: str, points: int
) -> None:
    assert experiment in group_options("experiment")
    grid = grid_of(tmp_path, f"experiment={experiment}")
    assert len(grid.points) == points
    assert Verdict.ILLEGAL not in verdicts(grid)


def test_every_experiment_file_is_tested() -> None:
    marks = test_every_experiment_is_a_grid_of_its_own.pytestmark  # type: ignore[attr-defined]
    tested = {name for name, _ in marks[0].args[1]}
    # A center's own: test_center.py; another paper's: test_later_paper.py.
    elsewhere = {
        "center",
        "proof",
        "proof_two_nodes",
        "maliakel2025_v1",
        "maliakel2025_v2",
        "engine_ladder",
    }
    assert tested | elsewhere == set(group_options("experiment"))


def test_every_length_of_the_sequence_study_is_exact(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "experiment=sequence_lengths")
    assert verdicts(grid) == [Verdict.RUN] * 16
    told = {(point.spec.max_prompt_len, point.spec.max_gen_len) for point in grid.points}
    lengths = (64, 128, 256, 512)
    assert told == {(asked, answered) for asked in lengths for answered in lengths}
    assert {(point.spec.dataset, point.spec.ignore_eos) for point in grid.points} == {
        ("fixed-synthetic", True)
    }


def test_every_point_of_the_format_curve_answers_one_batch_as_wide_as_it_is_named(
    tmp_path: Path,
) -> None:
    grid = grid_of(tmp_path, "experiment=format_curve")
    assert {(point.spec.prompts, point.spec.batch_size) for point in grid.points} == {
        (2**power, 2**power) for power in range(10)
    }
    assert {point.spec.dataset for point in grid.points} == {"fixed-synthetic"}
    (wide,) = (point for point in grid.points if point.verdict is not Verdict.RUN)
    # Its keys and values alone are 107 GB.
    assert (wide.spec.model, wide.spec.quantization, wide.spec.batch_size) == ("13b", "none", 512)


def test_figure_4_runs_the_cells_that_fit_32_gb(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "experiment=figure4_watts", "dataset=gsm8k")
    run = {(point.spec.gpus, point.spec.batch_size) for point in grid.having(Verdict.RUN)}
    # The paper also shows 16 x 256 and 32 x 512: its code held prompt and answer in 512 positions.
    assert run == {(8, 64), (16, 64), (16, 128), (32, 64), (32, 128), (32, 256)}


def test_the_sharding_table_leaves_out_only_what_does_not_fit_one_gpu(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "experiment=sharding_h200")
    run = {(e.spec.model, e.spec.gpus, e.spec.engine) for e in grid.having(Verdict.RUN)}
    every = {(model, gpus) for model in ("7b", "13b", "65b") for gpus in (1, 2, 4, 8)}
    fitting = every - {("65b", 1)}
    assert run == {(*point, engine) for point in fitting for engine in ("reference", "fast")}
    assert all("GB more than" in str(e.reason) for e in grid.having(Verdict.TOO_LARGE))
    assert {e.spec.dataset for e in grid.points} == {"fixed-synthetic"}


def test_quantized_weights_are_planned_at_their_own_size(tmp_path: Path) -> None:
    words = ("cluster=h200", "model=65b", "engine=fast", "max_prompt_len=128", "max_gen_len=128")
    grid = grid_of(tmp_path, *words, "quantization=none,int8,int4")
    assert verdicts(grid) == [Verdict.TOO_LARGE, Verdict.RUN, Verdict.RUN]
    sizes_gb = [point.memory.weights_bytes / 1e9 for point in grid.points]
    assert sizes_gb == pytest.approx([130.6, 65.9, 34.7], abs=0.5)


def test_batches_to_512_and_lengths_to_2048_each_get_a_verdict(tmp_path: Path) -> None:
    grid = grid_of(
        tmp_path,
        "cluster=h200",
        "model=7b",
        "engine=reference,fast",
        "batch_size=1,8,64,256,512",
        "max_prompt_len=128",
        "max_gen_len=128,384,896,1920",
    )
    assert set(verdicts(grid)) == {Verdict.RUN, Verdict.TOO_LARGE}
    for point in grid.points:
        smaller = [e for e in grid.points if e.spec.engine == point.spec.engine]
        assert all(
            e.memory.total_bytes <= point.memory.total_bytes
            for e in smaller
            if e.spec.batch_size <= point.spec.batch_size
            and e.spec.max_gen_len <= point.spec.max_gen_len
        )


def test_every_engine_offered_is_one_that_the_workers_have() -> None:
    assert set(group_options("engine")) == {AUTO, *ENGINE_FACTS}


def test_the_engine_that_tables_leave_unsaid_is_the_configuration_s_own(tmp_path: Path) -> None:
    [point] = grid_of(tmp_path, "cluster=h200").points
    assert point.spec.engine == DEFAULT_ENGINE


def test_every_model_offered_is_one_that_the_workers_have() -> None:
    assert set(group_options("model")) == set(known_models())


def test_every_data_set_offered_is_one_that_the_workers_have() -> None:
    assert set(group_options("dataset")) == set(CORPORA)


def test_what_cannot_be_read_is_told_with_its_path_and_no_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests' user may be root, to whom nothing is forbidden.
    def refuse(cache: Path, corpus: object) -> None:
        raise PermissionError(13, "Permission denied", f"{cache}/gsm8k/staged.json")

    monkeypatch.setattr(StagedCopy, "read", refuse)
    with pytest.raises(BadInputError, match=r"staged\.json must be readable, but is not: Permissi"):
        grid_of(tmp_path, "cluster=local", "model=nano", "prompts=2")
