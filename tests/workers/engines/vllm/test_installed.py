"""The library itself, by its build for CPUs, answers as the others do; by hand: pytest -m vllm."""

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch._C._distributed_c10d import HashStore

from telemetry.record.spec import RunSpec
from tests.support.attempts import make_spec
from tests.support.engines import open_context
from workers.engines.registry import open_engine
from workers.models.llama.shape import SHAPES
from workers.planning.engine_facts import engine_facts

pytestmark = pytest.mark.vllm

CPU = torch.device("cpu")
PROMPTS = ([5, 6, 7, 8], [9] * 20, [100, 200, 300], [17] * 7)
# Its attention on CPUs has no heads as narrow as ours of nano are.
WIDER = {"nano": 8, "nano-llama-3.2": 2}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    assert engine_facts("vllm").lacking() is None
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    # Its own groups stand on ours.
    if dist.is_initialized():
        dist.destroy_process_group()


@pytest.mark.parametrize("model", WIDER)
def test_its_batches_and_its_served_load_are_answered_as_transformers_answers(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    shape = dataclasses.replace(SHAPES[model], heads=8, kv_heads=WIDER[model])
    monkeypatch.setitem(SHAPES, model, shape)
    sizes: dict[str, Any] = {"max_gen_len": 12, "max_prompt_len": 24, "batch_size": 4}
    told = {"engine": "vllm", "dtype": "fp32", "temperature": 0.0, "ignore_eos": True}
    mine = make_spec(spec, model=model, **told, **sizes)
    theirs: Any = open_engine(open_context(dataclasses.replace(mine, engine="transformers"), CPU))
    with torch.inference_mode():
        theirs.prefill(PROMPTS, 3)
        expected = theirs.decode().ids
    ours: Any = open_engine(open_context(mine, CPU))
    try:
        assert ours.weight_bytes == theirs.weight_bytes
        assert ours.answer(PROMPTS, 3).ids == expected
        served = ours.serve(PROMPTS, 3, [0, 100_000, 400_000, 400_001], lambda number: number)
        assert served.ids == expected
        assert served.requests.sent_us[2] >= 400_000
    finally:
        ours.close()
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
