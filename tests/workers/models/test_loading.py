"""A model is made module by module, from whatever source of weights a spec names."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.attempts import make_attempt, make_spec
from tests.support.checkpoints import TINY, write_hugging_face, write_meta
from tests.support.engines import open_for
from tests.support.fuse import fuse_attention
from tests.support.ranks import make_rank, run_gang, values_of
from tests.support.weights import draw_whole, shard
from workers.checkpoints.digests import CheckpointRecord, hash_files
from workers.checkpoints.files import find_files
from workers.checkpoints.reader import Checkpoint
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.models.llama.model import Attention
from workers.models.llama.shape import SHAPES
from workers.models.loading import load_model, open_weights
from workers.models.random_weights import RandomWeights
from workers.planning.engine_facts import ENGINE_FACTS
from workers.planning.families import parameters_of
from workers.run import run_rank

CPU = torch.device("cpu")
Planned = Callable[..., tuple[RunSpec, LaunchConfig, Path, Path]]
IDS = [[3, 1, 4, 1, 5, 9, 2, 6], [5, 3, 5, 8, 9, 7, 9, 3]]


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint of nano in four files; nobody may change it."""
    folder = tmp_path_factory.mktemp("models") / "nano"
    write_meta(folder, SHAPES["nano"], files=4)
    return folder


def logits_of(rank: Rank, folder: Path, checkpoint: Path) -> NDArray[np.float32]:
    source = Checkpoint(find_files(checkpoint), TINY, rank=rank.rank, degree=rank.world)
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
        torch.inference_mode(),
    ):
        model = load_model(TINY, source, dtype="fp32", device=CPU, max_batch=2, max_len=8)
        ids = torch.tensor(IDS)
        each = [model(ids[:, at : at + 1], at) for at in range(ids.shape[1])]
    found: NDArray[np.float32] = torch.stack(each, 1).numpy()
    return found


@pytest.mark.parametrize("degree", [1, 2])
def test_a_hub_s_checkpoint_gives_the_logits_that_transformers_gives(
    tmp_path: Path, degree: int
) -> None:
    from transformers import LlamaForCausalLM  # noqa: PLC0415 (seconds to import)

    write_hugging_face(tmp_path / "tiny", dtype=torch.float32, shard_size="100KB")
    theirs = LlamaForCausalLM.from_pretrained(tmp_path / "tiny")
    with torch.inference_mode():
        expected = theirs(torch.tensor(IDS)).logits.numpy()
    ours = values_of(run_gang(degree, logits_of, tmp_path, tmp_path / "tiny"))
    for found in ours:
        assert np.abs(found - expected).max() <= 1e-5
    # A model that looks nowhere in particular would agree with whatever turns its heads.
    assert np.sqrt((expected**2).mean()) > 0.5


def test_meta_s_files_give_the_same_logits_at_every_degree(tmp_path: Path) -> None:
    write_meta(tmp_path / "tiny", files=2)
    (whole,) = values_of(run_gang(1, logits_of, tmp_path, tmp_path / "tiny"))
    for found in values_of(run_gang(4, logits_of, tmp_path, tmp_path / "tiny")):
        assert np.abs(found - whole).max() <= 1e-5


def answers_of(rank: Rank, folder: Path, checkpoint: Path) -> dict[str, list[list[int]]]:
    shape, prompts = SHAPES["nano"], [[1, 5, 9, 200], [1, 7, 30_000, 12, 9, 9]]
    found = {}
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
        torch.inference_mode(),
    ):
        for name, facts in ENGINE_FACTS.items():
            changes = {"engine": name, "gpus": rank.world, "gpus_per_node": rank.world}
            sizes = {"batch_size": 2, "max_prompt_len": 8, "max_gen_len": 6}
            spec = RunSpec.from_mapping({**SPEC, **changes, **sizes, "temperature": 0.0})
            # An engine of one GPU is compared there, one that answers as a whole in its own tests.
            if (rank.world > 1 and facts.fault(spec)) or facts.takes_whole_weights:
                continue
            weights = Checkpoint(find_files(checkpoint), shape, rank=rank.rank, degree=rank.world)
            engine = open_for(spec, CPU, rank=rank.rank, weights=weights)
            engine.prefill(prompts, 1)
            found[name] = engine.decode().ids
    return found


