"""Quantized weights on GPUs: `fast`'s kernels against plain torch, and what the truth costs."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from telemetry.record.launch import LaunchConfig
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.gpu.test_workers_gpu import need_gpus
from tests.support.engines import logits_of, open_for
from tests.support.ranks import run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.base.engine import Model, PhasedEngine
from workers.models.llama.shape import SHAPES, LlamaShape
from workers.models.loading import load_model
from workers.models.logit_error import PROBE_TOKENS, LogitProbe, take_probe
from workers.models.quantization import dequantize, linear, quantize
from workers.models.random_weights import RandomWeights, WeightSource
from workers.planning.weight_formats import QUANTIZATIONS, WEIGHT_ONLY, matrix_bytes
from workers.session.placement import take_device

pytestmark = pytest.mark.gpu

# 7B's widths, so its kernels; w2 has groups of 128, 128, 64 and 32 at 1, 2, 4 and 8 ranks.
SLIM = LlamaShape(name="slim", dim=4096, layers=2, heads=32, norm_eps=1e-6)
LAUNCH = LaunchConfig(
    device="cuda",
    threads=1,
    prompts_sha256="0" * 64,
    tokenizer_path=None,
    telemetry="nvml",
    period_ms=100,
    idle_s=0.0,
    warmup_batches=0,
    logit_error=True,
)
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
# Relative rms between two orders of the same products: some two roundings of the format, whose
# steps are 2^-10 and 2^-7, at each layer's ends. A wrong scale or nibble errs by 0.1 and more.
KERNEL_TOLERANCE = {"fp16": 3e-3, "bf16": 2e-2}
TRUE_BATCH = 64
CASES = [
    *(("fp16", name, batch) for name in WEIGHT_ONLY for batch in (1, 3, TRUE_BATCH, 200)),
    *(("bf16", name, TRUE_BATCH) for name in WEIGHT_ONLY),
]
Case = tuple[str, str, int]
Found = dict[str, dict[Case, float]]
"""Relative rms error by kind of comparison and case."""


class Scaled:
    """Random weights whose norms are no ones, as a trained model's are not."""

    def __init__(self, source: WeightSource) -> None:
        self._source = source

    def fill(self, name: str, weight: Tensor) -> None:
        self._source.fill(name, weight)
        if "norm" in name:
            weight.copy_(torch.linspace(0.5, 1.5, weight.numel()))

    def describe(self) -> dict[str, Any]:
        return {"kind": "scaled"}


def make_spec(shape: LlamaShape, world: int, **changes: Any) -> RunSpec:
    fixed = {"model": shape.name, "engine": "fast", "gpu": "h200", "gpus": world}
    return RunSpec.from_mapping({**SPEC, **fixed, "gpus_per_node": world, **changes})


def fast_engine(
    spec: RunSpec, source: WeightSource, device: torch.device, *, eos_id: int = 2
) -> PhasedEngine:
    return open_for(spec, device, weights=source, eos_id=eos_id)


def fast_model(spec: RunSpec, source: WeightSource, device: torch.device) -> Model:
    return logits_of(fast_engine(spec, source, device))


# Whose norm stands before a matrix.
NORMS = {
    "attention.wq": "attention_norm",
    "attention.wk": "attention_norm",
    "attention.wv": "attention_norm",
    "feed_forward.w1": "ffn_norm",
    "feed_forward.w3": "ffn_norm",
}


def plain_model(
    spec: RunSpec, source: WeightSource, device: torch.device, *, folded: bool = False
) -> Model:
    """The reference model with the weights that the quantized ones stand for.

    `folded` rounds a matrix once the norm before it is multiplied in.
    """

    def round_layers(name: str, module: nn.Module) -> None:
        if spec.quantization == "none" or not name.startswith("layers."):
            return
        for matrix, weight in module.named_parameters():
            if weight.dim() != 2:
                continue
            norm = NORMS.get(matrix.removesuffix(".weight"))
            columns = torch.ones(weight.shape[1], device=device)
            if folded and norm is not None:
                columns = module.get_parameter(f"{norm}.weight").float()
            quantized = quantize((weight * columns).to(weight.dtype), spec.quantization)
            weight.copy_(dequantize(quantized, torch.float32) / columns)

    return load_model(
        SHAPES[spec.model],
        source,
        dtype=spec.dtype,
        device=device,
        max_batch=spec.batch_size,
        max_len=spec.max_prompt_len + spec.max_gen_len,
        prepare=round_layers,
    )


def read_truth(model: Model, ids: Tensor) -> Tensor:
    """A model's logits as a probe of `ids` keeps them: a quarter prefilled, the rest decoded."""
    at = len(ids) // 4
    steps = [model(ids[None, :at], 0)]
    steps += [model(ids[None, place : place + 1], place) for place in range(at, len(ids))]
    return torch.cat(steps)


