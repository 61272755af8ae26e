"""A third engine comes in by one file and one entry point, and nothing else is touched."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.config.command_line import read_points
from launcher.config.errors import BadInputError
from launcher.config.listing import group_options
from launcher.plan.check import check
from launcher.plan.grid import Verdict
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from tests.support.attempts import TEXTS, make_attempt, make_spec
from tests.support.plugins import install
from tests.support.ranks import make_rank
from tests.workers.distributed.test_rank import read_shard
from workers.planning import engine_facts
from workers.planning.engine_facts import EngineFacts
from workers.planning.memory import estimate
from workers.run import run_rank


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each test looks anew at what is installed."""
    engine_facts._installed.cache_clear()
    yield
    engine_facts._installed.cache_clear()
    sys.modules.pop("toy_engine", None)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineFacts:
    """The facts of an engine that an installed package offers."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    return engine_facts.engine_facts("toy")


@pytest.fixture
def answered(toy: EngineFacts, spec: RunSpec, tmp_path: Path) -> AttemptPaths:
    """A whole attempt of it by one rank."""
    work = make_spec(spec, engine=toy.name, batch_size=2, max_gen_len=4)
    attempt, launch = make_attempt(tmp_path / "results", work, idle_s=0.0)
    run_rank(work, launch, tmp_path / "results", attempt, make_rank(0, 1))
    return attempt


def test_its_name_is_an_option_and_its_points_are_planned(toy: EngineFacts, tmp_path: Path) -> None:
    named = ["transformers", "transformers-compiled", "transformers-static"]
    assert group_options("engine") == ["auto", "fast", "reference", "toy", *named, "vllm"]
    words = (
        f"results={tmp_path / 'results'}",
        "cluster=h200",
        "engine=toy,reference",
        "quantization=none,int8",
    )
    grid = check(read_points(words))
    planned = {(e.spec.engine, e.spec.quantization): e for e in grid.points}
    assert planned["toy", "none"].verdict is Verdict.RUN
    assert planned["toy", "none"].memory == estimate(planned["toy", "none"].spec)
    assert planned["toy", "int8"].verdict is Verdict.ILLEGAL
    assert "with engine toy" in str(planned["toy", "int8"].reason)


def test_it_is_a_run_of_its_own(toy: EngineFacts, spec: RunSpec) -> None:
    assert dataclasses.replace(spec, engine=toy.name).run_id != spec.run_id


def test_the_record_says_how_it_worked_and_why_its_logits_are_not_compared(
    answered: AttemptPaths,
) -> None:
    record = read_json(answered.model)
    assert record["engine"] == {"name": "toy", "kernels": "none", "phases": ["answer"]}
    assert record["logit_error"]["relative_rms"] is None
    assert record["logit_error"]["reason"] == "engine toy does not tell the logits of its weights"
    assert record["shape"]["weight_bytes_per_step"] is None
    assert record["warmup"]["batches"] >= 1


def test_a_batch_that_it_answers_as_a_whole_is_one_span_with_all_counts(
    answered: AttemptPaths,
) -> None:
    spans = read_shard(answered.rank_shard("spans", 0)).to_pylist()
    measured = [span for span in spans if span["batch"] is not None and span["batch"] >= 0]
    phases = [span["phase"] for span in measured]
    assert phases == ["answer", "overhead"] * 3
    whole = [span for span in measured if span["phase"] == "answer"]
    assert sum(span["prompts"] for span in whole) == len(TEXTS)
    assert sum(span["generated_tokens"] for span in whole) == 4 * len(TEXTS)
    assert all(span["prompt_tokens"] > 0 and span["words"] > 0 for span in whole)


def test_without_a_clock_there_are_answers_and_no_times_of_tokens(answered: AttemptPaths) -> None:
    rows = read_shard(answered.rank_shard("responses", 0)).to_pylist()
    assert [row["generated_tokens"] for row in rows] == [4] * len(TEXTS)
    assert {row["first_token_us"] for row in rows} == {None}
    assert not answered.rank_shard("steps", 0).exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("toy_engine:open_toy", "must be EngineFacts"),
        ("toy_engine:GONE", "must be there to import"),
        ("gone:TOY", "must be there to import"),
        ("workers.planning.engine_facts:ENGINE_FACTS", "must be EngineFacts"),
    ],
)
def test_an_entry_point_that_is_no_row_of_facts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, message: str
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path / "site", entry))
    with pytest.raises(ValueError, match=message):
        engine_facts.engine_names()
    with pytest.raises(BadInputError, match=message):
        read_points([f"results={tmp_path}"])


def test_a_name_that_is_taken_is_refused(
    toy: EngineFacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engine_facts.ENGINE_FACTS, toy.name, toy)
    engine_facts._installed.cache_clear()
    with pytest.raises(ValueError, match="must have a name of its own, but is 'toy'"):
        engine_facts.engine_names()


def test_what_else_an_engine_cannot_do_is_its_own_to_say(toy: EngineFacts, spec: RunSpec) -> None:
    choosy = dataclasses.replace(toy, limits=lambda spec: f"not on {spec.gpus} GPUs")
    assert choosy.fault(spec) == f"not on {spec.gpus} GPUs"
    assert toy.fault(spec) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opens": "toy_engine"}, "`opens` must be module:function"),
        ({"quantizations": ("none", "int3")}, "`quantizations` must be of none, int8, fp8, int4"),
        (
            {"families": ("llama", "none")},
            "`families` must be of llama, gpt2, opt, bloom, gptj, gpt_neo, falcon, "
            "t5, but have 'none'",
        ),
    ],
)
def test_facts_that_cannot_be_are_refused(
    toy: EngineFacts, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(toy, **changes)