@pytest.mark.parametrize("degree", [1, 2])
def test_all_engines_give_the_same_answers_where_norms_are_not_one(
    tmp_path: Path, nano: Path, degree: int
) -> None:
    # Random weights have norms of one, which hide what an engine does with them.
    for found in values_of(run_gang(degree, answers_of, tmp_path, nano)):
        assert len(found) > 1
        assert all(len(answer) == 6 for answer in found["reference"])
        assert all(ids == found["reference"] for ids in found.values())


def follow_loading(rank: Rank, folder: Path) -> dict[str, Any]:
    launch: list[str] = []
    on_device: list[int] = []

    class Following(RandomWeights):
        def fill(self, name: str, weight: Tensor) -> None:
            launch.append(name)
            super().fill(name, weight)

    def prepare(name: str, module: nn.Module) -> None:
        launch.append(f"prepare {name}")
        on_device.append(sum(not weight.is_meta for weight in module.parameters()))
        fuse_attention(name, module)

    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=1, device=CPU),
    ):
        source = Following(TINY, 1, rank=0, degree=1)
        model = load_model(
            TINY, source, dtype="fp16", device=CPU, max_batch=0, max_len=8, prepare=prepare
        )
    caches = [module.keys.numel() for module in model.modules() if isinstance(module, Attention)]
    return {
        "order": launch,
        "on_device": on_device,
        "kept": {name: weight.dtype for name, weight in model.state_dict().items()},
        "left": [name for name, weight in model.named_parameters() if weight.is_meta],
        "caches": caches,
    }


def test_each_module_is_filled_and_handed_over_before_the_next_is_made(tmp_path: Path) -> None:
    (found,) = values_of(run_gang(1, follow_loading, tmp_path))
    names = list(parameters_of(TINY))
    handed = [at for at, name in enumerate(found["order"]) if name.startswith("prepare ")]
    assert [found["order"][at] for at in handed] == [
        "prepare tok_embeddings",
        "prepare layers.0",
        "prepare layers.1",
        "prepare norm",
        "prepare output",
    ]
    assert sorted(name for name in found["order"] if "prepare" not in name) == sorted(names)
    for name, begin, end in zip(
        ("tok_embeddings", "layers.0", "layers.1", "norm", "output"),
        (-1, *handed),
        handed,
        strict=False,
    ):
        between = found["order"][begin + 1 : end]
        assert between
        assert all(filled.startswith(f"{name}.") for filled in between)
    assert found["on_device"] == [1, 9, 9, 1, 1]
    assert found["left"] == []


def test_what_an_engine_fuses_replaces_what_was_filled(tmp_path: Path) -> None:
    (found,) = values_of(run_gang(1, follow_loading, tmp_path))
    assert found["kept"]["layers.1.attention.fused"] == torch.float16
    assert not any("wq" in name or "wv" in name for name in found["kept"])
    # max_batch=0: this engine keeps keys and values elsewhere.
    assert found["caches"] == [0, 0]


