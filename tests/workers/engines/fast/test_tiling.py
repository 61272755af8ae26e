"""Blocks fit every product that a real model has, at every degree that can split it."""

import dataclasses
from collections.abc import Iterable, Iterator

import pytest

from workers.engines.fast.tiling import (
    LEAST_GROUP,
    LEAST_INPUTS,
    LOGITS,
    PLAIN,
    QKV,
    RESIDUAL,
    SWIGLU,
    Product,
    Tiling,
    tiling,
)
from workers.models.llama.shape import SHAPES, LlamaShape
from workers.planning.weight_formats import block_inputs, group_size

REAL = ("7b", "13b", "30b", "65b", "llama-3.2-1b", "llama-3.2-3b", "mistral-7b-v0.1")
# A multiprocessor's shared memory that one program may have, compute capability 9.0 (CUDA C++
# Programming Guide, table of technical specifications).
SHARED_BYTES = 227 * 1024
ROWS = range(1, 65)
# Quantized weights have kernels for any number of rows.
MORE_ROWS = (*range(1, 65, 7), 64, 65, 128, 129, 256, 511)


def degrees(shape: LlamaShape) -> list[int]:
    """Powers of two, as ranks of a node come, that split a model."""
    return [degree for degree in (1, 2, 4, 8, 16, 32) if shape.parallel_fault(degree) is None]


