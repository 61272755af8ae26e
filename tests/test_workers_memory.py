import dataclasses

import pytest

from telemetry.run import RunSpec
from workers.memory import estimate, flops


def _spec(spec: RunSpec, **changes: object) -> RunSpec:
    return RunSpec.from_mapping({**spec.to_mapping(), **changes})


# Weights + KV cache in fp16 by the usual formula, GB (1e9): model, batch, length, GB.
@pytest.mark.parametrize(
    ("model", "batch_size", "length", "expected_gb"),
    [
        ("7b", 64, 512, 30.7),
        ("7b", 512, 2048, 563.2),
        ("13b", 64, 512, 52.9),
        ("13b", 128, 1024, 133.4),
        ("65b", 64, 512, 216.5),
        ("65b", 64, 1024, 302.4),
        ("65b", 512, 1024, 1505.0),
    ],
)
def test_weights_and_cache_follow_the_formula(
    spec: RunSpec, model: str, batch_size: int, length: int, expected_gb: float
) -> None:
    whole = estimate(
        _spec(
            spec,
            model=model,
            dtype="fp16",
            batch_size=batch_size,
            max_prompt_len=length // 2,
            max_gen_len=length // 2,
        )
    )
    assert (whole.weights_bytes + whole.kv_cache_bytes) / 1e9 == pytest.approx(
        expected_gb, abs=0.06
    )


@pytest.mark.parametrize(
    ("length", "fits"),
    [(512, True), (1024, False)],
)
def test_65b_on_eight_v100_fits_as_the_paper_reports(
    spec: RunSpec, length: int, fits: bool
) -> None:
    point = _spec(
        spec,
        model="65b",
        dtype="fp16",
        gpus=8,
        gpus_per_node=2,
        batch_size=64,
        max_prompt_len=length // 2,
        max_gen_len=length // 2,
    )
    assert (estimate(point).total_bytes <= 32 << 30) is fits


def test_the_matrices_and_the_cache_shrink_with_gpus_but_norms_stay(spec: RunSpec) -> None:
    one = estimate(_spec(spec, model="7b"))
    four = estimate(_spec(spec, model="7b", gpus=4))
    norms_bytes = 65 * 4096 * 4
    assert 4 * (four.weights_bytes - norms_bytes) == one.weights_bytes - norms_bytes
    assert 4 * four.kv_cache_bytes == one.kv_cache_bytes


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_formats_take_half_the_weights(spec: RunSpec, dtype: str) -> None:
    full = estimate(_spec(spec, dtype="fp32"))
    assert 2 * estimate(_spec(spec, dtype=dtype)).weights_bytes == full.weights_bytes


def test_every_part_is_in_the_total(spec: RunSpec) -> None:
    parts = estimate(spec)
    assert parts.total_bytes == sum(dataclasses.asdict(parts).values())
    assert all(value > 0 for value in dataclasses.asdict(parts).values())


def test_cpu_has_no_gpu_context(spec: RunSpec) -> None:
    assert estimate(_spec(spec, gpu="cpu")).context_bytes == 0


def test_a_token_of_7b_costs_at_least_two_flops_a_weight(spec: RunSpec) -> None:
    one = _spec(spec, model="7b", prompts=1, max_gen_len=1)
    weights = 6_738_415_616 - 32_000 * 4096 - 65 * 4096
    assert flops(one) == pytest.approx(2 * weights, rel=1e-3)
    assert flops(_spec(spec, model="7b", prompts=3, max_gen_len=1)) == 3 * flops(one)