@pytest.mark.parametrize("degree", [1, 8])
def test_random_weights_fill_a_rank_s_slice_as_the_whole_was_drawn(degree: int) -> None:
    whole = draw_whole(TINY, 4)
    for rank in (0, degree // 2, degree - 1):
        source = RandomWeights(TINY, 4, rank=rank, degree=degree)
        assert source.describe() == {"kind": "random", "seed": 4, "filled_as": []}
        for name, expected in shard(whole, TINY, rank, degree).items():
            found = torch.empty_like(expected)
            source.fill(name, found)
            assert torch.equal(found, expected)


def test_random_weights_are_refused_where_their_strips_cannot_be_shared() -> None:
    with pytest.raises(ValueError, match="`gpus` must divide 64 for random weights, but is 3"):
        RandomWeights(TINY, 1, rank=0, degree=3)


@pytest.fixture
def planned(tmp_path: Path, spec: RunSpec, nano: Path) -> Planned:
    """A run of nano with a checkpoint that the launcher has hashed."""

    def plan(**changes: Any) -> tuple[RunSpec, LaunchConfig, Path, Path]:
        results, folder = tmp_path / "results", tmp_path / "nano"
        shutil.copytree(nano, folder)
        record = hash_files(find_files(folder))
        results.mkdir()
        record.write(results)
        mine = make_spec(spec, weights=record.digest)
        _, launch = make_attempt(results, mine, weights_path=str(folder), **changes)
        return mine, launch, results, folder

    return plan


def test_a_worker_takes_the_checkpoint_that_was_planned_and_says_how_it_knows(
    planned: Planned,
) -> None:
    spec, launch, results, _ = planned()
    about = open_weights(spec, launch, results, make_rank(0, 1)).describe()
    assert about["kind"] == "checkpoint"
    assert about["digest"] == spec.weights
    assert about["verified"].startswith("size and time of last change")
    assert [file["name"] for file in about["files"]] == [
        *(f"consolidated.0{number}.pth" for number in range(4)),
        "params.json",
    ]


def test_a_worker_hashes_again_when_asked(planned: Planned) -> None:
    spec, launch, results, folder = planned(verify_weights=True)
    path = folder / "params.json"
    path.write_bytes(path.read_bytes())
    about = open_weights(spec, launch, results, make_rank(0, 1)).describe()
    assert about["verified"].startswith("SHA-256 of every file")


def test_a_worker_hashes_what_only_the_nodes_can_see(planned: Planned) -> None:
    spec, launch, results, folder = planned()
    for path in (results / "checkpoints").iterdir():
        path.unlink()
    about = open_weights(spec, launch, results, make_rank(0, 1)).describe()
    assert about["verified"].startswith("SHA-256 of every file")
    (folder / "params.json").write_text((folder / "params.json").read_text() + "\n")
    with pytest.raises(ValueError, match=rf"must be {spec.weights} as in the spec, but .* is sha"):
        open_weights(spec, launch, results, make_rank(0, 1))


def test_a_checkpoint_that_changed_since_it_was_planned_is_refused(planned: Planned) -> None:
    spec, launch, results, folder = planned()
    path = folder / "params.json"
    path.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"must not change once planned, but the mtime_ns of"):
        open_weights(spec, launch, results, make_rank(0, 1))


def test_a_checkpoint_hashed_anew_for_another_run_is_not_taken_for_the_old(
    planned: Planned,
) -> None:
    spec, launch, results, folder = planned()
    (folder / "params.json").write_text((folder / "params.json").read_text() + "\n")
    record = hash_files(find_files(folder), CheckpointRecord.read(results, folder))
    record.write(results)
    with pytest.raises(
        ValueError, match=rf"be {spec.weights} as in the spec, but .* is {record.digest}"
    ):
        open_weights(spec, launch, results, make_rank(0, 1))


def test_an_order_without_a_folder_gives_random_weights_alone(
    tmp_path: Path, spec: RunSpec
) -> None:
    _, launch = make_attempt(tmp_path, make_spec(spec))
    named = make_spec(spec, weights="sha256-0123456789abcdef")
    with pytest.raises(ValueError, match="`weights` must be random without a checkpoint"):
        open_weights(named, launch, tmp_path, make_rank(0, 1))


def work(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    run_rank(spec, launch, results, attempt, rank)


def test_ranks_answer_with_a_checkpoint_s_weights_and_the_record_names_its_files(
    tmp_path: Path, spec: RunSpec, nano: Path
) -> None:
    record = hash_files(find_files(nano))
    results = tmp_path / "results"
    results.mkdir()
    record.write(results)
    pair = make_spec(
        spec, weights=record.digest, gpus=2, gpus_per_node=2, max_gen_len=2, max_prompt_len=8
    )
    attempt, launch = make_attempt(
        results, pair, weights_path=str(nano), idle_s=0.0, logit_error=False
    )
    values_of(run_gang(2, work, pair, launch, results, attempt))
    said = read_json(attempt.model)["weights"]
    assert said["digest"] == pair.weights
    assert (said["stored_as"], said["filled_as"]) == (["fp16"], ["fp32"])
    assert [file["sha256"] for file in said["files"]] == [file.sha256 for file in record.files]


def test_a_checkpoint_that_is_gone_stops_every_rank_before_its_first_span(
    tmp_path: Path, spec: RunSpec
) -> None:
    pair = make_spec(spec, weights="sha256-0123456789abcdef", gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair, weights_path=str(tmp_path / "gone"))
    for outcome in run_gang(2, work, pair, launch, tmp_path, attempt):
        assert "all ranks must be ready, but: rank 0 on here: `weights` must" in str(outcome.error)
        assert f"{tmp_path / 'gone'} does not exist (and on 1 other rank)" in str(outcome.error)
    assert not attempt.shards("spans").exists()
