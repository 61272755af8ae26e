"""Engine `vllm` on the double: the work of the other engines, as requests that come and go."""

import dataclasses
import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from telemetry.record.arrivals import arrivals_us
from telemetry.record.files import read_json
from telemetry.record.spec import RunSpec
from tests.support.attempts import TEXTS, make_attempt, make_spec
from tests.support.engines import open_context
from tests.support.fake_group import pretended_peers
from tests.support.ranks import make_rank
from tests.support.served import served_double
from tests.workers.distributed.test_rank import read_shard
from workers.engines.base.generation import Generation
from workers.engines.registry import open_engine
from workers.engines.vllm.engine import VllmEngine
from workers.planning.engine_facts import engine_facts
from workers.run import run_rank

CPU = torch.device("cpu")
PROMPTS = ([1, 7, 5, 3], [1, 9], [1, 8, 4, 4, 6, 2, 11])


@pytest.fixture(autouse=True)
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with served_double(monkeypatch):
        yield


@pytest.fixture
def one_rank() -> Iterator[None]:
    """A group of this process alone."""
    with pretended_peers(1):
        yield


def work(spec: RunSpec, **changes: Any) -> RunSpec:
    """Greedy fp32 work for one rank."""
    told: dict[str, Any] = {"engine": "vllm", "dtype": "fp32", "temperature": 0.0}
    sizes = {"ignore_eos": True, "max_gen_len": 5, "max_prompt_len": 16, "batch_size": 3}
    return make_spec(spec, **{**told, **sizes, **changes})


def opened(spec: RunSpec, **changes: Any) -> VllmEngine:
    engine = open_engine(open_context(spec, CPU, **changes))
    assert isinstance(engine, VllmEngine)
    return engine


def alike(spec: RunSpec) -> list[list[int]]:
    """What the library transformers answers on the same weights."""
    theirs = dataclasses.replace(spec, engine="transformers")
    engine: Any = open_engine(open_context(theirs, CPU))
    with torch.inference_mode():
        engine.prefill(PROMPTS, 3)
        answers: Generation = engine.decode()
    return answers.ids


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", ["nano", "nano-llama-3.2", "nano-mistral"])
def test_it_is_handed_our_weights_and_answers_as_the_others(spec: RunSpec, model: str) -> None:
    mine = work(spec, model=model)
    assert opened(mine).answer(PROMPTS, 3).ids == alike(mine)


@pytest.mark.usefixtures("one_rank")
def test_rows_beyond_the_batch_wait_and_are_answered_alike(spec: RunSpec) -> None:
    mine = work(spec, batch_size=1)
    answers = opened(mine).answer(PROMPTS, 3)
    assert answers.ids == alike(work(spec))
    assert answers.requests is not None
    assert answers.requests.sent_us[1:] >= answers.requests.finished_us[:-1]
    assert answers.row_steps == [list(range(5 * row, 5 * row + 5)) for row in range(3)]


