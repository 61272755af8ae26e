"""Llama 3.2 and Mistral: both engines say what transformers says of the weights that it saved."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.checkpoints import hugging_face_model, write_hugging_face
from tests.support.engines import logits_of, open_for
from tests.support.ranks import run_gang, values_of
from workers.checkpoints.files import check_model, find_files
from workers.checkpoints.reader import Checkpoint
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.models.llama.shape import SHAPES

CPU = torch.device("cpu")
TWINS = ("nano-llama-3.2", "nano-mistral")
# Longer than the window of nano-mistral, so that prefill and steps leave it.
PREFILL, STEPS, ROWS = 10, 6, 2
NEVER = 31_998
MAX_GEN_LEN = 12
RAGGED = [[1, 5, 9, 200, 31_999, 8, 4, 4, 9, 7, 77], [1]]


def ids() -> torch.Tensor:
    draws = torch.Generator().manual_seed(3)
    return torch.randint(3, NEVER, (ROWS, PREFILL + STEPS), generator=draws)


def ours(rank: Rank, folder: Path, model: str, weights: Path) -> dict[str, Any]:
    """Both engines' logits and greedy answers on one rank."""
    shape, found = SHAPES[model], {}
    files = find_files(weights)
    check_model(files, shape)
    sizes = {"batch_size": ROWS, "max_prompt_len": PREFILL + STEPS, "max_gen_len": MAX_GEN_LEN}
    ranks = {"gpus": rank.world, "gpus_per_node": rank.world, "temperature": 0.0}
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=CPU),
        torch.inference_mode(),
    ):
        for name in ("reference", "fast"):
            spec = RunSpec.from_mapping({**SPEC, "model": model, "engine": name, **ranks, **sizes})
            source = Checkpoint(files, shape, rank=rank.rank, degree=rank.world)
            engine = open_for(spec, CPU, rank=rank.rank, weights=source, eos_id=NEVER)
            call = logits_of(engine)
            logits = [call(ids()[:, :PREFILL], 0)]
            logits += [call(ids()[:, at : at + 1], at) for at in range(PREFILL, PREFILL + STEPS)]
            engine.prefill(RAGGED, 1)
            found[name] = torch.stack(logits).numpy(), engine.decode().ids
    return found


@pytest.fixture(scope="module", params=TWINS)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A twin, the folder that transformers saved of it, and transformers' logits."""
    model, folder = request.param, tmp_path_factory.mktemp("saved")
    theirs = hugging_face_model(SHAPES[model], positions=64)
    held = write_hugging_face(folder, SHAPES[model], dtype=torch.float32)
    theirs.load_state_dict(held, strict=True)
    theirs.train(False)
    with torch.inference_mode():
        logits = (
            theirs(ids(), use_cache=False).logits[:, PREFILL - 1 :].float().transpose(0, 1).numpy()
        )
    return model, folder, logits


@pytest.fixture(scope="module", params=[1, 2])
def compared(
    request: pytest.FixtureRequest, saved: Any, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Transformers' logits, and what every rank of one degree found."""
    model, folder, logits = saved
    gang = run_gang(request.param, ours, tmp_path_factory.mktemp("gang"), model, folder)
    return logits, values_of(gang)


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_logits_of_prefill_and_steps_are_transformers(compared: Any, engine: str) -> None:
    theirs, ranks = compared
    logits, _ = ranks[0][engine]
    apart = float(np.abs(logits - theirs).max())
    print(f"{len(ranks)} ranks, {engine}: {apart:.2g} apart")  # noqa: T201 (pytest -s)
    assert np.sqrt(np.square(theirs).mean()) > 0.1
    assert apart <= 1e-4
    assert np.array_equal(logits.argmax(-1), theirs.argmax(-1))


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_ranks_have_the_same_logits_to_the_bit(compared: Any, engine: str) -> None:
    _, ranks = compared
    for found in ranks[1:]:
        assert np.array_equal(found[engine][0], ranks[0][engine][0])


def test_greedy_answers_to_ragged_prompts_are_the_same(compared: Any) -> None:
    _, ranks = compared
    expected = ranks[0]["reference"][1]
    assert [len(row) for row in expected] == [MAX_GEN_LEN] * ROWS
    for found in ranks:
        assert found["reference"][1] == found["fast"][1] == expected


def test_a_tied_head_is_absent_from_the_file_and_a_copy_of_it_is_taken(
    tmp_path: Path, saved: Any
) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    model, folder, _ = saved
    held = load_file(folder / "model.safetensors")
    tied = SHAPES[model].tied
    assert ("lm_head.weight" in held) is not tied
    if not tied:
        return
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    head = held["model.embed_tokens.weight"].clone()
    save_file({**held, "lm_head.weight": head}, tmp_path / "model.safetensors")
    Checkpoint(find_files(tmp_path), SHAPES[model], rank=0, degree=1)
    head[-1, -1] += 1.0
    save_file({**held, "lm_head.weight": head}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"must hold output\.weight as a copy of tok_embeddings"):
        Checkpoint(find_files(tmp_path), SHAPES[model], rank=0, degree=1)
