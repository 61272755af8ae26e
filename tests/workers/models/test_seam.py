"""A second family of models is one file and one row: planned, read, loaded, answered, recorded."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from launcher.config.command_line import read_points
from launcher.plan.check import check
from launcher.plan.grid import PlannedPoint, Verdict
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from tests.support.attempts import make_attempt, make_spec
from tests.support.ranks import run_gang, values_of
from tests.support.toy_family import SHAPE, TOY
from tests.support.weights import draw_whole, shard
from workers.checkpoints.files import check_model, find_files
from workers.checkpoints.reader import Checkpoint
from workers.distributed.rank import Rank
from workers.planning.engine_facts import engine_facts
from workers.planning.families import FAMILIES, find_shape, known_models
from workers.planning.memory import estimate, flops
from workers.run import run_rank

DIM, LAYERS, VOCAB = SHAPE.dim, SHAPE.layers, SHAPE.vocab
# Queries, keys, values and what they mix to, each dim x dim; up and down, each dim x 4 dim.
MATRICES = 12 * DIM**2


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one registration."""
    monkeypatch.setitem(FAMILIES, TOY.name, TOY)


@pytest.fixture
def toy(spec: RunSpec) -> RunSpec:
    return make_spec(spec, model=SHAPE.name, gpus=2, gpus_per_node=2, max_gen_len=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint as the hub would hold it."""
    whole = draw_whole(SHAPE, 3)
    save_file(
        {f"toy.{name}": weight for name, weight in whole.items()}, tmp_path / "model.safetensors"
    )
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "toy", "width": DIM}))
    return tmp_path


def plan(results: Path, *words: str) -> list[PlannedPoint]:
    points = read_points([f"results={results}", "cluster=local", f"model={SHAPE.name}", *words])
    return list(check(points).points)


def test_its_shapes_are_found_beside_all_others() -> None:
    assert find_shape(SHAPE.name) is SHAPE
    assert known_models()[-1] == SHAPE.name
    assert len(set(known_models())) == len(known_models())


def test_the_command_line_takes_its_models_without_a_file_for_each(tmp_path: Path) -> None:
    one, three = plan(tmp_path, "gpus=1,3")
    assert (one.spec.model, one.verdict) == (SHAPE.name, Verdict.RUN)
    assert three.verdict == Verdict.ILLEGAL
    assert "`gpus` must divide the 8 heads of toy-small, but is 3" in str(three.reason)


def test_its_memory_and_arithmetic_are_planned_by_its_own_shape(toy: RunSpec) -> None:
    memory = estimate(toy)
    rank = LAYERS * MATRICES // 2 + 2 * VOCAB * DIM // 2 + DIM
    assert memory.weights_bytes == 4 * rank
    positions = toy.batch_size * (toy.max_prompt_len + toy.max_gen_len)
    assert memory.kv_cache_bytes == 4 * positions * 2 * LAYERS * DIM // 2
    # One token of prompt and two of three answered are fed; they meet 1 + 2 + 3 positions.
    each = 3 * 2 * LAYERS * MATRICES + 6 * 4 * LAYERS * DIM + 3 * 2 * VOCAB * DIM
    assert flops(toy) == toy.prompts * each


@pytest.mark.parametrize("degree", [1, 2])
def test_its_published_names_are_read_by_its_own_table(folder: Path, degree: int) -> None:
    expected = shard(draw_whole(SHAPE, 3), SHAPE, degree - 1, degree)
    source = Checkpoint(find_files(folder), SHAPE, rank=degree - 1, degree=degree)
    for name, weight in expected.items():
        found = torch.full_like(weight, torch.nan)
        source.fill(name, found)
        assert torch.equal(found, weight)


def test_a_checkpoint_of_another_size_or_family_is_refused_in_its_words(folder: Path) -> None:
    files = find_files(folder)
    with pytest.raises(ValueError, match="of nano, whose model_type is 'llama', but"):
        check_model(files, find_shape("nano"))
    (folder / "config.json").write_text(json.dumps({"model_type": "toy", "width": 65}))
    with pytest.raises(ValueError, match="of toy-small, whose width is 64, but"):
        check_model(files, SHAPE)


def test_an_engine_of_one_family_says_so(toy: RunSpec) -> None:
    assert engine_facts("reference").fault(toy) is None
    fault = engine_facts("fast").fault(make_spec(toy, engine="fast"))
    assert (
        fault == "`model` must be of family llama with engine fast, but toy-small is of toy instead"
    )


def test_a_plan_refuses_an_engine_of_another_family(tmp_path: Path) -> None:
    reference, fast = plan(tmp_path, "engine=reference,fast")
    assert (reference.verdict, fast.verdict) == (Verdict.RUN, Verdict.ILLEGAL)
    assert "`model` must be of family llama with engine fast" in str(fast.reason)


def answer(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    FAMILIES[TOY.name] = TOY
    run_rank(spec, launch, results, attempt, rank)


def test_ranks_answer_with_it_and_the_record_has_its_arithmetic(
    tmp_path: Path, toy: RunSpec
) -> None:
    attempt, launch = make_attempt(tmp_path, toy, idle_s=0.0, logit_error=True)
    values_of(run_gang(2, answer, toy, launch, tmp_path, attempt))
    model = read_json(attempt.model)
    assert model["arithmetic"] == {
        "encoder": None,
        "family": "toy",
        "parameters": LAYERS * MATRICES + 2 * VOCAB * DIM + DIM,
        "flop_per_token": 2 * LAYERS * MATRICES,
        "flop_per_token_and_position": 4 * LAYERS * DIM,
        "flop_per_logit_row": 2 * VOCAB * DIM,
        "weight_bytes_per_step": 4 * (LAYERS * MATRICES + VOCAB * DIM + 2 * DIM),
        "kv_bytes_per_position": 4 * 2 * LAYERS * DIM,
    }
    # Counted on the loaded model and by formula.
    counted = model["shape"]["weight_bytes_per_step"]
    assert counted == model["arithmetic"]["weight_bytes_per_step"]
    assert model["weights"] == {"kind": "random", "seed": toy.seed, "filled_as": ["fp32"]}
    # Its own layers, one at a time, give the logits that it answers by.
    assert model["logit_error"]["relative_rms"] < 2e-6
