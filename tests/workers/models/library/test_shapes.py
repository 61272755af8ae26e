"""Shapes that the library alone has layers for: their counts, and the library's own of them."""

import dataclasses
import math
from typing import Any

import pytest
import torch
import transformers

from workers.models.library.falcon import FalconShape
from workers.models.library.shape import LibraryShape
from workers.planning.families import FAMILIES, LIBRARY_FAMILIES, find_shape, parameters_of

SHAPES = [shape for name in LIBRARY_FAMILIES for shape in FAMILIES[name].shapes.values()]
CAUSAL = [shape for shape in SHAPES if not shape.encodes]


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("distilgpt2", 81_912_576),
        # The model cards of huggingface.co/bigscience print these, and the embeddings' own.
        ("bloom-560m", 559_214_592),
        ("bloom-1b1", 1_065_314_304),
        ("bloom-1b7", 1_722_408_960),
        ("bloom-3b", 3_002_557_440),
        ("bloom-7b1", 7_069_016_064),
        ("bloom-176b", 176_247_271_424),
        # The library's own models on the device `meta`, of the published sizes.
        ("opt-125m", 125_239_296),
        ("opt-350m", 331_196_416),
        ("opt-1.3b", 1_315_758_080),
        ("opt-2.7b", 2_651_596_800),
        ("opt-6.7b", 6_658_473_984),
        ("opt-13b", 12_853_473_280),
        ("opt-30b", 29_974_540_288),
        ("opt-66b", 65_719_701_504),
        ("gpt-j-6b", 6_050_882_784),
        ("gpt-neo-125m", 125_198_592),
        ("gpt-neo-1.3b", 1_315_575_808),
        ("gpt-neo-2.7b", 2_651_307_520),
        ("falcon-7b", 6_921_720_704),
        ("falcon-40b", 41_303_293_952),
        # huggingface.co/google-t5 and google/flan-t5-*: tensors of the files, the tied table once.
        ("t5-small", 60_506_624),
        ("t5-base", 222_903_552),
        ("t5-large", 737_668_096),
        ("t5-3b", 2_851_598_336),
        ("t5-11b", 11_307_321_344),
        ("flan-t5-small", 76_961_152),
        ("flan-t5-base", 247_577_856),
        ("flan-t5-large", 783_150_080),
        ("flan-t5-xl", 2_849_757_184),
        ("flan-t5-xxl", 11_135_332_352),
    ],
)
def test_a_published_model_has_its_count_to_the_unit(model: str, params: int) -> None:
    assert find_shape(model).params == params


@pytest.mark.parametrize(
    ("model", "embedded"),
    [
        # "embedding parameters" of the same cards.
        ("bloom-560m", 256_901_120),
        ("bloom-1b1", 385_351_680),
        ("bloom-1b7", 513_802_240),
        ("bloom-3b", 642_252_800),
        ("bloom-7b1", 1_027_604_480),
        ("bloom-176b", 3_596_615_680),
    ],
)
def test_a_bloom_s_embedding_has_the_count_of_its_card(model: str, embedded: int) -> None:
    shape = find_shape(model)
    assert shape.vocab * shape.table_dim == embedded


