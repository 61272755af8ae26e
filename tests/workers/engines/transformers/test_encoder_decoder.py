"""An encoder and a decoder of the library answer as its own `generate`, alone or padded."""

import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from telemetry.record.files import read_json
from telemetry.record.spec import RunSpec
from tests.support.attempts import TEXTS, make_attempt, make_spec
from tests.support.engines import open_for
from tests.support.fake_group import pretended_peers
from tests.support.ranks import make_rank
from tests.workers.distributed.test_rank import read_shard
from workers.checkpoints.files import find_files
from workers.checkpoints.reader import Checkpoint
from workers.engines.base.generation import Generation
from workers.engines.transformers.encoder_decoder import EncoderDecoderEngine
from workers.models.random_weights import RandomWeights
from workers.planning.arithmetic import arithmetic_of
from workers.planning.engine_facts import engine_facts
from workers.planning.families import find_shape
from workers.run import run_rank

CPU = torch.device("cpu")
MODELS = ("nano-t5", "nano-flan-t5")
PROMPTS = ([4, 7, 5, 3], [4, 9], [4, 8, 4, 4, 6, 2, 11, 31, 6])
# More answers than one: a decoder that did not look at what was encoded would give one to all.
NEW = 7


@pytest.fixture
def one_rank() -> Iterator[None]:
    """A group of this process alone."""
    with pretended_peers(1):
        yield


def work(spec: RunSpec, model: str = "nano-t5", **changes: Any) -> RunSpec:
    """Greedy fp32 work for one rank."""
    told: dict[str, Any] = {"model": model, "engine": "transformers", "dtype": "fp32"}
    told |= {"temperature": 0.0, "ignore_eos": True, "max_gen_len": NEW, "max_prompt_len": 16}
    return make_spec(spec, **{**told, **changes})


class LivelyWeights(RandomWeights):
    """Norms that are not one, and numbers of distances and layers large enough to matter.

    A token's own row of a tied table is else what it is likeliest to be followed by.
    """

    def fill(self, name: str, weight: torch.Tensor) -> None:
        """Draw as ever, but for those."""
        super().fill(name, weight)
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        if weight.dim() == 1:
            weight.copy_(1.0 + 0.5 * torch.rand(weight.shape, generator=generator))
        if "relative" in name:
            weight.copy_(torch.randn(weight.shape, generator=generator))
        if name == "shared.weight":
            weight.mul_(0.05)


def lively(spec: RunSpec, **changes: Any) -> EncoderDecoderEngine:
    weights = LivelyWeights(find_shape(spec.model), 1, rank=0, degree=1)
    engine = open_for(spec, CPU, weights=weights, **changes)
    assert isinstance(engine, EncoderDecoderEngine)
    return engine


def answered(engine: EncoderDecoderEngine, prompts: Sequence[Sequence[int]]) -> Generation:
    with torch.inference_mode():
        engine.encode(prompts)
        engine.prefill(prompts, 3)
        return engine.decode()


def generated(engine: EncoderDecoderEngine, prompts: Sequence[list[int]], **more: Any) -> Any:
    """The library's own greedy answers to prompts padded together, without the start token."""
    longest = max(map(len, prompts))
    ids = torch.tensor([prompt + [0] * (longest - len(prompt)) for prompt in prompts])
    mask = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in prompts])
    told = {"max_new_tokens": NEW, "pad_token_id": 0, "decoder_start_token_id": 0, **more}
    return engine.library.generate(ids, attention_mask=mask, do_sample=False, **told)[:, 1:]


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", MODELS)
def test_padded_prompts_are_answered_as_the_library_generates(spec: RunSpec, model: str) -> None:
    engine = lively(work(spec, model))
    padded = answered(engine, PROMPTS)
    assert padded.ids == generated(engine, PROMPTS).tolist()
    assert padded.ids == [generated(engine, [prompt])[0].tolist() for prompt in PROMPTS]
    assert len(set(map(tuple, padded.ids))) == len(PROMPTS)
    assert max(len(set(ids)) for ids in padded.ids) > NEW // 2


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", MODELS)
def test_a_prompt_is_answered_alike_alone_and_padded(spec: RunSpec, model: str) -> None:
    engine = lively(work(spec, model))
    together = answered(engine, PROMPTS)
    assert together.ids == [answered(engine, [prompt]).ids[0] for prompt in PROMPTS]
    assert together.first_steps == [0, 0, 0]
    assert together.step_us is not None
    assert len(together.step_us) == NEW


