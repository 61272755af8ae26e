"""What an encoder-decoder needs beside its weights is what its own tensors hold, on CPU."""

import dataclasses
from typing import Any

import pytest
import torch
import transformers

from telemetry.record.spec import ITEM_BYTES, RunSpec
from tests.support.attempts import make_spec
from tests.support.live_bytes import LiveBytes
from workers.engines.base.sampling import Decoding
from workers.engines.transformers.encoder_decoder import EncoderDecoderEngine
from workers.models.base.torch_dtypes import TORCH_DTYPES
from workers.models.library.t5 import T5Shape
from workers.planning import workspace_t5
from workers.planning.families import find_shape
from workers.planning.memory import estimate
from workers.planning.workspace import RankWork
from workers.planning.workspace_t5 import t5_encode_bytes

CPU = torch.device("cpu")
# Logits, probabilities, sorted, order and mass on CPU; a GPU's sort takes more.
CHOOSING_ON_CPU = 29
SIZES = [
    ("t5-small", 1, 256, 8, "bf16"),
    ("t5-small", 4, 256, 8, "bf16"),
    ("t5-small", 16, 32, 48, "fp32"),
    ("nano-t5", 8, 256, 16, "fp32"),
    ("flan-t5-small", 8, 128, 8, "bf16"),
]


def fullest_bytes(shape: T5Shape, work: RankWork, dtype: str) -> tuple[int, int]:
    """The most that tensors beside the weights hold: while it encodes, and over a whole batch."""
    config = transformers.T5Config(**shape.library_settings(), pad_token_id=None)
    with torch.device("meta"):
        made: Any = transformers.T5ForConditionalGeneration(config)
        model = made.eval().to(TORCH_DTYPES[dtype])
    model = model.to_empty(device=CPU)
    model.tie_weights()
    for weight in model.parameters():
        torch.nn.init.constant_(weight, 0.01)
    decoding = Decoding(
        max_gen_len=work.max_len - work.prefill_len,
        temperature=0.8,
        top_p=0.95,
        ignore_eos=True,
        eos_id=2,
    )
    engine = EncoderDecoderEngine(
        model, decoding, start_id=0, max_prompt_len=work.prefill_len, device=CPU
    )
    longest = [3] * work.prefill_len
    prompts = [longest] * work.batch
    if work.batch > 1:
        # Where all are alike there is no mask to look through.
        prompts[-1] = longest[1:]
    with torch.no_grad(), LiveBytes([*model.parameters(), *model.buffers()]) as counter:
        engine.encode(prompts)
        encoding: int = counter.peak
        engine.prefill(prompts, 1)
        engine.decode()
        whole: int = counter.peak
    return encoding, whole


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size[0])
def test_memory_is_foreseen_within_5_per_cent_of_what_the_model_holds_on_cpu(
    monkeypatch: pytest.MonkeyPatch, spec: RunSpec, size: tuple[str, int, int, int, str]
) -> None:
    model, batch, prompt_len, new, dtype = size
    shape = find_shape(model)
    assert isinstance(shape, T5Shape)
    work = RankWork(
        shape=shape,
        degree=1,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + new,
        item_bytes=ITEM_BYTES[dtype],
    )
    encoding, whole = fullest_bytes(shape, work, dtype)
    if batch > 1:
        assert t5_encode_bytes(work) == pytest.approx(encoding, rel=0.01)

    def choosing(of: RankWork) -> int:
        return of.batch * of.shape.vocab * CHOOSING_ON_CPU

    monkeypatch.setattr(workspace_t5, "choosing_bytes", choosing)
    sizes = {"max_prompt_len": prompt_len, "max_gen_len": new, "batch_size": batch}
    told = estimate(
        make_spec(spec, model=model, engine="transformers", dtype=dtype, gpu="cpu", **sizes)
    )
    weights = shape.params * ITEM_BYTES[dtype]
    assert told.weights_bytes == weights
    assert told.allocated_bytes == pytest.approx(weights + whole, rel=0.05)


def test_caches_grow_with_the_prompt_and_with_the_answer(spec: RunSpec) -> None:
    mine = make_spec(spec, model="t5-3b", engine="transformers", dtype="bf16", batch_size=2)
    told = estimate(mine)
    for name in ("max_prompt_len", "max_gen_len"):
        longer = dataclasses.replace(mine, **{name: getattr(mine, name) + 10})
        # Keys and values of 24 layers of 32 heads, 128 wide.
        more = 2 * 10 * 2 * 24 * 32 * 128 * 2
        assert estimate(longer).kv_cache_bytes - told.kv_cache_bytes == more
