"""The library's static cache and its compiled step choose the tokens of its eager loop."""

import dataclasses
import shutil
from collections.abc import Iterator

import pytest
import transformers

from telemetry.clock import US_PER_S, monotonic_us
from telemetry.record.spec import RunSpec
from tests.support.engines import LAUNCH, open_for
from tests.support.fake_group import pretended_peers
from tests.workers.engines.transformers.test_engine import CPU, MODELS, PROMPTS, answered, work
from workers.engines.transformers.static import StaticEngine
from workers.models.library.shape import LibraryShape
from workers.models.llama.shape import SHAPES
from workers.planning.engine_facts import engine_facts
from workers.planning.families import FAMILIES, LIBRARY_FAMILIES, find_shape
from workers.planning.library_ways import NO_STATIC
from workers.planning.memory import estimate

STATIC = [one for one in MODELS if find_shape(one).family not in NO_STATIC]
WAYS = ("transformers", "transformers-static", "transformers-compiled")


@pytest.fixture(autouse=True)
def one_rank() -> Iterator[None]:
    """A group of this process alone."""
    with pretended_peers(1):
        yield


@pytest.mark.parametrize("model", STATIC)
def test_a_static_cache_answers_as_the_growing_one(spec: RunSpec, model: str) -> None:
    eager, static = (open_for(work(spec, model, engine=way), CPU) for way in WAYS[:2])
    # The smaller batch and the first again: a cache is emptied before it serves once more.
    for prompts in (PROMPTS, PROMPTS[1:], PROMPTS):
        assert answered(static, prompts).ids == answered(eager, prompts).ids


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_the_compiled_step_answers_as_the_eager_one(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of one layer, as compiling takes seconds a layer.
    model = "nano-llama-3.2"
    monkeypatch.setitem(SHAPES, model, dataclasses.replace(SHAPES[model], layers=1))
    eager, compiled = (open_for(work(spec, model, engine=WAYS[at]), CPU) for at in (0, 2))
    began_us = monotonic_us()
    for _ in range(2):
        assert answered(compiled, PROMPTS).ids == answered(eager, PROMPTS).ids
    told = compiled.describe()
    # Once, in the batch that is thrown away to warm up.
    assert [one["rows"] for one in told["compile"]["compilations"]] == [len(PROMPTS)]
    (made,) = told["compile"]["compilations"]
    assert began_us <= made["began_us"] < made["ended_us"] <= monotonic_us()
    assert made["seconds"] == (made["ended_us"] - made["began_us"]) / US_PER_S
    assert (told["name"], told["compile"]["mode"]) == (WAYS[2], "reduce-overhead")


@pytest.mark.parametrize("model", ["nano", "nano-mistral", "nano-gpt2"])
def test_the_caches_are_as_large_as_planned(spec: RunSpec, model: str) -> None:
    mine = work(spec, model, engine=WAYS[1], prompts=5, batch_size=3)
    engine = open_for(mine, CPU)
    assert isinstance(engine, StaticEngine)
    for size in (3, 2):
        answered(engine, PROMPTS[:size])
    caches = engine._caches.values()
    held = sum(layer.keys.nbytes + layer.values.nbytes for one in caches for layer in one.layers)
    assert held == estimate(mine).kv_cache_bytes


def test_a_step_that_would_be_compiled_again_is_refused(spec: RunSpec) -> None:
    told = engine_facts(WAYS[2]).fault(work(spec, "nano-mistral", engine=WAYS[2]))
    assert told == (
        "`max_prompt_len` + `max_gen_len` must be at most the window of 7 positions of "
        "nano-mistral with engine transformers-compiled, whose step would be compiled again where "
        "it is left, but is 16 + 6 = 22 instead"
    )


def test_a_launch_without_warm_up_is_refused_where_steps_are_compiled(spec: RunSpec) -> None:
    cold, warm = (dataclasses.replace(LAUNCH, warmup_batches=count) for count in (0, 1))
    mine = work(spec, "nano", engine=WAYS[2])
    assert engine_facts(WAYS[2]).fault(mine, cold) == (
        "`warmup_batches` must be at least 1 with engine transformers-compiled, which would "
        "compile its steps in the measured window, but is 0 instead"
    )
    assert engine_facts(WAYS[2]).fault(mine, warm) is None
    assert engine_facts(WAYS[1]).fault(work(spec, "nano", engine=WAYS[1]), cold) is None


def test_a_node_without_a_compiler_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert engine_facts(WAYS[1]).lacking() is None
    assert engine_facts(WAYS[2]).lacking() == (
        "engine transformers-compiled: a C++ compiler must be there to compile its steps, but "
        "there is no no-such-compiler; install g++, or name one by CXX"
    )


@pytest.mark.parametrize("family", LIBRARY_FAMILIES)
def test_the_library_offers_what_the_plan_says(family: str) -> None:
    shape = next(iter(FAMILIES[family].shapes.values()))
    assert isinstance(shape, LibraryShape)
    made = getattr(transformers, shape.model_class)
    assert made._can_compile_fullgraph == (family not in NO_STATIC)
