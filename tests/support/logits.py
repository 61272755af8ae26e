"""Oracle: our logits beside those of transformers' LLaMA; `python -m tests.support.logits` prints
them."""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray

from tests.support.checkpoints import hugging_face_config
from tests.support.ranks import run_gang, values_of
from tests.support.weights import build, draw_whole, fill_random, shard
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.models.llama.shape import SHAPES, LlamaShape
from workers.session.placement import take_device

SHAPE: Final = SHAPES["nano"]
SEED: Final = 7
BATCH: Final = 2
PREFILL: Final = 10
STEPS: Final = 20

Logits = NDArray[np.float32]
"""[1 + STEPS, BATCH, vocab]: after the prefill, then after each decode step."""


def draw_ids(shape: LlamaShape = SHAPE) -> torch.Tensor:
    """The fixed tokens that both models read."""
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, shape.vocab, (BATCH, PREFILL + STEPS), generator=generator)


def our_logits(
    rank: Rank, folder: Path, dtype: str, cut_whole: bool, device: str = "cpu"
) -> Logits:
    """One rank's logits, with weights cut from the whole model or drawn as in production."""
    where = take_device(rank, device)
    ids = draw_ids().to(where)
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=where) as mesh,
        torch.inference_mode(),
    ):
        model = build(
            SHAPE, dtype=dtype, device=mesh.device, max_batch=BATCH, max_len=PREFILL + STEPS
        )
        if cut_whole:
            slices = shard(draw_whole(SHAPE, SEED), SHAPE, rank.rank, rank.world)
            model.load_state_dict(slices, strict=True)
        else:
            fill_random(model, SHAPE, SEED, rank=rank.rank, degree=rank.world)
        logits = [model(ids[:, :PREFILL], 0)]
        for at in range(PREFILL, PREFILL + STEPS):
            logits.append(model(ids[:, at : at + 1], at))  # noqa: PERF401 (order is the point)
    return cast(Logits, torch.stack(logits).cpu().numpy())


def their_logits() -> Logits:
    """The logits of transformers' LLaMA with the same whole weights, fp32 on CPU."""
    from transformers import LlamaForCausalLM  # noqa: PLC0415 (seconds to import)

    model = LlamaForCausalLM(hugging_face_config(SHAPE, positions=PREFILL + STEPS))
    model.load_state_dict(_their_names(draw_whole(SHAPE, SEED)), strict=True)
    model.train(False)
    ids = draw_ids()
    with torch.inference_mode():
        # One pass without a cache: each position's logits hang on those before it alone.
        logits = model(ids, use_cache=False).logits[:, PREFILL - 1 :]
    return cast(Logits, logits.float().transpose(0, 1).cpu().numpy())


def _their_names(whole: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    # Written anew and not taken from `workers.checkpoints.tensors`: an oracle shares no mistake.
    renamed = {
        "attention.wq": "self_attn.q_proj",
        "attention.wk": "self_attn.k_proj",
        "attention.wv": "self_attn.v_proj",
        "attention.wo": "self_attn.o_proj",
        "feed_forward.w1": "mlp.gate_proj",
        "feed_forward.w2": "mlp.down_proj",
        "feed_forward.w3": "mlp.up_proj",
        "attention_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
    }
    theirs = {
        "model.embed_tokens.weight": whole["tok_embeddings.weight"],
        "model.norm.weight": whole["norm.weight"],
        "lm_head.weight": whole["output.weight"],
    }
    for layer in range(SHAPE.layers):
        for ours, name in renamed.items():
            weight = whole[f"layers.{layer}.{ours}.weight"]
            if ours in {"attention.wq", "attention.wk"}:
                # They rotate halves where LLaMA v1 rotates neighbours.
                pairs = weight.view(SHAPE.heads, SHAPE.head_dim // 2, 2, SHAPE.dim)
                weight = pairs.transpose(1, 2).reshape(SHAPE.dim, SHAPE.dim)
            theirs[f"model.layers.{layer}.{name}.weight"] = weight
    return theirs


def main() -> None:
    """Print the largest differences for every degree and number format."""
    torch.set_num_threads(1)
    expected = their_logits()
    rows: list[tuple[Any, ...]] = [("dtype", "ranks", "max abs diff", "same argmax")]
    for dtype, degrees in (("fp32", (1, 2, 4, 8)), ("fp16", (1, 2)), ("bf16", (1, 2))):
        for degree in degrees:
            with tempfile.TemporaryDirectory() as folder:
                got = values_of(run_gang(degree, our_logits, Path(folder), dtype, False))[0]
            same = (got.argmax(-1) == expected.argmax(-1)).mean()
            rows.append((dtype, degree, f"{np.abs(got - expected).max():.1e}", f"{same:.1%}"))
    rows.append(("rms logit", f"{np.sqrt((expected**2).mean()):.2f}", "", ""))
    for row in rows:
        sys.stdout.write("  ".join(f"{cell!s:>12}" for cell in row).rstrip() + "\n")


if __name__ == "__main__":
    main()