@pytest.mark.usefixtures("one_rank")
def test_an_end_that_counts_cuts_the_answer_and_is_not_kept(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = work(spec)
    eos = alike(mine)[0][2]
    engine = opened(dataclasses.replace(mine, ignore_eos=False), eos_id=eos)
    answers = engine.answer(PROMPTS[:1], 3)
    assert answers.ids == [alike(mine)[0][:2]]
    assert answers.ended == [True]
    assert answers.requests is not None
    assert answers.step_us is not None
    assert answers.requests.finished_us == [answers.step_us[2]]


@pytest.mark.usefixtures("one_rank")
def test_requests_wait_for_their_time_and_not_for_one_another(spec: RunSpec) -> None:
    arrivals_us = [0, 1_000, 400_000]
    answers = opened(work(spec)).serve(PROMPTS, 3, arrivals_us, lambda number: number)
    times = answers.requests
    assert times is not None
    assert times.arrived_us == arrivals_us
    assert all(sent >= came for sent, came in zip(times.sent_us, arrivals_us, strict=True))
    assert answers.ids == alike(work(spec))
    # Nobody is in flight before the third comes, so that it is sent at its time.
    assert times.finished_us[1] < times.sent_us[2] < 600_000


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("model", ["nano", "nano-llama-3.2"])
def test_what_the_library_says_of_its_cache_stands_beside_the_plan(
    spec: RunSpec, model: str
) -> None:
    told = opened(work(spec, model=model)).describe()["cache"]
    # 16 + 5 positions of three rows, a page of 32 each, and the library's spare.
    assert told == {
        "pages": 4,
        "page_positions": 32,
        "planned_pages": 4,
        "gpu_memory_utilization": 0.92,
        "more_than_planned": 0.0,
    }


@pytest.mark.usefixtures("one_rank")
def test_a_cache_that_would_put_requests_off_ends_the_run(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = importlib.import_module("vllm")
    made = double._cache
    monkeypatch.setattr(
        double, "_cache", lambda *given: dataclasses.replace(made(*given), num_gpu_blocks=3)
    )
    with pytest.raises(RuntimeError, match="must have 4 pages of 32 positions, but has 3 of 32"):
        opened(work(spec))


def one_more(engine: Any, _outputs: list[Any]) -> None:
    """Whoever asks for five tokens gets six."""
    for request in engine.running:
        request.params = dataclasses.replace(request.params, max_tokens=6)


def no_end(engine: Any, _outputs: list[Any]) -> None:
    """Whoever asks for five tokens gets them for ever."""
    for request in engine.running:
        request.params = dataclasses.replace(request.params, max_tokens=1_000_000)


def too_early(_engine: Any, outputs: list[Any]) -> None:
    """Done at the first token, by its length."""
    for output in outputs:
        output.finished, output.outputs[0].finish_reason = True, "length"


def given_up(_engine: Any, outputs: list[Any]) -> None:
    """Done as it should be, for another reason."""
    for output in outputs:
        if output.finished:
            output.outputs[0].finish_reason = "abort"


def told_again(engine: Any, outputs: list[Any]) -> None:
    """Who is done goes on in the steps of the others."""
    done = vars(engine).setdefault("told", [])
    outputs.extend(done)
    done.extend(output for output in outputs if output.finished)


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (one_more, "but vllm ended it by length at 6 instead"),
        (no_end, "but vllm ended it by None at 6 instead"),
        (too_early, "but vllm ended it by length at 1 instead"),
        (given_up, "but vllm ended it by abort at 5 instead"),
        (told_again, "but vllm gave a token behind its end instead"),
    ],
)
def test_tokens_that_were_not_asked_for_end_the_run(
    spec: RunSpec, lie: Callable[[Any, list[Any]], None], told: str
) -> None:
    engine = opened(work(spec, batch_size=1))
    library: Any = engine._library.engine
    step = library.step

    def lying() -> list[Any]:
        outputs: list[Any] = step()
        lie(library, outputs)
        return outputs

    library.step = lying
    with pytest.raises(RuntimeError, match=told):
        engine.answer(PROMPTS, 3)


def test_its_record_has_each_requests_times_and_how_it_worked(
    spec: RunSpec, tmp_path: Path
) -> None:
    mine = work(spec, batch_size=2)
    attempt, launch = make_attempt(tmp_path / "results", mine, idle_s=0.0)
    run_rank(mine, launch, tmp_path / "results", attempt, make_rank(0, 1))
    told = read_json(attempt.model)["engine"]
    assert (told["name"], told["library"]) == ("vllm", "0.33.0+double")
    assert told["phases"] == ["answer"]
    assert told["enable_prefix_caching"] is False
    rows = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    assert [row["generated_tokens"] for row in rows] == [5] * len(TEXTS)
    for row in rows:
        assert row["arrived_us"] is None
        assert row["sent_us"] <= row["first_token_us"] < row["last_token_us"]
        assert row["last_token_us"] == row["finished_us"]
    steps = read_shard(attempt.rank_shard("steps", 0)).to_pylist()
    assert sum(step["rows"] for step in steps) == 5 * len(TEXTS)


def test_a_served_load_is_one_span_a_pass_and_its_requests_come_as_drawn(
    spec: RunSpec, tmp_path: Path
) -> None:
    mine = work(spec, batch_size=2, arrivals_per_s=20.0, arrivals_seed=7)
    attempt, launch = make_attempt(tmp_path / "results", mine, idle_s=0.0)
    run_rank(mine, launch, tmp_path / "results", attempt, make_rank(0, 1))
    spans = read_shard(attempt.rank_shard("spans", 0)).to_pylist()
    (own,) = [span for span in spans if span["phase"] == "answer"]
    assert own["prompts"] == len(TEXTS)
    rows = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    drawn = arrivals_us(20.0, 7, 0, len(TEXTS))
    assert [row["arrived_us"] - own["t_start_us"] for row in rows] == drawn
    assert all(row["sent_us"] >= row["arrived_us"] for row in rows)
    assert max(row["finished_us"] for row in rows) <= own["t_end_us"]


def test_where_it_is_not_installed_one_line_says_what_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", {}.get)
    told = engine_facts("vllm").lacking()
    assert told is not None
    assert "\n" not in told
    assert told.startswith("engine vllm: the package vllm must be installed, but is not; pip")
    assert "joulegrid[vllm]" in told


@pytest.mark.usefixtures("one_rank")
def test_it_tells_the_library_which_rank_it_is(spec: RunSpec) -> None:
    opened(work(spec))
    assert (os.environ["RANK"], os.environ["LOCAL_RANK"]) == ("0", "0")
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