@pytest.mark.usefixtures("one_rank")
def test_an_answer_ends_where_the_library_s_does(spec: RunSpec) -> None:
    engine = lively(work(spec))
    whole = answered(engine, PROMPTS[:1]).ids[0]
    at = next(place for place, one in enumerate(whole) if place and one not in whole[:place])
    cut = lively(work(spec, ignore_eos=False), eos_id=whole[at])
    answer = answered(cut, PROMPTS[:1])
    assert (answer.ids, answer.ended) == ([whole[:at]], [True])
    theirs = generated(engine, PROMPTS[:1], eos_token_id=whole[at])[0].tolist()
    assert theirs == [*answer.ids[0], whole[at]]


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", MODELS)
def test_the_bytes_that_a_step_reads_are_the_formulas(spec: RunSpec, model: str) -> None:
    mine = work(spec, model)
    assert open_for(mine, CPU).weight_bytes == arithmetic_of(mine).weight_bytes_per_step


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", MODELS)
def test_encoder_decoder_and_what_makes_keys_are_all_the_matrices(
    spec: RunSpec, model: str
) -> None:
    mine = work(spec, model)
    shape, told = find_shape(model), arithmetic_of(mine)
    assert told.encoder is not None
    assert told.weight_bytes_per_step is not None
    read = told.weight_bytes_per_step + told.encoder.weight_bytes + told.encoder.crossing_bytes
    table = 0 if shape.tied else shape.vocab * shape.dim
    assert read == 4 * (shape.params - table - shape.position_params)


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", MODELS)
def test_a_checkpoint_that_the_library_saved_fills_it(
    spec: RunSpec, model: str, tmp_path: Path
) -> None:
    saved = lively(work(spec, model))
    saved.library.save_pretrained(tmp_path)
    shape = find_shape(model)
    read = Checkpoint(find_files(tmp_path), shape, rank=0, degree=1)
    again = open_for(work(spec, model), CPU, weights=read)
    assert isinstance(again, EncoderDecoderEngine)
    assert answered(again, PROMPTS).ids == answered(saved, PROMPTS).ids


@pytest.mark.usefixtures("one_rank")
def test_first_tokens_of_prompts_that_were_not_encoded_are_refused(spec: RunSpec) -> None:
    engine = lively(work(spec))
    with pytest.raises(RuntimeError, match="3 prompts must be encoded before"):
        engine.prefill(PROMPTS, 3)
    with pytest.raises(ValueError, match="from 1 to 16 tokens"):
        engine.encode([[1] * 17])


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_engines_of_ours_name_the_one_that_takes_it(spec: RunSpec, engine: str) -> None:
    told = engine_facts(engine).fault(work(spec, "t5-3b", engine=engine))
    assert told == (
        f"`engine` must be transformers for t5-3b, an encoder-decoder, but is {engine} instead"
    )


def test_what_it_is_not_made_for_is_one_clear_line(spec: RunSpec) -> None:
    facts = engine_facts("transformers")
    assert find_shape("t5-3b").parallel_fault(2) == (
        "`gpus` must be 1 for t5-3b, an encoder-decoder that no engine shares, but is 2 instead"
    )
    assert facts.fault(work(spec, "t5-3b", quantization="int8")) == (
        "`quantization` must be none with engine transformers, which takes weights as they are, "
        "but is int8 instead"
    )
    # Distances beyond the farthest are alike: no table ends a row.
    assert facts.fault(work(spec, "t5-3b", max_prompt_len=4096, max_gen_len=2048)) is None


def test_a_whole_attempt_has_its_encoder_apart(spec: RunSpec, tmp_path: Path) -> None:
    mine = work(spec, dtype="bf16", batch_size=2, max_prompt_len=24)
    results = tmp_path / "results"
    attempt, launch = make_attempt(results, mine, idle_s=0.0)
    run_rank(mine, launch, results, attempt, make_rank(0, 1))
    record = read_json(attempt.model)
    assert record["engine"]["phases"] == ["encode", "prefill", "decode"]
    assert record["arithmetic"]["encoder"] == dataclasses.asdict(arithmetic_of(mine))["encoder"]
    assert record["logit_error"]["reason"].startswith("family t5 has no layers of ours")
    spans = read_shard(attempt.rank_shard("spans", 0)).to_pylist()
    batches = [(span["phase"], span["batch"]) for span in spans if (span["batch"] or 0) >= 0]
    told = [one for one in batches if one[0] in ("encode", "prefill", "decode")]
    assert told == [(p, b) for b in range(3) for p in ("encode", "prefill", "decode")]
    answers = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    assert len(answers) == len(TEXTS)
    for name, phase in (("prompt_tokens", "encode"), ("generated_tokens", "decode")):
        counted = sum(span[name] for span in spans if span["phase"] == phase)
        assert counted == sum(row[name] for row in answers) > 0
        assert counted == sum(span[name] for span in spans)