def compare_all(rank: Rank, folder: Path) -> Found:
    """By dtype, quantization and batch: fast against plain, and both against fp32."""
    SHAPES[SLIM.name] = SLIM
    device = take_device(rank, "cuda")
    even = RandomWeights(SLIM, 1, rank=rank.rank, degree=rank.world)
    ids = torch.randint(3, SLIM.vocab, (48,), generator=torch.Generator().manual_seed(1)).tolist()
    found: Found = {"kernels": {}, "fast": {}, "plain": {}, "folded": {}}
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=device),
        torch.inference_mode(),
    ):
        for case in CASES:
            dtype, quantization, batch = case
            spec = make_spec(
                SLIM, rank.world, dtype=dtype, quantization=quantization, batch_size=batch
            )
            # Norms of one: folded or not, the very same weights are rounded.
            probe = take_probe(spec, LAUNCH, source=even, prompts=[ids], device=device)
            truth = read_truth(plain_model(spec, even, device), probe.ids)
            beside = LogitProbe(ids=probe.ids, rows=batch, truth=truth, reason=None)
            found["kernels"][case] = relative_rms(beside, fast_model(spec, even, device))
            if batch == TRUE_BATCH:
                source = Scaled(even)
                probe = take_probe(spec, LAUNCH, source=source, prompts=[ids], device=device)
                found["fast"][case] = relative_rms(probe, fast_model(spec, source, device))
                for kind, folded in (("plain", False), ("folded", True)):
                    model = plain_model(spec, source, device, folded=folded)
                    found[kind][case] = relative_rms(probe, model)
    return found


def relative_rms(probe: LogitProbe, model: Model) -> float:
    error = probe.compare(model)
    assert error["reason"] is None
    return float(error["relative_rms"])


def compared(degree: int, compare: Callable[..., Found], folder: Path) -> Found:
    """What `compare` finds on each of `degree` ranks, equal on all; printed."""
    need_gpus(degree)
    ranks = values_of(run_gang(degree, compare, folder, timeout_s=280))
    assert all(rank == ranks[0] for rank in ranks[1:])
    first: Found = ranks[0]
    for kind, errors in first.items():
        for case, error in errors.items():
            told = " ".join(map(str, case))
            print(f"{degree} GPUs, {kind}, {told}: {error:.2e}")  # noqa: T201
    return first


