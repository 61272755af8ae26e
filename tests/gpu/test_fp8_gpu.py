"""Fp8 on GPUs: its kernels, cuBLAS's product and whole steps against plain torch on one GPU."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.gpu.test_quantization_gpu import SLIM
from tests.gpu.test_workers_gpu import need_gpus
from tests.support.ranks import run_gang, values_of
from workers.distributed.process_group import open_mesh
from workers.distributed.rank import Rank
from workers.distributed.rendezvous import open_rendezvous
from workers.engines.fast.fused_weights import Fuser, take_fused
from workers.engines.fast.model import FastModel, SeparateDecoder
from workers.models.llama.model import Llama
from workers.models.llama.shape import SHAPES
from workers.models.loading import load_model
from workers.models.quantization import E4M3, linear, quantize, round_rows
from workers.models.random_weights import RandomWeights
from workers.session.placement import take_device

pytestmark = pytest.mark.gpu

CASES = [*(("fp16", rows) for rows in (1, 3, 16, 64)), ("bf16", 64)]
Case = tuple[str, int]
# Relative rms between two orders of the same products of e4m3 numbers: roundings of the result,
# 2^-11 and 2^-8, and what the unit's own sums of 128 products lose.
PRODUCT_TOLERANCE = {torch.float16: 2e-3, torch.bfloat16: 5e-3}
# And of whole passes, whose rounded activations lie at either side of a tie here and there.
PASS_TOLERANCE = 3e-2
# Two layers of seven roundings by 3.7 % of what is added to a residual stream that is not rounded.
TRUTH = (1e-2, 8e-2)


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    need_gpus(1)
    yield torch.device("cuda", 0)
    torch.cuda.empty_cache()


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    wide = expected.double()
    return float((found.double() - wide).norm() / wide.norm())


def test_a_gpu_rounds_rows_as_torch_does(gpu: torch.device) -> None:
    from workers.engines.fast import ops_triton  # noqa: PLC0415

    generator = torch.Generator(gpu).manual_seed(1)
    x = torch.randn(64, 11_008, generator=generator, device=gpu).half()
    x[1] = 0.0
    rounded = torch.empty_like(x, dtype=E4M3)
    scale = torch.empty(64, device=gpu)
    ops_triton.round_rows_into(rounded, scale, x, early=False)
    expected, expected_scale = round_rows(x)
    # torch multiplies by 1 / 448 on a GPU: a step of fp32, and a tie falls to the other side.
    torch.testing.assert_close(scale, expected_scale[:, 0], rtol=2e-7, atol=0.0)
    assert (rounded.float() == expected.float()).float().mean() >= 0.999
    assert (rounded[1].float() == 0).all()
    untouched = rounded[3].float()
    for odd in (math.nan, math.inf, -math.inf):
        x[2, 7] = odd
        ops_triton.round_rows_into(rounded, scale, x, early=False)
        assert torch.isnan(rounded[2, 7].float())
        assert torch.equal(rounded[3].float(), untouched)


@pytest.mark.parametrize("kind", list(PRODUCT_TOLERANCE))
@pytest.mark.parametrize("rows", [1, 7, 64, 384, 8192])
def test_cublas_s_product_is_that_of_the_rounded_numbers(
    gpu: torch.device, rows: int, kind: torch.dtype
) -> None:
    from workers.engines.fast import ops_triton  # noqa: PLC0415

    generator = torch.Generator(gpu).manual_seed(1)
    weight = torch.randn(4096, 11_008, generator=generator, device=gpu).div_(105).to(kind)
    x = torch.randn(rows, 11_008, generator=generator, device=gpu).to(kind)
    # Rows and outputs of many sizes, so that no scale can stand for another's.
    x *= torch.linspace(0.1, 3.0, rows, device=gpu)[:, None].to(kind)
    weight *= torch.linspace(0.2, 2.0, 4096, device=gpu)[:, None].to(kind)
    quantized = quantize(weight, "fp8")
    found = ops_triton.product(x, quantized)
    assert found.dtype == kind
    error = relative(found, linear(x, quantized))
    print(f"_scaled_mm, {rows} rows, {kind}: {error:.2e}")  # noqa: T201
    assert error <= PRODUCT_TOLERANCE[kind]


def compare(rank: Rank, folder: Path) -> dict[str, dict[Case, float]]:
    """By kind of comparison and case: relative rms of logits after a prompt and after a step."""
    from workers.engines.fast import fused_decoder, ops_torch, ops_triton  # noqa: PLC0415
    from workers.engines.fast.all_reduce import LibrarySum  # noqa: PLC0415

    SHAPES[SLIM.name] = SLIM
    device = take_device(rank, "cuda")
    generator = torch.Generator().manual_seed(1)
    found: dict[str, dict[Case, float]] = {
        kind: {} for kind in ("prefill", "step", "again", "separate", "truth")
    }
    with (
        open_rendezvous(rank, folder / "rendezvous.json") as rendezvous,
        open_mesh(rendezvous, degree=1, device=device),
        torch.inference_mode(),
    ):
        for dtype, rows in CASES:
            fast, whole = (
                _opened(dtype, rows, quantization, device) for quantization in ("fp8", "none")
            )
            prompts = torch.randint(3, SLIM.vocab, (rows, 16), generator=generator).tolist()
            tokens = torch.randint(3, SLIM.vocab, (rows,), generator=generator).to(device)
            positions = torch.full((rows,), 16, dtype=torch.int32, device=device)
            by_units = fast.prefill(prompts)
            fast.math = ops_torch
            found["prefill"][dtype, rows] = relative(by_units, fast.prefill(prompts))
            expected = SeparateDecoder(fast, rows).logits(tokens, positions)
            fast.math = ops_triton
            separate = SeparateDecoder(fast, rows).logits(tokens, positions)
            found["separate"][dtype, rows] = relative(separate, expected)
            decoder = fused_decoder.FusedDecoder(
                SLIM,
                fast.weights,
                caches=fast.caches,
                turn=fast.turn,
                rank_sum=LibrarySum(rows, SLIM.dim, fast.kind, device),
                rows=rows,
            )
            step = decoder.logits(tokens, positions).clone()
            found["step"][dtype, rows] = relative(step, expected)
            found["again"][dtype, rows] = relative(decoder.logits(tokens, positions), step)
            whole.math = ops_torch
            whole.prefill(prompts)
            truth = SeparateDecoder(whole, rows).logits(tokens, positions)
            found["truth"][dtype, rows] = relative(step, truth)
    return found


def _opened(dtype: str, rows: int, quantization: str, device: torch.device) -> FastModel:
    model = load_model(
        SLIM,
        RandomWeights(SLIM, 1, rank=0, degree=1),
        dtype=dtype,
        device=device,
        max_batch=0,
        max_len=32,
        prepare=Fuser(quantization),
    )
    assert isinstance(model, Llama)
    return FastModel(model.shape, take_fused(model), model.turns, max_batch=rows, max_len=32)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[Case, float]]:
    need_gpus(1)
    [one] = values_of(run_gang(1, compare, tmp_path_factory.mktemp("gang"), timeout_s=280))
    for kind, errors in one.items():
        print(kind, {case: f"{error:.2e}" for case, error in errors.items()})  # noqa: T201
    of: dict[str, dict[Case, float]] = one
    return of


@pytest.mark.parametrize("case", CASES)
def test_passes_by_units_are_those_of_plain_torch(
    found: dict[str, dict[Case, float]], case: Case
) -> None:
    for kind in ("prefill", "separate", "step"):
        assert found[kind][case] <= PASS_TOLERANCE, kind
    assert found["again"][case] == 0
    assert TRUTH[0] < found["truth"][case] < TRUTH[1]
