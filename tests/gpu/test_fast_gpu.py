"""Engine `fast` on a GPU: rows stop where they end, and no other row notices."""

from pathlib import Path

import pytest
import torch

from tests.gpu.test_quantization_gpu import SLIM, fast_engine, make_spec
from tests.gpu.test_workers_gpu import need_gpus
from tests.support.ranks import run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.base.generation import Generation
from workers.models.llama.shape import SHAPES
from workers.models.random_weights import RandomWeights
from workers.session.placement import take_device

pytestmark = pytest.mark.gpu

NEW = 64
LENGTHS = [17, 1, 30, 8, 24]
# Steps that are under way before the host hears that every row has ended
# (`workers.engines.fast.engine`), and the step that ended the last.
LATE = 10


def answer(
    rank: Rank, device: torch.device, prompts: list[list[int]], eos_id: int, *, ignore_eos: bool
) -> Generation:
    """What a new engine of the same weights answers, likeliest tokens only."""
    spec = make_spec(
        SLIM,
        rank.world,
        dtype="fp16",
        quantization="none",
        batch_size=len(prompts),
        max_prompt_len=32,
        max_gen_len=NEW,
        temperature=0.0,
        ignore_eos=ignore_eos,
    )
    source = RandomWeights(SLIM, 1, rank=rank.rank, degree=rank.world)
    engine = fast_engine(spec, source, device, eos_id=eos_id)
    engine.prefill(prompts, 1)
    answers = engine.decode()
    engine.close()
    return answers


def answer_all(rank: Rank, folder: Path) -> tuple[int, Generation, Generation, Generation]:
    """An id, answers that ignore it, answers that it ends, and those of rows that all end."""
    SHAPES[SLIM.name] = SLIM
    device = take_device(rank, "cuda")
    drawn = torch.Generator().manual_seed(3)
    prompts = [torch.randint(3, SLIM.vocab, (n,), generator=drawn).tolist() for n in LENGTHS]
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=device),
        torch.inference_mode(),
    ):
        whole = answer(rank, device, prompts, 2, ignore_eos=True)
        row = whole.ids[2]
        # The first token after a few that the row had not said before.
        eos_id = next(id_ for at, id_ in enumerate(row) if at > 2 and id_ not in row[:at])
        cut = answer(rank, device, prompts, eos_id, ignore_eos=False)
        alike = answer(rank, device, [prompts[2]] * len(prompts), eos_id, ignore_eos=False)
    return eos_id, whole, cut, alike


@pytest.mark.parametrize("degree", [1, 2])
def test_a_row_ends_at_its_end_of_sequence_id_and_the_others_go_on(
    degree: int, tmp_path: Path
) -> None:
    need_gpus(degree)
    eos_id, whole, cut, alike = values_of(run_gang(degree, answer_all, tmp_path, timeout_s=200))[0]
    assert cut.ended[2]
    for row, kept, ended in zip(whole.ids, cut.ids, cut.ended, strict=True):
        assert ended == (eos_id in row)
        assert kept == (row[: row.index(eos_id)] if ended else row)
    assert all(alike.ended)
    length = len(alike.ids[0])
    assert all(len(ids) == length for ids in alike.ids)
    # Whoever has ended on every row stops soon, not at the longest answer allowed.
    assert len(alike.step_us) <= length + LATE < NEW
