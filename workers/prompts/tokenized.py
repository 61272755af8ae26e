"""Tokenized: the run's prompts as token ids, cut to length and counted."""

from dataclasses import dataclass
from pathlib import Path

from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import RunPaths
from telemetry.record.spec import RunSpec
from workers.checkpoints.digests import RANDOM
from workers.planning.own_configs import shape_of
from workers.prompts.prompt_row import PromptRow
from workers.prompts.prompts_file import read_asked
from workers.prompts.synthetic import SYNTHETIC, fixed_prompts
from workers.tokenizers.tokenizer import Tokenizer, load


@dataclass(frozen=True, kw_only=True)
class TokenizedPrompts:
    """All that a run is asked, and the tokenizer that says how."""

    ids: list[list[int]]
    """Token ids of each prompt with its begin-of-sequence, at most `max_prompt_len` of them."""
    cut: int
    """Prompts that were longer."""
    asked: list[PromptRow]
    """Each prompt's text, and what its data set holds for right and wrong."""
    tokenizer: Tokenizer
    """Made the ids, and turns those of answers into text."""


def tokenize_prompts(spec: RunSpec, launch: LaunchConfig, results: Path) -> TokenizedPrompts:
    """Read and tokenize the run's prompts.

    Raises:
        ValueError: the prompts or the tokenizer are not those of the spec.
    """
    path = None if launch.tokenizer_path is None else Path(launch.tokenizer_path)
    tokenizer = load(path)
    if tokenizer.name != spec.tokenizer:
        raise ValueError(
            f"`tokenizer` must be {spec.tokenizer} as in the spec, but is {tokenizer.name} instead"
        )
    vocab = shape_of(spec).vocab
    # Random weights know no ids: any that the model has will do.
    fits = tokenizer.vocab_size <= vocab if spec.weights == RANDOM else False
    if tokenizer.vocab_size != vocab and not fits:
        at_most = "at most " if spec.weights == RANDOM else ""
        raise ValueError(
            f"`tokenizer` must have {at_most}{vocab} ids as {spec.model} has, "
            f"but {tokenizer.name} has {tokenizer.vocab_size} instead"
        )
    run = RunPaths(results=results, run_id=spec.run_id)
    asked = read_asked(run.prompts(launch.prompts_sha256), launch.prompts_sha256)
    texts = [one.text for one in asked]
    if len(texts) != spec.prompts:
        raise ValueError(
            f"`prompts` must be {spec.prompts} as in the spec, but are {len(texts)} instead"
        )
    if spec.dataset == SYNTHETIC and texts != fixed_prompts(
        spec.prompts, words=spec.max_prompt_len, seed=spec.seed
    ):
        raise ValueError(
            f"`prompts` must be those that {SYNTHETIC} makes of the spec's seed and "
            "max_prompt_len, but are others instead"
        )
    whole = [tokenizer.encode(text) for text in texts]
    shortest = min(map(len, whole))
    if spec.dataset == SYNTHETIC and shortest < spec.max_prompt_len:
        raise ValueError(
            f"`prompts` must each have {spec.max_prompt_len} tokens as {SYNTHETIC} promises, "
            f"but one has {shortest} under {tokenizer.name} instead"
        )
    return TokenizedPrompts(
        ids=[ids[: spec.max_prompt_len] for ids in whole],
        cut=sum(len(ids) > spec.max_prompt_len for ids in whole),
        asked=asked,
        tokenizer=tokenizer,
    )