def products(model: str, bits: int, rows: int) -> Iterator[tuple[str, Product]]:
    """Every product of a step that the kernels do, at every degree, with a name for it."""
    shape = SHAPES[model]
    for degree in degrees(shape):
        added = RESIDUAL if degree == 1 else PLAIN
        width, kept, ffn = (size // degree for size in (shape.dim, shape.kv_dim, shape.ffn))
        kinds = [
            ("qkv", QKV, width + 2 * kept, shape.dim),
            ("wo", added, shape.dim, width),
            ("gate and up", SWIGLU, ffn, shape.dim),
            ("down", added, shape.dim, ffn),
        ]
        for name, epilogue, outputs, inputs in kinds:
            group = group_size(inputs) if bits == 4 else 0
            # Such a matrix goes by separate kernels, as `fast_fused.unfit` says.
            if inputs % LEAST_INPUTS or (bits == 4 and group < LEAST_GROUP):
                continue
            yield (
                f"{model} on {degree}, {rows} rows, {bits} bits: {name}",
                Product(
                    rows=rows,
                    outputs=outputs,
                    inputs=inputs,
                    epilogue=epilogue,
                    bits=bits,
                    group=group,
                    queries=width if epilogue == QKV else 0,
                ),
            )
        # The output head is never quantized.
        head = Product(
            rows=rows,
            outputs=shape.vocab // degree,
            inputs=shape.dim,
            epilogue=LOGITS,
            bits=16,
            group=0,
        )
        yield f"{model} on {degree}, {rows} rows: head", head


def planned(
    model: str, bits: int, rows: Iterable[int] = ROWS
) -> Iterator[tuple[str, Product, Tiling]]:
    for count in rows:
        for name, product in products(model, bits, count):
            yield name, product, tiling(product)


every_model = pytest.mark.parametrize("model", REAL)
every_width = pytest.mark.parametrize("bits", [16, 8, 4])


@every_model
@every_width
def test_blocks_cover_all_outputs_and_all_rows(model: str, bits: int) -> None:
    for name, product, plan in planned(model, bits):
        tiles, above = plan.programs(product)
        assert (tiles - 1) * plan.outputs < product.outputs <= tiles * plan.outputs, name
        assert (above - 1) * plan.rows < product.rows <= above * plan.rows, name


@every_model
@every_width
def test_whole_blocks_of_inputs_make_a_row(model: str, bits: int) -> None:
    for name, product, plan in planned(model, bits, ROWS[1:]):
        # Beyond the end, Hopper's copy unit gives zeros.
        assert product.inputs % LEAST_INPUTS == 0, name
        if product.bits == 16:
            assert plan.inputs in {LEAST_INPUTS, 2 * LEAST_INPUTS}, name
        else:
            # 64 words, whose row is whole blocks of them.
            assert plan.inputs == block_inputs(product.bits), name


@every_model
@every_width
def test_no_block_straddles_queries_keys_and_values(model: str, bits: int) -> None:
    for name, product, plan in planned(model, bits):
        if product.epilogue == QKV:
            kept = (product.outputs - product.queries) // 2
            assert product.queries % plan.outputs == kept % plan.outputs == 0, name


@every_model
@every_width
def test_blocks_in_flight_fit_shared_memory(model: str, bits: int) -> None:
    for name, product, plan in planned(model, bits, MORE_ROWS):
        if product.bits == 16 and product.rows == 1:
            continue
        matrices = 2 if product.epilogue == SWIGLU else 1
        weights = matrices * plan.outputs * plan.inputs * product.bits // 8
        inputs = 2 * plan.rows * plan.inputs
        assert plan.stages * (weights + inputs) <= SHARED_BYTES, name


@every_model
@every_width
def test_no_program_is_without_a_block_of_inputs(model: str, bits: int) -> None:
    # The widening kernel relies on it: with no block, its compiler's assumption would be false.
    for name, product, plan in planned(model, bits, MORE_ROWS):
        if product.bits == 16 and product.rows == 1:
            continue
        blocks = -(-product.inputs // plan.inputs)
        assert 1 <= plan.splits <= blocks, name


@every_model
def test_a_single_row_of_16_bits_is_not_split(model: str) -> None:
    for name, _, plan in planned(model, 16, range(1, 2)):
        assert (plan.rows, plan.splits) == (1, 1), name


@every_model
@every_width
def test_blocks_are_powers_of_two_as_the_kernels_need(model: str, bits: int) -> None:
    for name, _, plan in planned(model, bits):
        for size in (plan.rows, plan.outputs, plan.inputs):
            assert size.bit_count() == 1, name


def test_every_real_model_splits_over_more_than_one_rank() -> None:
    # What the other tests would say nothing of.
    assert {model: degrees(SHAPES[model])[-1] for model in REAL} == {
        "7b": 32,
        "13b": 8,
        "30b": 4,
        "65b": 32,
        "llama-3.2-1b": 8,
        "llama-3.2-3b": 8,
        "mistral-7b-v0.1": 8,
    }


def test_rules_hang_on_a_product_alone() -> None:
    (_, product), *_ = products("7b", 16, 8)
    assert tiling(product) == tiling(dataclasses.replace(product))


@every_model
@every_width
def test_weights_are_the_left_operand_only_in_blocks_that_fill_it(model: str, bits: int) -> None:
    # The matrix unit's left operand has 64 rows on Hopper; fewer would be padded, at full price.
    plans = [(name, plan) for name, product, plan in planned(model, bits) if product.rows > 1]
    assert any(plan.left for _, plan in plans)
    for name, plan in plans:
        assert not plan.left or plan.outputs % 64 == 0, name


@every_model
def test_fp8_s_blocks_fit_every_product_and_shared_memory(model: str) -> None:
    for rows in ROWS[1:]:
        for name, whole in products(model, 16, rows):
            if whole.epilogue == LOGITS:
                continue
            product = dataclasses.replace(whole, bits=8, rounds_inputs=True)
            plan = tiling(product)
            tiles, _ = plan.programs(product)
            assert (tiles - 1) * plan.outputs < product.outputs <= tiles * plan.outputs, name
            assert product.whole % plan.outputs == 0, name
            assert 1 <= plan.splits <= -(-product.inputs // plan.inputs), name
            # As many bytes of a row as fp16 takes.
            assert plan.inputs == 2 * tiling(whole).inputs, name
            matrices = 2 if product.epilogue == SWIGLU else 1
            stage = (matrices * plan.outputs + plan.rows) * plan.inputs
            assert plan.stages * stage <= SHARED_BYTES, name
