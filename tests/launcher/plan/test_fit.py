"""What is left open is chosen by one rule for all points, so that it fits and ends in minutes."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from launcher.__main__ import main
from launcher.config.command_line import read_points
from launcher.plan.boards import BoardFinder
from launcher.plan.check import check
from launcher.plan.cluster import Cluster
from launcher.plan.fit import RULE, or_auto, settle_open
from launcher.plan.grid import Verdict
from launcher.plan.way_out import way_out
from telemetry.boards.board import GIB, Board
from telemetry.boards.table import BOARDS, adopt
from telemetry.command import ExitCode
from telemetry.next_line import typed

# What a driver would tell of boards that are in no row.
_UNLISTED: Final = {
    "nvidia-geforce-rtx-4080": ("NVIDIA GeForce RTX 4080", 16),
    "nvidia-geforce-rtx-3060": ("NVIDIA GeForce RTX 3060", 12),
    "nvidia-geforce-rtx-3070": ("NVIDIA GeForce RTX 3070", 8),
    "nvidia-t400": ("NVIDIA T400", 4),
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The table of boards as it was, once the test is over."""
    before = dict(BOARDS)
    yield
    BOARDS.clear()
    BOARDS.update(before)


def chosen_on(gpu: str, *words: str) -> list[dict[str, Any]]:
    """What each point of a command line becomes on a machine with such boards."""
    if gpu in _UNLISTED:
        product, gib = _UNLISTED[gpu]
        adopt(Board.from_driver(product, memory_bytes=gib * GIB, compute_capability="8.6"))

    def place(config: Mapping[str, Any]) -> tuple[object, Cluster]:
        cluster = Cluster.from_mapping(config["cluster"])
        return gpu, dataclasses.replace(cluster, device="cuda")

    points, _ = settle_open(read_points(["cluster=local", *words]), place)
    return [point.config for point in points]


def told(config: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        *(config["dtype"], config["engine"]["name"], config["quantization"]),
        *(config["batch_size"], config["prompts"], config["max_gen_len"]),
    )


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        ("h200", ("fp16", "reference", "none", 64, 64, 128)),
        ("h100", ("fp16", "reference", "none", 64, 64, 128)),
        ("rtx4090", ("fp16", "reference", "none", 32, 64, 128)),
        ("l4", ("fp16", "reference", "none", 32, 64, 64)),
        ("nvidia-geforce-rtx-4080", ("fp16", "reference", "none", 2, 4, 64)),
        ("nvidia-geforce-rtx-3060", ("fp16", "fast", "int8", 8, 56, 128)),
        # Up to 256 tokens at once need no room to be unpacked in: a few more bits fit.
        ("nvidia-geforce-rtx-3070", ("fp16", "fast", "int8", 1, 7, 128)),
    ],
)
def test_7b_gets_what_a_card_can_hold(gpu: str, expected: tuple[Any, ...]) -> None:
    [config] = chosen_on(gpu, "model=7b")
    assert told(config) == expected


def test_on_a_gpu_it_is_measured_until_the_rate_is_steady_and_for_seconds() -> None:
    [config] = chosen_on("h200", "model=7b")
    assert config["max_warmup_batches"] == 5
    assert config["min_window_s"] == 5.0
    assert config["telemetry"]["idle_s"] == 5.0


def test_what_is_given_stays_as_it_is_given() -> None:
    words = ("batch_size=4", "prompts=12", "max_gen_len=9", "dtype=bf16", "min_window_s=1")
    [config] = chosen_on("h200", "model=7b", "engine=fast", *words)
    assert told(config) == ("bf16", "fast", "none", 4, 12, 9)
    assert config["min_window_s"] == 1


def test_no_batch_is_larger_than_the_prompts_that_are_asked_for() -> None:
    [config] = chosen_on("h200", "model=7b", "prompts=10")
    assert (config["batch_size"], config["prompts"]) == (8, 10)


def test_all_points_of_a_grid_get_the_same_so_that_they_compare() -> None:
    small, large = chosen_on("rtx4090", "model=micro,7b")
    assert told(small) == told(large)
    assert small["batch_size"] == 32


def test_a_point_that_fits_with_nothing_does_not_decide_for_the_others() -> None:
    [alone] = chosen_on("rtx4090", "model=7b")
    beside, _, _ = chosen_on("rtx4090", "model=7b,13b,65b")
    assert told(beside) == told(alone)


def test_weights_are_rounded_only_where_nothing_fits_unrounded() -> None:
    [alone] = chosen_on("rtx4090", "model=13b")
    assert told(alone)[:3] == ("fp16", "fast", "int8")
    assert {config["quantization"] for config in chosen_on("rtx4090", "model=7b,13b")} == {"none"}


@pytest.mark.parametrize("word", ["dtype=fp16", "engine=reference", "quantization=none"])
def test_who_names_the_numbers_or_the_engine_gets_no_rounded_weights(word: str) -> None:
    [config] = chosen_on("rtx4090", "model=13b", word)
    assert config["quantization"] == "none"


