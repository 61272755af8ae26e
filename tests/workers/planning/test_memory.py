import dataclasses

import pytest

from telemetry.record.spec import RunSpec
from workers.planning.families import find_shape
from workers.planning.memory import estimate, flops


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


def test_an_engine_that_may_stop_early_is_promised_no_more_than_one_token(spec: RunSpec) -> None:
    fast = _spec(spec, engine="fast", max_gen_len=64)
    assert flops(fast) == flops(_spec(spec, max_gen_len=1))
    assert flops(_spec(fast, ignore_eos=True)) == flops(_spec(spec, max_gen_len=64))


def test_engine_fast_holds_the_whole_embedding_on_every_rank(spec: RunSpec) -> None:
    shared = {"model": "65b", "dtype": "fp16", "gpus": 8}
    reference = estimate(_spec(spec, **shared))
    fast = estimate(_spec(spec, engine="fast", **shared))
    # Seven eighths of the table more, and the layers' norms less.
    extra_bytes = 32_000 * 8192 * 2 * 7 // 8 - 160 * 8192 * 2
    assert fast.weights_bytes - reference.weights_bytes == extra_bytes


# 7B's layers alone, by the packed format: bits a weight with their scales.
@pytest.mark.parametrize(
    ("quantization", "bits"),
    [("int8", 8 + 32 / 4096), ("fp8", 8 + 32 / 4096), ("int4", 4 + 16 / 128)],
)
def test_quantized_layers_weigh_their_bits_and_scales(
    spec: RunSpec, quantization: str, bits: float
) -> None:
    point = _spec(spec, model="7b", dtype="fp16", engine="fast", quantization=quantization)
    layers = 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    tables_bytes = 2 * 32_000 * 4096 * 2
    rest_bytes = estimate(point).weights_bytes - tables_bytes
    assert rest_bytes == pytest.approx(layers * bits / 8, rel=1e-3)


def test_keys_and_values_of_fp8_take_a_byte_each(spec: RunSpec) -> None:
    point = _spec(spec, model="7b", dtype="fp16", engine="fast", batch_size=64)
    whole, half = estimate(point), estimate(_spec(point, kv_dtype="fp8"))
    assert 2 * half.kv_cache_bytes == whole.kv_cache_bytes
    assert half.weights_bytes == whole.weights_bytes


def test_prompts_that_are_known_to_be_short_need_less_of_the_reference_engine(
    spec: RunSpec,
) -> None:
    point = _spec(spec, model="7b", dtype="fp16", batch_size=64, max_prompt_len=1024)
    assert estimate(point, prefill_len=64).workspace_bytes < estimate(point).workspace_bytes / 10
    fast = _spec(point, engine="fast")
    assert estimate(fast, prefill_len=64) == estimate(fast)


def test_a_split_that_is_not_legal_is_still_planned(spec: RunSpec) -> None:
    point = _spec(spec, model="7b", engine="fast", quantization="int4", gpus=3, gpus_per_node=3)
    assert estimate(point).weights_bytes > 0


def test_what_torch_allocates_is_told_apart_from_what_the_gpu_holds(spec: RunSpec) -> None:
    parts = estimate(_spec(spec, model="7b"))
    assert parts.allocated_bytes == parts.total_bytes - parts.context_bytes
    two = estimate(_spec(spec, model="7b", gpus=2))
    assert two.context_bytes > parts.context_bytes


def test_a_cache_is_as_wide_as_the_heads_of_keys(spec: RunSpec) -> None:
    sizes = {"dtype": "fp16", "batch_size": 64, "max_prompt_len": 256, "max_gen_len": 256}
    mistral = estimate(_spec(spec, model="mistral-7b-v0.1", **sizes))
    assert 4 * mistral.kv_cache_bytes == estimate(_spec(spec, model="7b", **sizes)).kv_cache_bytes
    assert mistral.weights_bytes == 2 * 7_241_732_096


def test_a_tied_head_is_held_once_where_no_norm_is_multiplied_into_it(spec: RunSpec) -> None:
    sizes = {"model": "llama-3.2-3b", "dtype": "fp16"}
    reference, fast = (
        estimate(_spec(spec, engine=engine, **sizes)).weights_bytes
        for engine in ("reference", "fast")
    )
    assert reference == 2 * 3_212_749_824
    norms = 2 * 28 * 3072
    assert fast == reference + 2 * (128_256 * 3072 - norms)


def test_a_window_bounds_the_arithmetic(spec: RunSpec) -> None:
    sizes = {"model": "nano-mistral", "max_prompt_len": 64, "max_gen_len": 10, "prompts": 1}
    long = _spec(spec, batch_size=1, **sizes)
    # A window of 7: the first seven of 29 tokens fed meet 28 positions, the others seven each.
    shape = find_shape("nano-mistral")
    matrices = shape.flop_per_token * 29 + shape.flop_per_logit_row * 10
    met = flops(long, prompt_len=20) - matrices
    assert met == shape.flop_per_token_and_position * (28 + 22 * 7)


def test_layers_without_a_window_do_all_of_attention(spec: RunSpec) -> None:
    neo = {"model": "gpt-neo-2.7b", "engine": "transformers", "prompts": 1, "max_gen_len": 1}
    told = flops(_spec(spec, **neo), prompt_len=1000)
    shape = find_shape("gpt-neo-2.7b")
    every, local = 1000 * 1001 // 2, 256 * 257 // 2 + 744 * 256
    attention = 4 * shape.dim * 16 * (every + local)
    rest = shape.flop_per_token * 1000 + shape.flop_per_logit_row
    assert told == attention + rest


def test_a_library_that_copies_keys_for_each_head_caches_the_copies(spec: RunSpec) -> None:
    sizes = {"engine": "transformers", "dtype": "fp16", "batch_size": 8}
    older = estimate(_spec(spec, model="falcon-7b", **sizes))
    newer = estimate(_spec(spec, model="falcon-40b", **sizes))
    length = spec.max_prompt_len + spec.max_gen_len
    assert older.kv_cache_bytes == 8 * length * 2 * 32 * 64 * 2
    assert newer.kv_cache_bytes == 8 * length * 2 * 60 * 8192 * 2
    assert older.weights_bytes == 2 * 6_921_720_704


@pytest.mark.parametrize("model", ["opt-350m", "gpt-j-6b", "bloom-7b1", "gpt-neo-1.3b"])
def test_weights_are_all_parameters_whatever_the_layout(spec: RunSpec, model: str) -> None:
    told = estimate(_spec(spec, model=model, engine="transformers", dtype="bf16"))
    assert told.weights_bytes == 2 * find_shape(model).params


def test_an_encoder_decoder_s_operations_are_those_of_its_matrices(spec: RunSpec) -> None:
    one = {"model": "t5-3b", "engine": "transformers", "prompts": 1, "max_gen_len": 1}
    wide, inner, dim, layers = 32 * 128, 16_384, 1024, 24
    attention, feed_forward = 4 * wide * dim, 2 * inner * dim
    prompt = 100
    encoded = layers * (attention + feed_forward + 2 * wide * dim) * prompt
    looked = layers * 2 * wide * (prompt * prompt + prompt + 1)
    answered = layers * (attention + 2 * wide * dim + feed_forward) + 32_128 * dim
    told = flops(_spec(spec, **one, ignore_eos=True), prompt)
    assert told == 2 * (encoded + looked + answered)
