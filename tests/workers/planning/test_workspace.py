"""What an engine needs beside weights and cache is what its own tensors hold, byte for byte.

The real model runs on the `meta` device, as one rank of a group whose peers are pretended.
"""

import re

import pytest
import torch

from telemetry.record.spec import ITEM_BYTES
from tests.conftest import REPOSITORY
from tests.support.fake_group import pretended_peers
from tests.support.live_bytes import LiveBytes
from tests.support.weights import build
from workers.engines.fast import ops_torch as fast_plain
from workers.engines.fast.fused_weights import FusedLayer, FusedWeights, Matrix
from workers.engines.fast.model import FastModel
from workers.engines.fast.ops_quantized import MOST_WIDENED_ROWS
from workers.models.llama.model import Llama
from workers.models.llama.shape import SHAPES, LlamaShape
from workers.models.quantization import E4M3, Quantized
from workers.planning import workspace_fast
from workers.planning.weight_formats import (
    INT4_BITS,
    INT8_BITS,
    group_size,
    row_words,
    scale_pairs,
)
from workers.planning.workspace import RankWork, cublas_bytes
from workers.planning.workspace_fast import fast_pass_bytes
from workers.planning.workspace_reference import reference_bytes

META = torch.device("meta")


def fullest_bytes(work: RankWork, dtype: str) -> int:
    """The most that tensors beside weights and caches hold, in prefill and in the last step."""
    with pretended_peers(work.degree), torch.no_grad():
        model = build(
            work.shape, dtype=dtype, device=META, max_batch=work.batch, max_len=work.max_len
        )
        with LiveBytes(held_for_good(model)) as counter:
            ids = torch.zeros(work.batch, work.max_len, dtype=torch.int64, device=META)
            model(ids[:, : work.prefill_len], 0)
            model(ids[:, -1:], work.max_len - 1)
            peak: int = counter.peak
            return peak