def test_rounding_that_is_asked_for_takes_the_engine_that_rounds() -> None:
    [config] = chosen_on("h200", "model=7b", "quantization=int4")
    assert config["engine"]["name"] == "fast"


def test_without_a_gpu_a_tiny_model_does_what_it_always_did(tmp_path: Path) -> None:
    grid = check(read_points(["cluster=local", "gpu=simulated-a100", f"results={tmp_path}"]))
    [point] = grid.points
    assert point.spec.run_id == "nano-gsm8k-sample-simulated-a100-g1-b8-l32-r0-be7fdbd4"


def on_cpu(monkeypatch: pytest.MonkeyPatch, gib: int, results: Path, *words: str) -> Any:
    """The only point of a plan on a laptop of so much memory."""
    memory = psutil.virtual_memory()._replace(total=gib * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    words = ("cluster=local", "gpu=simulated-a100", f"results={results}", *words)
    [point] = check(read_points(words)).points
    return point


def test_7b_without_a_gpu_does_less_of_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point = on_cpu(monkeypatch, 64, tmp_path, "model=7b")
    assert point.verdict is Verdict.RUN
    assert point.spec.dtype == "fp32"
    assert point.spec.prompts < 16


def test_7b_takes_half_the_bytes_where_a_laptop_has_no_room_for_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point = on_cpu(monkeypatch, 24, tmp_path, "model=7b")
    assert (point.verdict, point.spec.dtype) == (Verdict.RUN, "bf16")


def test_where_7b_has_no_room_at_all_a_model_that_has_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point = on_cpu(monkeypatch, 16, tmp_path, "model=7b")
    assert point.verdict is Verdict.TOO_LARGE
    assert way_out(point) == {"model": "llama-3.2-3b"}


def test_the_plan_and_the_record_say_what_was_chosen_and_by_which_rule(tmp_path: Path) -> None:
    grid = check(read_points(["cluster=local", "gpu=simulated-a100", f"results={tmp_path}"]))
    [point] = grid.points
    assert point.chosen["rule"] == RULE
    assert point.chosen["values"]["batch_size"] == point.spec.batch_size
    [note] = [note for note in grid.notes if note.startswith("chosen for this CPU")]
    assert "batch_size=8" in note


def test_the_record_says_of_a_board_that_nobody_named_what_it_was_taken_for(
    tmp_path: Path,
) -> None:
    words = ["cluster=local", "cluster.device=cpu", f"results={tmp_path}"]
    [point] = check(read_points(words)).points
    assert point.chosen["gpu"] == "simulated-a100"
    [named] = check(read_points([*words, "gpu=cpu"])).points
    assert "gpu" not in named.chosen


def test_a_grid_of_thousands_is_chosen_for_by_the_few_that_differ() -> None:
    seeds = ",".join(map(str, range(1, 101)))
    configs = chosen_on("h200", "model=7b", "temperature=0,0.5", f"seed={seeds}")
    assert len(configs) == 200
    assert {told(config) for config in configs} == {("fp16", "reference", "none", 64, 64, 128)}


def test_nothing_that_is_left_open_reaches_a_spec_or_the_configuration(tmp_path: Path) -> None:
    words = ["dtype=auto", "engine=auto", "quantization=auto", "batch_size=auto", "prompts=auto"]
    grid = check(read_points(["cluster=local", "gpu=cpu", f"results={tmp_path}", *words]))
    [point] = grid.points
    assert "auto" not in point.spec.to_mapping().values()
    assert point.config["engine"] == {"name": "reference"}


def test_a_refusal_names_auto_among_what_a_key_may_be() -> None:
    assert or_auto("`prompts` must be a number, but is 0 instead") == (
        "`prompts` must be a number or auto, but is 0 instead"
    )
    assert or_auto("`seed` must be a number, but is 0 instead").count("auto") == 0


def test_without_a_gpu_the_plan_says_that_it_simulates() -> None:
    boards = BoardFinder()
    [point] = read_points(["cluster=local"])
    gpu, _ = boards.settle("auto", Cluster.from_mapping(point.config["cluster"]))
    assert gpu == "simulated-a100"
    assert boards.notes[0].startswith("SIMULATED")


def test_no_more_prompts_are_chosen_than_a_file_has(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    words = ["dataset=file", f"dataset.path={tmp_path / 'mine.jsonl'}"]
    grid = check(read_points(["cluster=local", "gpu=cpu", f"results={tmp_path}", *words]))
    assert grid.points[0].spec.prompts == 2


def test_where_nothing_has_room_the_next_command_is_the_same_with_a_model_that_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = psutil.virtual_memory()._replace(total=16 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    words = ["cluster=local", "gpu=simulated-a100", f"results={tmp_path}", "allow_dirty=true"]
    assert main([*words, "model=7b", "prompts=4"]) == ExitCode.NOTHING_DONE
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if line.startswith("next: ")]
    assert line.removeprefix("next: ") == typed(
        "launcher", *words, "prompts=4", "model=llama-3.2-3b"
    )
    assert list(tmp_path.iterdir()) == []