@pytest.fixture(scope="module", params=[1, 2, 4, 8])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The comparisons of one degree, equal on all ranks."""
    return compared(request.param, compare_all, tmp_path_factory.mktemp("gang"))


def test_fast_s_kernels_compute_what_plain_torch_does(found: Found) -> None:
    for case, error in found["kernels"].items():
        assert error <= KERNEL_TOLERANCE[case[0]], case


def test_fast_is_as_near_to_fp32_as_plain_torch(found: Found) -> None:
    for case, error in found["fast"].items():
        nearest = max(found["plain"][case], found["folded"][case])
        assert error <= 1.05 * nearest + 2e-4, case


def test_more_bits_are_nearer_to_fp32(found: Found) -> None:
    for dtype in DTYPES:
        errors = [found["fast"][dtype, name, TRUE_BATCH] for name in WEIGHT_ONLY]
        assert errors == sorted(errors)


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    need_gpus(1)
    yield torch.device("cuda", 0)
    torch.cuda.empty_cache()


@pytest.mark.parametrize("name", ["int8", "fp8", "int4"])
@pytest.mark.parametrize("dtype", list(DTYPES))
def test_a_gpu_rounds_as_the_cpu_does(gpu: torch.device, dtype: str, name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    weight = (torch.randn(512, 1376, generator=generator) / 37).to(DTYPES[dtype])
    here, there = quantize(weight, name), quantize(weight.to(gpu), name)
    # A tie between two scales, or a division's last bit, may fall the other way.
    same = here.packed.view(torch.uint8) == there.packed.cpu().view(torch.uint8)
    assert same.float().mean() >= 0.999
    if name in {"int8", "fp8"}:
        # An H200 differs in 5 % of the rows, by one step of fp32: at most 2^-23, or 1.2e-7.
        torch.testing.assert_close(there.scale.cpu(), here.scale, rtol=2e-7, atol=0.0)
    else:
        assert (here.scale == there.scale.cpu()).float().mean() >= 0.999
    wide = weight.double()
    errors = [
        float((dequantize(one, torch.float64).cpu() - wide).norm() / wide.norm())
        for one in (here, there)
    ]
    assert errors[0] == pytest.approx(errors[1], rel=1e-4)


@pytest.mark.parametrize("name", ["int8", "int4"])
def test_plain_linear_on_a_gpu_is_the_product_in_fp64(gpu: torch.device, name: str) -> None:
    generator = torch.Generator(gpu).manual_seed(1)
    weight = torch.randn(1024, 4096, generator=generator, device=gpu).div_(64).half()
    x = torch.randn(64, 4096, generator=generator, device=gpu).half()
    quantized = quantize(weight, name)
    expected = x.double() @ dequantize(quantized, torch.float64).T
    error = linear(x, quantized).double() - expected
    # One rounding of each weight and one of the result, relative 2^-11 each.
    assert float(error.norm() / expected.norm()) <= 1e-3


@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("name", ["int8", "int4"])
@pytest.mark.parametrize("inputs", [4096, 2752, 1376])
def test_prefill_s_products_are_those_of_the_dequantized_matrix(
    gpu: torch.device, inputs: int, name: str, dtype: str
) -> None:
    # Triton comes with torch's CUDA builds alone.
    from workers.engines.fast import ops_quantized  # noqa: PLC0415

    kind = DTYPES[dtype]
    generator = torch.Generator(gpu).manual_seed(1)
    weight = torch.randn(1024, inputs, generator=generator, device=gpu).div_(64).to(kind)
    quantized = quantize(weight, name)
    assert torch.equal(ops_quantized.unpacked(quantized, kind), dequantize(quantized, kind))
    for rows in (1, 17, 64, 200, ops_quantized.MOST_WIDENED_ROWS + 1):
        x = torch.randn(rows, inputs, generator=generator, device=gpu).to(kind)
        expected = x.double() @ dequantize(quantized, torch.float64).T
        error = ops_quantized.product(x, quantized).double() - expected
        # One rounding of each weight and one of the result.
        assert float(error.norm() / expected.norm()) <= KERNEL_TOLERANCE[dtype], rows


def cost_of_truth(rank: Rank, folder: Path, model: str) -> dict[str, float]:
    """Seconds and memory of a probe, of a load and of its quantized loads, on an empty GPU."""
    device = take_device(rank, "cuda")
    shape = SHAPES[model]
    source = RandomWeights(shape, 1, rank=rank.rank, degree=rank.world)
    costs: dict[str, float] = {}
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=rank.world, device=device) as mesh,
        torch.inference_mode(),
    ):
        spec = make_spec(shape, rank.world, dtype="fp16", batch_size=64, max_prompt_len=128)
        text = [list(range(100, 100 + PROBE_TOKENS))]
        # The first call pays for cuBLAS and NCCL.
        probe = take_probe(spec, LAUNCH, source=source, prompts=text, device=device)
        mesh.barrier()
        torch.cuda.reset_peak_memory_stats()
        started = time.monotonic()
        probe = take_probe(spec, LAUNCH, source=source, prompts=text, device=device)
        torch.cuda.synchronize()
        costs["probe s"] = time.monotonic() - started
        costs["probe peak GB"] = torch.cuda.max_memory_allocated() / 1e9
        costs["left behind GB"] = torch.cuda.memory_allocated() / 1e9
        for quantization in QUANTIZATIONS:
            spec = make_spec(
                shape, rank.world, dtype="fp16", quantization=quantization, batch_size=64
            )
            mesh.barrier()
            started = time.monotonic()
            fast = fast_model(spec, source, device)
            torch.cuda.synchronize()
            costs[f"{quantization} load s"] = time.monotonic() - started
            mesh.barrier()
            started = time.monotonic()
            error = probe.compare(fast)
            costs[f"{quantization} compare s"] = time.monotonic() - started
            costs[f"{quantization} relative rms"] = error["relative_rms"]
            costs[f"{quantization} argmax"] = error["argmax_agreement"]
            costs[f"{quantization} kl"] = error["kl_nats"]
            del fast
            torch.cuda.empty_cache()
    return costs


@pytest.mark.parametrize(("model", "degree"), [("7b", 1), ("65b", 4)])
def test_the_truth_takes_seconds_and_one_layer_of_memory(
    model: str, degree: int, tmp_path: Path
) -> None:
    need_gpus(degree)
    costs = values_of(run_gang(degree, cost_of_truth, tmp_path, model, timeout_s=280))[0]
    for name, cost in costs.items():
        print(f"{model} over {degree} GPUs: {name} {cost:.4g}")  # noqa: T201
    shape = SHAPES[model]
    largest = max(shape.layer_matrix_params, shape.vocab * shape.dim) / degree
    # The drawing of one strip, activations of 64 tokens and joined logits come on top.
    assert costs["probe peak GB"] * 1e9 <= matrix_bytes(1, int(largest), "none", 4) * 1.25
    assert costs["left behind GB"] <= 0.1
    assert costs["probe s"] <= 15.0