class KernelShapes:
    """In the place of the Triton kernels, which need a GPU: results of their sizes, no more."""

    @staticmethod
    def product(x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        if not isinstance(matrix, Quantized):
            return fast_plain.product(x, matrix)
        if matrix.rounds_inputs:
            rounded = torch.empty_like(x, dtype=E4M3)
            scale = torch.empty(len(x), 1, device=x.device)
            # As where cuBLAS cannot scale rows: torch's own kernel writes bf16.
            product = torch.empty(len(x), matrix.shape[0], dtype=torch.bfloat16, device=x.device)
            assert (rounded.shape, scale.shape) == (x.shape, (len(x), 1))
            return product.to(x.dtype)
        if len(x) <= MOST_WIDENED_ROWS:
            return torch.empty(len(x), matrix.shape[0], dtype=x.dtype, device=META)
        return fast_plain.product(x, torch.empty(matrix.shape, dtype=x.dtype, device=META))

    @staticmethod
    def add_norm(x: torch.Tensor, *_: object) -> torch.Tensor:
        return torch.empty_like(x)

    @staticmethod
    def gate(both: torch.Tensor) -> torch.Tensor:
        return torch.empty(len(both), both.shape[1] // 2, dtype=both.dtype, device=both.device)

    @staticmethod
    def place(*_: object, **__: object) -> None:
        return None


def fast_fullest_bytes(work: RankWork, patch: pytest.MonkeyPatch) -> int:
    """The most that tensors beside weights and caches hold while `fast` reads its prompts."""
    shape = work.shape

    def half(*room: int) -> torch.Tensor:
        return torch.empty(room, dtype=torch.float16, device=META)

    def matrix(outputs: int, inputs: int) -> Matrix:
        whole = half(outputs, inputs)
        return quantize_shape(whole, work.quantization) if work.quantized else whole

    layer = FusedLayer(
        qkv=matrix(work.width + 2 * work.kept, shape.dim),
        wo=matrix(shape.dim, work.width),
        gate_up=matrix(2 * work.inner, shape.dim),
        down=matrix(shape.dim, work.inner),
    )
    weights = FusedWeights(
        table=half(shape.vocab, shape.dim),
        layers=[layer] * shape.layers,
        head=half(shape.vocab // work.degree, shape.dim),
    )
    assert isinstance(shape, LlamaShape)
    turns = torch.empty(work.max_len, shape.head_dim // 2, dtype=torch.complex64, device=META)
    with pretended_peers(work.degree), torch.no_grad():
        model = FastModel(
            shape,
            weights,
            turns,
            max_batch=work.batch,
            max_len=work.max_len,
            kept_as=torch.float8_e4m3fn if work.widens_keys else None,
        )
        model.math = KernelShapes  # type: ignore[assignment]
        # Flash attention's result, as CUDA lays it out; on `meta` torch would spell out scores.
        room = (work.batch, work.prefill_len, work.heads, shape.head_dim)

        def flash(_: torch.Tensor, keys: torch.Tensor, *__: object, **___: object) -> torch.Tensor:
            assert keys.dtype == torch.float16
            return half(*room).transpose(1, 2)

        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", flash)
        matrices: list[torch.Tensor] = [weights.table, weights.head]
        for one in (layer.qkv, layer.wo, layer.gate_up, layer.down):
            matrices += [one.packed, one.scale] if isinstance(one, Quantized) else [one]
        caches = [cache for pair in model.caches for cache in pair]
        with LiveBytes([*matrices, *caches, *model.turn]) as counter:
            model.prefill([[1] * work.prefill_len] * work.batch)
            peak: int = counter.peak
            return peak


@pytest.mark.parametrize("degree", [1, 8])
@pytest.mark.parametrize(
    ("model", "batch", "prompt_len"),
    [
        *[("7b", 64, 128), ("7b", 512, 128), ("7b", 1, 2048), ("65b", 64, 512)],
        *[("llama-3.2-3b", 64, 128), ("mistral-7b-v0.1", 64, 512)],
    ],
)
def test_the_fast_engine_s_pass_needs_what_its_tensors_hold(
    model: str, batch: int, prompt_len: int, degree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = RankWork(
        shape=SHAPES[model],
        degree=degree,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + 128,
        item_bytes=2,
    )
    assert fast_pass_bytes(work) == pytest.approx(fast_fullest_bytes(work, monkeypatch), rel=0.02)


@pytest.mark.parametrize("degree", [1, 8])
@pytest.mark.parametrize("model", ["7b", "llama-3.2-3b"])
def test_keys_of_fewer_bytes_are_widened_a_layer_at_a_time(
    model: str, degree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = RankWork(
        shape=SHAPES[model],
        degree=degree,
        batch=64,
        prefill_len=512,
        max_len=640,
        item_bytes=2,
        kv_item_bytes=1,
    )
    assert fast_pass_bytes(work) == pytest.approx(fast_fullest_bytes(work, monkeypatch), rel=0.02)


def quantize_shape(whole: torch.Tensor, name: str) -> Quantized:
    """A quantized matrix of its size; `meta` has no numbers to round."""
    outputs, inputs = whole.shape
    scale = torch.empty(outputs, device=META)
    if name == "fp8":
        packed = torch.empty(outputs, inputs, dtype=E4M3, device=META)
        return Quantized(bits=INT8_BITS, inputs=inputs, packed=packed, scale=scale, group=inputs)
    bits = INT8_BITS if name == "int8" else INT4_BITS
    packed = torch.empty(outputs, row_words(inputs, bits), dtype=torch.int16, device=META)
    group = inputs if name == "int8" else group_size(inputs)
    if name == "int4":
        room = (scale_pairs(inputs, group), outputs, 2)
        scale = torch.empty(room, dtype=torch.float16, device=META)
    return Quantized(bits=bits, inputs=inputs, packed=packed, scale=scale, group=group)


@pytest.mark.parametrize("quantization", ["int8", "int4"])
@pytest.mark.parametrize(("batch", "prompt_len"), [(1, 128), (64, 128), (512, 128)])
def test_quantized_weights_need_room_to_be_widened_for_many_rows(
    quantization: str, batch: int, prompt_len: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = RankWork(
        shape=SHAPES["7b"],
        degree=1,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + 128,
        item_bytes=2,
        quantization=quantization,
    )
    assert fast_pass_bytes(work) == pytest.approx(fast_fullest_bytes(work, monkeypatch), rel=0.02)


@pytest.mark.parametrize("degree", [1, 8])
@pytest.mark.parametrize(
    ("model", "batch", "prompt_len"),
    [("7b", 1, 128), ("7b", 64, 128), ("7b", 512, 128), ("65b", 64, 512), ("llama-3.2-3b", 64, 64)],
)
def test_fp8_needs_room_for_rounded_inputs_and_widens_nothing(
    model: str, batch: int, prompt_len: int, degree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = RankWork(
        shape=SHAPES[model],
        degree=degree,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + 128,
        item_bytes=2,
        quantization="fp8",
    )
    assert fast_pass_bytes(work) == pytest.approx(fast_fullest_bytes(work, monkeypatch), rel=0.02)


def held_for_good(model: Llama) -> list[torch.Tensor]:
    caches = [
        cache
        for block in model.layers
        for cache in (block.attention.keys, block.attention.values)  # type: ignore[union-attr]
    ]
    return [*model.parameters(), *caches, model.turns]  # type: ignore[list-item]


@pytest.mark.parametrize("degree", [1, 2, 8])
@pytest.mark.parametrize(
    ("model", "dtype", "sizes"),
    [
        ("7b", "fp16", (64, 128, 128)),
        ("7b", "fp16", (8, 1024, 1024)),
        ("7b", "fp16", (512, 128, 128)),
        ("7b", "fp32", (64, 128, 128)),
        ("65b", "bf16", (64, 512, 512)),
        ("llama-3.2-1b", "bf16", (16, 1024, 512)),
        ("llama-3.2-3b", "fp16", (8, 1024, 1024)),
        ("mistral-7b-v0.1", "fp16", (64, 128, 128)),
    ],
)
def test_the_reference_engine_needs_what_its_model_s_tensors_hold(
    model: str, dtype: str, sizes: tuple[int, int, int], degree: int
) -> None:
    batch, prompt_len, new = sizes
    work = RankWork(
        shape=SHAPES[model],
        degree=degree,
        batch=batch,
        prefill_len=prompt_len,
        max_len=prompt_len + new,
        item_bytes=ITEM_BYTES[dtype],
    )
    assert reference_bytes(work) == pytest.approx(fullest_bytes(work, dtype), rel=0.01)


def test_a_late_step_of_a_long_answer_copies_a_layer_s_keys() -> None:
    work = RankWork(
        shape=SHAPES["7b"], degree=1, batch=64, prefill_len=16, max_len=2048, item_bytes=2
    )
    assert reference_bytes(work) == pytest.approx(fullest_bytes(work, "fp16"), rel=0.02)
    assert reference_bytes(work) >= 64 * 2048 * 4096 * 2


def test_older_boards_keep_less_for_cublas() -> None:
    assert cublas_bytes("v100") == cublas_bytes("a100") < cublas_bytes("h200") == 32 << 20


def test_the_plan_knows_at_how_many_rows_and_tokens_the_engine_changes_its_way() -> None:
    # Read as text: the kernels' modules need Triton, which comes with torch's CUDA builds alone.
    for module, name, known in (
        ("model", "_INNER_TOKENS", workspace_fast._INNER_TOKENS),
        ("fused_decoder", "MOST_ROWS", workspace_fast._FUSED_ROWS),
    ):
        text = (REPOSITORY / "workers" / "engines" / "fast" / f"{module}.py").read_text()
        found = re.search(rf"^{name}: Final = ([\d_]+)$", text, re.MULTILINE)
        assert found is not None, name
        assert int(found[1]) == known