@pytest.mark.parametrize(
    ("model", "billions"),
    [
        # arXiv 2205.01068, table 1; 350M is the name of a model of 331 million.
        *[("opt-125m", 0.125), ("opt-1.3b", 1.3), ("opt-2.7b", 2.7), ("opt-6.7b", 6.7)],
        *[("opt-13b", 13.0), ("opt-30b", 30.0), ("opt-66b", 66.0)],
        # The names under which they are published; GPT-J's card prints 6,053,381,344.
        *[("gpt-neo-125m", 0.125), ("gpt-neo-1.3b", 1.3), ("gpt-neo-2.7b", 2.7)],
        *[("gpt-j-6b", 6.053381344), ("falcon-7b", 7.0)],
        # arXiv 2311.16867 tells of 40 billion parameters.
        ("falcon-40b", 41.3),
        # arXiv 1910.10683, section 3.7: 60, 220, 770 million (4 % more), 3 billion (called 2.8 in
        # its text) and 11 billion.
        *[("t5-small", 0.06), ("t5-base", 0.22), ("t5-3b", 2.8), ("t5-11b", 11.3)],
    ],
)
def test_a_count_is_near_what_the_model_is_called_by(model: str, billions: float) -> None:
    assert find_shape(model).params / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_library_makes_the_same_parameters(shape: LibraryShape) -> None:
    config = getattr(transformers, shape.config_class)(**shape.library_settings())
    with torch.device("meta"):
        model = getattr(transformers, shape.model_class)(config)
    theirs = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    if shape.encodes and not shape.tied:
        # The library ties each T5's head until a file holds another.
        theirs["lm_head.weight"] = tuple(model.lm_head.weight.shape)
    assert theirs == {name: one.size for name, one in parameters_of(shape).items()}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_matrices_tables_and_the_rest_are_all_of_it(shape: LibraryShape) -> None:
    rest = sum(
        math.prod(size) for name, size in shape.sizes() if len(size) == 1 or "project_" in name
    )
    assert shape.norm_params == rest


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_tables_that_no_file_holds_take_what_the_plan_says(shape: LibraryShape) -> None:
    config = getattr(transformers, shape.config_class)(**shape.library_settings())
    with torch.device("meta"):
        model = getattr(transformers, shape.model_class)(config)
    assert sum(table.nbytes for table in model.buffers()) == shape.buffer_bytes


@pytest.mark.parametrize("shape", CAUSAL, ids=lambda shape: shape.name)
def test_what_a_cache_keeps_of_a_position_is_what_the_plan_says(shape: LibraryShape) -> None:
    few = dataclasses.replace(shape, layers=2)
    config = getattr(transformers, few.config_class)(**few.library_settings())
    with torch.device("meta"):
        model = getattr(transformers, few.model_class)(config).eval()
        cache = transformers.DynamicCache(config=config)
        model(torch.zeros(3, 5, dtype=torch.int64), past_key_values=cache, use_cache=True)
    layers: Any = cache.layers
    kept = sum(layer.keys.nbytes + layer.values.nbytes for layer in layers)
    assert kept == 3 * 5 * 2 * few.layers * few.cached_dim * 4


def test_a_projected_embedding_is_worked_out_both_ways() -> None:
    plain, narrow = find_shape("nano-opt"), find_shape("nano-opt-350m")
    assert narrow.flop_per_token - plain.flop_per_token == 2 * 64 * 128
    assert narrow.flop_per_logit_row == 2 * 64 * (32_000 + 128)


def test_every_second_layer_of_a_gpt_neo_has_the_window() -> None:
    shape = find_shape("gpt-neo-2.7b")
    assert (shape.window, shape.windowed_layers, shape.layers) == (256, 16, 32)
    with pytest.raises(ValueError, match="`layers` must be even"):
        dataclasses.replace(shape, layers=3)


def test_what_falcon_reads_of_a_cache_is_less_than_what_the_newer_layout_keeps() -> None:
    older, newer = find_shape("falcon-7b"), find_shape("falcon-40b")
    assert older.kv_dim == older.cached_dim == 64
    assert (newer.kv_dim, newer.cached_dim) == (8 * 64, 8192)
    with pytest.raises(ValueError, match="`kv_heads` must divide the 128 heads"):
        FalconShape(name="odd", dim=8192, layers=60, heads=128, kv_heads=7)


# What of T5's matrices a prompt's token meets, and what an answer's, test_roofline.py sums by hand.
@pytest.mark.parametrize("shape", CAUSAL, ids=lambda shape: shape.name)
def test_a_token_costs_two_operations_of_each_weight_of_the_library_s_matrices(
    shape: LibraryShape,
) -> None:
    config = getattr(transformers, shape.config_class)(**shape.library_settings())
    with torch.device("meta"):
        model = getattr(transformers, shape.model_class)(config)
    tables = {shape.embedding, shape.position_table, "lm_head.weight"}
    matrices = {
        name: weight.numel()
        for name, weight in model.named_parameters()
        if weight.dim() == 2 and name not in tables
    }
    out = sum(count for name, count in matrices.items() if "project_out" in name)
    assert shape.flop_per_token == 2 * (sum(matrices.values()) - out)
    assert shape.flop_per_logit_row == 2 * (model.get_output_embeddings().weight.numel() + out)
