"""What engine `transformers` holds of the library's own families, byte for byte on CPU."""

import dataclasses

import pytest
import torch

from telemetry.record.spec import ITEM_BYTES
from tests.support.live_bytes import LiveBytes
from workers.engines.base.sampling import Decoding
from workers.engines.transformers.engine import TransformersEngine
from workers.engines.transformers.library_model import build_model
from workers.models.library.shape import LibraryShape
from workers.models.random_weights import RandomWeights
from workers.planning.families import find_shape
from workers.planning.workspace import RankWork
from workers.planning.workspace_library import LIBRARY_WORKSPACES
from workers.planning.workspace_transformers import transformers_bytes

CPU = torch.device("cpu")


def shrunk(name: str) -> LibraryShape:
    """A model's layers, two of them, with next to no vocabulary."""
    shape = find_shape(name)
    assert isinstance(shape, LibraryShape)
    return dataclasses.replace(shape, layers=2, vocab=64)


def fullest_bytes(shape: LibraryShape, batch: int, prompt_len: int, new: int, dtype: str) -> int:
    """The most that tensors beside weights and a whole cache hold, in prefill and a last step."""
    source = RandomWeights(shape, 1, rank=0, degree=1)
    model = build_model(shape, source, dtype=dtype, device=CPU, max_len=prompt_len + new)
    decoding = Decoding(temperature=0.0, top_p=1.0, max_gen_len=new, eos_id=2, ignore_eos=True)
    engine = TransformersEngine(model, decoding, max_len=prompt_len + new, device=CPU)
    held = [*model.parameters(), *model.buffers()]
    with torch.no_grad():
        with LiveBytes(held) as counter:
            mask = torch.ones(batch, prompt_len, dtype=torch.int64)
            mask[0, : prompt_len // 2] = 0
            engine._begin(mask)
            engine._logits(torch.zeros(batch, prompt_len, dtype=torch.int64))
            first = int(counter.peak)
        layers = engine._cache.layers
        for layer in layers:
            layer.keys, layer.values = (
                torch.cat([one, one.new_zeros(batch, one.shape[1], new - 1, one.shape[3])], 2)
                for one in (layer.keys, layer.values)
            )
        # Held, so that no new tensor takes the place of an old one and is taken for known.
        old = [one for layer in layers for one in (layer.keys, layer.values)]
        engine._mask = torch.ones(batch, prompt_len + new, dtype=torch.int64)
        with LiveBytes([*held, *old]) as counter:
            engine._logits(torch.zeros(batch, 1, dtype=torch.int64))
            step = int(counter.peak)
    whole = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
    # All of the cache is new when the step ends; while one grows, what it was lies beside it.
    beside = max(step - whole, *(one.nbytes for one in old))
    buffers = sum(table.nbytes for table in model.buffers())
    return int(buffers + max(first - whole, beside))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        # Many short rows: the feed-forward layer decides; few long ones: scores do.
        *[(f"nano-{one}", (32, 16, 4)) for one in ("gpt2", "opt", "bloom", "gptj", "gptneo")],
        *[(f"nano-{one}", (2, 200, 4)) for one in ("gpt2", "opt", "bloom", "gptj", "gptneo")],
        *[("nano-falcon-40b", (32, 16, 4)), ("nano-falcon-40b", (2, 200, 4))],
        ("nano-opt-350m", (8, 64, 4)),
        # Long answers to short prompts: a step late in them decides.
        *[(f"nano-{one}", (16, 4, 200)) for one in ("gpt2", "bloom", "gptj", "gptneo")],
    ],
)
def test_the_library_s_families_need_what_their_tensors_hold(
    model: str, sizes: tuple[int, int, int], dtype: str
) -> None:
    shape, (batch, prompt_len, new) = shrunk(model), sizes
    work = RankWork(
        shape=shape,
        degree=1,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + new,
        item_bytes=ITEM_BYTES[dtype],
    )
    found = fullest_bytes(shape, batch, prompt_len, new, dtype)
    assert transformers_bytes(work) == pytest.approx(found, rel=0.05)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("sizes", [(32, 16, 4), (2, 200, 4), (16, 4, 200)])
def test_one_head_of_keys_for_many_of_queries_is_spelled_out_by_torch(
    sizes: tuple[int, int, int], dtype: str
) -> None:
    shape, (batch, prompt_len, new) = shrunk("nano-falcon"), sizes
    work = RankWork(
        shape=shape,
        degree=1,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + new,
        item_bytes=ITEM_BYTES[dtype],
    )
    found = fullest_bytes(shape, batch, prompt_len, new, dtype)
    # What its softmax holds within is not shown by torch, and planned for: up to five bytes of
    # thirteen.
    assert found <= 1.05 * transformers_bytes(work)
    assert transformers_bytes(work) <= 1.65 * found


def test_tables_that_no_file_holds_are_in_it() -> None:
    neo = find_shape("gpt-neo-2.7b")
    work = RankWork(shape=neo, degree=1, batch=1, prefill_len=1, max_len=2, item_bytes=2)
    assert transformers_bytes(work) > 32 * 2048**2
    assert set(LIBRARY_WORKSPACES) == {"gpt2", "opt", "bloom", "gptj", "gpt_neo", "falcon"}
