"""Engine `fast` on a GPU: rows stop where they end, and no other row notices."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.gpu.test_quantization_gpu import SLIM, fast_engine, make_spec
from tests.gpu.test_workers_gpu import need_gpus
from tests.support.engines import open_for
from tests.support.ranks import run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.base.finite_logits import NonFiniteLogitsError
from workers.engines.base.generation import Generation
from workers.engines.fast.engine import FastEngine
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


class Scaled:
    """Random weights whose feed-forward is larger by a factor, as far as fp16 goes."""

    def __init__(self, source: RandomWeights, factor: float) -> None:
        self._source, self._factor = source, factor

    def fill(self, name: str, weight: torch.Tensor) -> None:
        self._source.fill(name, weight)
        if "feed_forward" in name:
            weight.mul_(self._factor).clamp_(-6e4, 6e4)

    def describe(self) -> dict[str, Any]:
        return {"kind": "scaled"}


def spoil(rank: Rank, folder: Path) -> dict[str, str]:
    """What ends batches of weights that overflow, and batches whose past is spoilt after prefill.

    By what was spoilt, the number format, the temperature and whether ends are ignored; of the
    engine `reference` by the temperature alone.
    """
    SHAPES[SLIM.name] = SLIM
    device = take_device(rank, "cuda")
    told = {}
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=device),
        torch.inference_mode(),
    ):
        for dtype, what, temperature, ignore_eos in product(
            ("fp16", "fp32"), ("weights", "past"), (0.0, 0.8), (True, False)
        ):
            spec = make_spec(
                SLIM,
                rank.world,
                dtype=dtype,
                quantization="none",
                batch_size=3,
                max_prompt_len=32,
                max_gen_len=512,
                temperature=temperature,
                ignore_eos=ignore_eos,
            )
            plain = RandomWeights(SLIM, 1, rank=rank.rank, degree=rank.world)
            factor = {"weights": 3e4, "past": 1.0}[what]
            engine = fast_engine(spec, Scaled(plain, factor), device)
            assert isinstance(engine, FastEngine)
            name = f"{what}, {dtype}, {temperature:g}, {ignore_eos}"
            try:
                engine.prefill([[1, 5, 9], [1], [7, 8, 9, 10]], 1)
                for keys, _ in engine._fast.caches if what == "past" else ():
                    keys[1].fill_(float("nan"))
                engine.decode()
                told[name] = "nothing"
            except NonFiniteLogitsError as error:
                told[name] = str(error)
            engine.close()
        for temperature in (0.0, 0.8):
            spec = make_spec(SLIM, rank.world, dtype="fp16", temperature=temperature)
            spec = replace(spec, engine="reference", batch_size=3)
            plain = RandomWeights(SLIM, 1, rank=rank.rank, degree=rank.world)
            reference = open_for(spec, device, weights=Scaled(plain, 3e4))
            try:
                reference.prefill([[1, 5, 9], [1], [7, 8, 9, 10]], 1)
                reference.decode()
                told[f"weights, reference, {temperature:g}"] = "nothing"
            except NonFiniteLogitsError as error:
                told[f"weights, reference, {temperature:g}"] = str(error)
    return told


@pytest.mark.parametrize("degree", [1, 2])
def test_logits_that_are_no_numbers_end_the_batch_at_their_step(
    degree: int, tmp_path: Path
) -> None:
    need_gpus(degree)
    for told in values_of(run_gang(degree, spoil, tmp_path, timeout_s=200)):
        assert len(told) == 18
        for name, words in told.items():
            where = {"weights": "3 of 3 rows at step 0", "past": "1 of 3 rows at step 1"}
            if name.startswith("weights, fp32"):
                # fp32 holds what overflows 16 bits.
                assert words == "nothing", name
                continue
            assert f"in {where[name.partition(',')[0]]} of a batch" in words, name
