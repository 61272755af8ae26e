"""The library's layers on our weights answer as our own, alone or padded."""

import copy
import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from telemetry.record.files import read_json
from telemetry.record.spec import RunSpec
from tests.support.attempts import make_attempt, make_spec
from tests.support.engines import logits_of, open_for
from tests.support.fake_group import pretended_peers
from tests.support.ranks import make_rank
from workers.checkpoints.files import find_files
from workers.checkpoints.reader import Checkpoint
from workers.engines.base.engine import PhasedEngine
from workers.engines.base.generation import Generation
from workers.engines.transformers.engine import TransformersEngine
from workers.models.random_weights import RandomWeights
from workers.planning.arithmetic import arithmetic_of
from workers.planning.engine_facts import engine_facts
from workers.planning.families import find_shape
from workers.run import run_rank

CPU = torch.device("cpu")
OURS = ("nano", "nano-llama-3.2", "nano-mistral")
THEIRS = (
    *("nano-gpt2", "nano-opt", "nano-opt-350m", "nano-bloom", "nano-gptj", "nano-gptneo"),
    *("nano-falcon", "nano-falcon-40b"),
)
MODELS = (*OURS, *THEIRS)
PROMPTS = ([1, 7, 5, 3], [1, 9], [1, 8, 4, 4, 6, 2, 11])


@pytest.fixture
def one_rank() -> Iterator[None]:
    """A group of this process alone."""
    with pretended_peers(1):
        yield


def work(spec: RunSpec, model: str = "nano", **changes: Any) -> RunSpec:
    """Greedy fp32 work for one rank of engine `transformers`."""
    told: dict[str, Any] = {
        "model": model,
        "engine": "transformers",
        "dtype": "fp32",
        "temperature": 0.0,
    }
    whole = {**told, "ignore_eos": True, "max_gen_len": 6, "max_prompt_len": 16, **changes}
    return make_spec(spec, **whole)


def answers(spec: RunSpec, prompts: Sequence[list[int]], **changes: Any) -> Generation:
    return answered(open_for(spec, CPU, **changes), prompts)


