"""Synthetic prompts have one length and say so in their name; nothing else hangs on them."""

import dataclasses
from pathlib import Path

import pytest

from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import RunPaths, prompts_folder
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from workers.prompts import selection as prompts
from workers.prompts import source as sources
from workers.prompts.synthetic import fixed_prompts
from workers.prompts.tokenized import tokenize_prompts
from workers.tokenizers.tokenizer import load


def identify(tmp_path: Path, prompt_len: int, **changes: object) -> sources.PromptSource:
    given = {"source": "auto", "path": None, "columns": None, "local": True, **changes}
    return sources.identify("fixed", cache=tmp_path, prompt_len=prompt_len, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("prompt_len", [1, 31, 128, 2048])
def test_every_prompt_has_exactly_the_tokens_asked_for(tmp_path: Path, prompt_len: int) -> None:
    tokenizer = load(None)
    spec = RunSpec.from_mapping(
        {
            **SPEC,
            "dataset": "fixed-synthetic",
            "tokenizer": tokenizer.name,
            "prompts": 3,
            "max_prompt_len": prompt_len,
        }
    )
    selection = prompts.select(identify(tmp_path, prompt_len), prompts=3, seed=spec.seed)
    sha256, _ = prompts.write_prompts(selection, prompts_folder(tmp_path))
    launch = LaunchConfig(
        device="cpu",
        threads=1,
        prompts_sha256=sha256,
        tokenizer_path=None,
        telemetry="host",
        period_ms=100,
        idle_s=0.0,
        warmup_batches=0,
    )
    questions = tokenize_prompts(spec, launch, tmp_path)
    assert [len(ids) for ids in questions.ids] == [prompt_len] * 3
    assert RunPaths(results=tmp_path, run_id=spec.run_id).prompts(sha256).is_file()
    other = dataclasses.replace(spec, seed=spec.seed + 1)
    with pytest.raises(ValueError, match="must be those that fixed-synthetic makes of the spec's"):
        tokenize_prompts(other, launch, tmp_path)


def test_the_record_s_name_says_that_they_are_synthetic(tmp_path: Path) -> None:
    source = identify(tmp_path, 128)
    assert source.dataset == "fixed-synthetic"
    origin = prompts.select(source, prompts=1, seed=1).origin
    assert origin["kind"] == "synthetic"
    assert "SHA-256" in origin["rule"]


def test_texts_hang_on_the_seed_and_the_row_alone() -> None:
    few, many = fixed_prompts(2, words=40, seed=1), fixed_prompts(5, words=40, seed=1)
    assert many[:2] == few
    assert len({*many, *fixed_prompts(5, words=40, seed=2)}) == 10
    assert [text[:20] for text in fixed_prompts(2, words=90, seed=1)] == [t[:20] for t in few]


def test_a_known_text_stays_as_it_is() -> None:
    assert fixed_prompts(1, words=4, seed=1) == ["frost mist fern flint"]


@pytest.mark.parametrize(
    "changes", [{"source": "hub"}, {"path": Path("a.jsonl")}, {"columns": ["text"]}]
)
def test_what_is_made_up_comes_from_no_file_and_no_hub(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"must be .* for 'fixed', whose prompts are made up"):
        identify(tmp_path, 128, **changes)


def test_no_other_corpus_is_made_up(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`dataset\.source` must be one of auto, hub, file"):
        sources.identify(
            "gsm8k", source="synthetic", path=None, columns=None, cache=tmp_path, local=True
        )
