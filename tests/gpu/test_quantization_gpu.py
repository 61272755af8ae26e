"""Quantized weights on GPUs: `fast`'s kernels against plain torch, and what the truth costs."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from telemetry.order import LaunchOrder
from telemetry.run import RunSpec
from tests.conftest import SPEC
from tests.gang import run_gang, values_of
from tests.gpu.test_workers_gpu import need_gpus
from workers.engines import ENGINES, make_engine
from workers.formats import QUANTIZATIONS, matrix_bytes
from workers.load import load_model
from workers.logit_error import PROBE_TOKENS, LogitProbe, take_probe
from workers.meeting import open_meeting
from workers.mesh import open_mesh, take_device
from workers.quantization import dequantize, linear, quantize
from workers.rank import Rank
from workers.reference import Model
from workers.shapes import SHAPES, Shape
from workers.weights import RandomWeights, WeightSource

pytestmark = pytest.mark.gpu

# 7B's widths, so its kernels; w2 has groups of 128, 128, 64 and 32 at 1, 2, 4 and 8 ranks.
SLIM = Shape(name="slim", dim=4096, layers=2, heads=32, norm_eps=1e-6)
ORDER = LaunchOrder(
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
BATCHES = (1, 3, 64, 200)
Case = tuple[str, str, int]


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


def make_spec(shape: Shape, world: int, **changes: Any) -> RunSpec:
    fixed = {"model": shape.name, "engine": "fast", "gpu": "h200", "gpus": world}
    return RunSpec.from_mapping({**SPEC, **fixed, "gpus_per_node": world, **changes})


def fast_model(spec: RunSpec, source: WeightSource, device: torch.device) -> Model:
    kind = ENGINES[spec.engine]
    model = load_model(
        SHAPES[spec.model],
        source,
        dtype=spec.dtype,
        device=device,
        max_batch=spec.batch_size if kind.model_cache else 0,
        max_len=spec.max_prompt_len + spec.max_gen_len,
        prepare=kind.prepare(spec),
    )
    return make_engine(spec, model, eos_id=2, device=device).model


def plain_model(spec: RunSpec, source: WeightSource, device: torch.device) -> Model:
    """The reference model with the weights that the quantized ones stand for."""

    def round_layers(name: str, module: nn.Module) -> None:
        for weight in module.parameters():
            if spec.quantization != "none" and name.startswith("layers.") and weight.dim() == 2:
                weight.copy_(dequantize(quantize(weight, spec.quantization), weight.dtype))

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


def compare_all(rank: Rank, folder: Path) -> dict[Case, tuple[float, float, float]]:
    """By dtype, quantization and batch: fast against plain, fast and plain against fp32."""
    SHAPES[SLIM.name] = SLIM
    device = take_device(rank, "cuda")
    even = RandomWeights(SLIM, 1, rank=rank.rank, degree=rank.world)
    ids = torch.randint(3, SLIM.vocab, (48,), generator=torch.Generator().manual_seed(1)).tolist()
    cases = [("fp16", quantization, batch) for quantization in QUANTIZATIONS for batch in BATCHES]
    cases += [("bf16", quantization, 64) for quantization in QUANTIZATIONS]
    found = {}
    with (
        open_meeting(rank, folder / "rendezvous.json") as meeting,
        open_mesh(meeting, degree=rank.world, device=device),
        torch.inference_mode(),
    ):
        for dtype, quantization, batch in cases:
            spec = make_spec(
                SLIM, rank.world, dtype=dtype, quantization=quantization, batch_size=batch
            )
            errors = []
            # Where norms are folded into a matrix before it is rounded, other weights are rounded:
            # only with norms of one are both models the same numbers.
            for source, kinds in ((even, "kernels"), (Scaled(even), "truth")):
                probe = take_probe(spec, ORDER, source=source, prompts=[ids], device=device)
                plain = plain_model(spec, source, device)
                fast = fast_model(spec, source, device)
                if kinds == "kernels":
                    truth = read_truth(plain, probe.ids)
                    beside = LogitProbe(ids=probe.ids, rows=batch, truth=truth, reason=None)
                    errors.append(beside.compare(fast))
                else:
                    errors += [probe.compare(fast), probe.compare(plain)]
            assert [error["reason"] for error in errors] == [None] * 3
            kernels, fast_error, plain_error = (float(error["relative_rms"]) for error in errors)
            found[dtype, quantization, batch] = (kernels, fast_error, plain_error)
    return found


@pytest.fixture(scope="module", params=[1, 2, 4, 8])
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[Case, tuple[float, float, float]]:
    """The comparisons of one degree, equal on all ranks."""
    need_gpus(request.param)
    folder = tmp_path_factory.mktemp("gang")
    ranks = values_of(run_gang(request.param, compare_all, folder, timeout_s=280))
    assert all(rank == ranks[0] for rank in ranks[1:])
    first: dict[Case, tuple[float, float, float]] = ranks[0]
    for case, (kernels, fast, plain) in first.items():
        print(  # noqa: T201
            f"{request.param} GPUs {' '.join(map(str, case))}: fast to plain {kernels:.1e}, "
            f"to fp32 {fast:.2e}, plain to fp32 {plain:.2e}"
        )
    return first


def test_fast_s_kernels_compute_what_plain_torch_does(
    found: dict[Case, tuple[float, float, float]],
) -> None:
    for case, (kernels, _, _) in found.items():
        assert kernels <= KERNEL_TOLERANCE[case[0]], case


def test_fast_is_as_near_to_fp32_as_plain_torch(
    found: dict[Case, tuple[float, float, float]],
) -> None:
    for case, (_, fast, plain) in found.items():
        assert fast <= 1.15 * plain + 2e-4, case


def test_more_bits_are_nearer_to_fp32(found: dict[Case, tuple[float, float, float]]) -> None:
    for batch in BATCHES:
        errors = [found["fp16", quantization, batch][1] for quantization in QUANTIZATIONS]
        assert errors == sorted(errors)


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    need_gpus(1)
    yield torch.device("cuda", 0)
    torch.cuda.empty_cache()


@pytest.mark.parametrize("name", ["int8", "int4"])
@pytest.mark.parametrize("dtype", list(DTYPES))
def test_a_gpu_rounds_as_the_cpu_does(gpu: torch.device, dtype: str, name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    weight = (torch.randn(512, 1376, generator=generator) / 37).to(DTYPES[dtype])
    here, there = quantize(weight, name), quantize(weight.to(gpu), name)
    # A tie between two scales, or a division's last bit, may fall the other way.
    assert (here.packed == there.packed.cpu()).float().mean() >= 0.999
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


def cost_of_truth(rank: Rank, folder: Path, model: str) -> dict[str, float]:
    """Seconds and memory of a probe, of a load and of its quantized loads, on an empty GPU."""
    device = take_device(rank, "cuda")
    shape = SHAPES[model]
    source = RandomWeights(shape, 1, rank=rank.rank, degree=rank.world)
    costs: dict[str, float] = {}
    with (
        open_meeting(rank, folder / "rendezvous.json") as meeting,
        open_mesh(meeting, degree=rank.world, device=device) as mesh,
        torch.inference_mode(),
    ):
        spec = make_spec(shape, rank.world, dtype="fp16", batch_size=64, max_prompt_len=128)
        text = [list(range(100, 100 + PROBE_TOKENS))]
        # The first call pays for cuBLAS and NCCL.
        probe = take_probe(spec, ORDER, source=source, prompts=text, device=device)
        mesh.barrier()
        torch.cuda.reset_peak_memory_stats()
        started = time.monotonic()
        probe = take_probe(spec, ORDER, source=source, prompts=text, device=device)
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