def answered(engine: PhasedEngine, prompts: Sequence[list[int]]) -> Generation:
    with torch.inference_mode():
        engine.prefill(prompts, 3)
        return engine.decode()


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", OURS)
def test_logits_are_those_of_reference(spec: RunSpec, model: str) -> None:
    mine = work(spec, model)
    theirs = dataclasses.replace(mine, engine="reference")
    ours, reference = (logits_of(open_for(one, CPU)) for one in (mine, theirs))
    ids = torch.tensor([PROMPTS[2], PROMPTS[2][::-1]])
    with torch.inference_mode():
        for at, end in ((0, 4), (4, 5), (5, 7)):
            expected = reference(ids[:, at:end], at)
            torch.testing.assert_close(ours(ids[:, at:end], at), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", MODELS)
def test_a_prompt_is_answered_alike_alone_and_padded(spec: RunSpec, model: str) -> None:
    engine = open_for(work(spec, model), CPU)
    together = answered(engine, PROMPTS)
    assert together.ids == [answered(engine, [prompt]).ids[0] for prompt in PROMPTS]
    assert together.first_steps == [0, 0, 0]
    assert together.step_us is not None
    assert len(together.step_us) == 6


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", MODELS)
def test_the_bytes_that_a_step_reads_are_the_formulas(spec: RunSpec, model: str) -> None:
    mine = work(spec, model)
    assert open_for(mine, CPU).weight_bytes == arithmetic_of(mine).weight_bytes_per_step


class LivelyWeights(RandomWeights):
    """Biases that are not zero and norms that are not one, all large enough to matter."""

    def fill(self, name: str, weight: torch.Tensor) -> None:
        """Draw `weight` from its name alone."""
        super().fill(name, weight)
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        drawn = torch.randn(weight.shape, generator=generator)
        # A last bias as large as its matrix would answer everything alike.
        norm = weight.dim() == 1 and not name.endswith(".bias")
        weight.copy_(
            1.0 + 0.3 * drawn if norm else 0.1 * drawn if weight.dim() == 1 else 0.3 * drawn
        )


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", THEIRS)
def test_padded_prompts_are_answered_as_the_library_generates(spec: RunSpec, model: str) -> None:
    mine = work(spec, model)
    weights = LivelyWeights(find_shape(model), 1, rank=0, degree=1)
    engine = open_for(mine, CPU, weights=weights)
    assert isinstance(engine, TransformersEngine)
    padded = answered(engine, PROMPTS).ids
    for prompt, ids in zip(PROMPTS, padded, strict=True):
        whole = engine.library.generate(
            torch.tensor([prompt]), do_sample=False, max_new_tokens=6, pad_token_id=0
        )
        assert whole[0, len(prompt) :].tolist() == ids
    assert len(set(map(tuple, padded))) == len(PROMPTS)


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", THEIRS)
def test_logits_and_tables_are_those_of_a_model_that_the_library_made(
    spec: RunSpec, model: str
) -> None:
    shape = find_shape(model)
    lively = LivelyWeights(shape, 1, rank=0, degree=1)
    engine = open_for(work(spec, model), CPU, weights=lively)
    assert isinstance(engine, TransformersEngine)
    own = type(engine.library)(copy.deepcopy(engine.library.config)).eval()
    # Tables that no file holds are the library's own, to the bit.
    theirs = dict(own.named_buffers())
    assert theirs.keys() == dict(engine.library.named_buffers()).keys()
    for name, table in engine.library.named_buffers():
        assert table.dtype == theirs[name].dtype
        assert torch.equal(table, theirs[name]), name
    own.load_state_dict(engine.library.state_dict())
    ids = torch.tensor([PROMPTS[2], PROMPTS[2][::-1]])
    with torch.inference_mode():
        whole = own(ids).logits
        for at, end in ((0, 4), (4, 5), (5, 7)):
            mine = logits_of(engine)(ids[:, at:end], at)
            torch.testing.assert_close(mine, whole[:, end - 1], atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", THEIRS)
def test_a_checkpoint_that_the_library_saved_fills_it(
    spec: RunSpec, model: str, tmp_path: Path
) -> None:
    shape = find_shape(model)
    lively = LivelyWeights(shape, 1, rank=0, degree=1)
    saved = open_for(work(spec, model), CPU, weights=lively)
    assert isinstance(saved, TransformersEngine)
    saved.library.save_pretrained(tmp_path)
    read = Checkpoint(find_files(tmp_path), shape, rank=0, degree=1)
    again = open_for(work(spec, model), CPU, weights=read)
    assert answered(again, PROMPTS).ids == answered(saved, PROMPTS).ids


def test_rows_longer_than_the_table_of_positions_are_refused(spec: RunSpec) -> None:
    told = engine_facts("transformers").fault(work(spec, "nano-gpt2", max_prompt_len=251))
    assert told == (
        "`max_prompt_len` + `max_gen_len` must be at most the 256 positions of nano-gpt2, "
        "but is 251 + 6 = 257 instead"
    )


@pytest.mark.parametrize(
    ("model", "positions"),
    [
        *[("gpt2", 1024), ("opt-350m", 2048), ("opt-6.7b", 2048), ("gpt-j-6b", 2048)],
        *[("gpt-neo-2.7b", 2048), ("bloom-7b1", None), ("falcon-7b", None)],
    ],
)
def test_a_model_has_the_positions_of_its_tables(
    spec: RunSpec, model: str, positions: int | None
) -> None:
    def fault(longest: int) -> str | None:
        return engine_facts("transformers").fault(work(spec, model, max_prompt_len=longest - 6))

    if positions is None:
        assert fault(100_000) is None
        return
    assert fault(positions) is None
    assert fault(positions + 1) == (
        f"`max_prompt_len` + `max_gen_len` must be at most the {positions} positions of {model}, "
        f"but is {positions - 5} + 6 = {positions + 1} instead"
    )


@pytest.mark.parametrize(("model", "heads"), [("falcon-7b", 71), ("gpt2-xl", 25)])
@pytest.mark.parametrize("gpus", [2, 4, 8])
def test_heads_that_do_not_divide_are_said(model: str, heads: int, gpus: int) -> None:
    told = find_shape(model).parallel_fault(gpus)
    assert told == (
        f"`gpus` must divide the {heads} heads of {model}, but is {gpus} instead: "
        f"{heads} = {heads // gpus} x {gpus} + {heads % gpus}"
    )


def test_a_model_that_the_library_alone_has_is_not_for_reference(spec: RunSpec) -> None:
    told = engine_facts("reference").fault(work(spec, "gpt2", engine="reference"))
    assert told is not None
    assert told.endswith("with engine reference, but gpt2 is of gpt2 instead")


def test_a_node_without_the_library_is_told_what_brings_it() -> None:
    facts = dataclasses.replace(engine_facts("transformers"), needs="no_such_library")
    assert facts.lacking() == (
        "engine transformers: the package no_such_library must be installed, but is not; "
        "pip install 'joulegrid[no_such_library]', or '.[no_such_library]' in a checkout, brings it"
    )


@pytest.mark.usefixtures("one_rank")
def test_an_answer_is_cut_at_its_end_and_the_batch_with_the_last(spec: RunSpec) -> None:
    mine = work(spec)
    whole = answers(mine, PROMPTS[:1]).ids[0]
    cut = answers(work(spec, ignore_eos=False), PROMPTS[:1], eos_id=whole[2])
    assert cut.ids == [whole[: whole.index(whole[2])]]
    assert cut.ended == [True]
    assert cut.step_us is not None
    assert len(cut.step_us) == whole.index(whole[2]) + 1


@pytest.mark.usefixtures("one_rank")
def test_one_seed_draws_one_answer(spec: RunSpec) -> None:
    engine = open_for(work(spec, temperature=0.8, top_p=0.95), CPU)
    assert answered(engine, PROMPTS).ids == answered(engine, PROMPTS).ids


def test_it_shares_what_the_library_has_a_plan_for(spec: RunSpec) -> None:
    two: dict[str, Any] = {"gpus": 2, "gpus_per_node": 2}
    assert engine_facts("transformers").fault(work(spec, **two)) is None
    assert engine_facts("transformers").fault(work(spec, "nano-gpt2", **two)) == (
        "`gpus` must be 1 with engine transformers for nano-gpt2, as the library has no plan to "
        "share family gpt2, but is 2 instead"
    )


def test_a_whole_attempt_records_how_it_worked_and_its_logit_error(
    spec: RunSpec, tmp_path: Path
) -> None:
    mine = work(spec, dtype="bf16", batch_size=2, max_gen_len=4)
    results = tmp_path / "results"
    attempt, launch = make_attempt(results, mine, idle_s=0.0)
    run_rank(mine, launch, results, attempt, make_rank(0, 1))
    record = read_json(attempt.model)
    assert record["engine"]["name"] == "transformers"
    assert record["engine"]["phases"] == ["prefill", "decode"]
    assert 0.0 < record["logit_error"]["relative_rms"] < 0.05
