"""Passes, warm-up and model.json of real ranks on a real mesh."""

from pathlib import Path
from typing import Any

import pytest

from telemetry.clock import US_PER_S
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from tests.support.attempts import TEXTS, make_attempt, make_spec
from tests.support.ranks import make_rank, run_gang, values_of
from tests.workers.distributed.test_rank import read_shard, work
from workers.distributed.rank import Rank
from workers.run import run_rank

# A pass takes 0.1 s, on a machine with four times the work for its cores 1.4: a window has several.
WINDOW_S = 5.0


def swaying_rates(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    """A rank that sees other rates than the others: alone it would never stop, or stop at once."""
    import workers.session.measurement  # noqa: PLC0415

    rates = iter([10.0, 20.0, 30.0, 30.0, 30.0, 30.0] if rank.rank == 0 else range(1, 100))

    def rate(*_: object) -> float:
        return float(next(rates))

    setattr(workers.session.measurement, "rate_of", rate)  # noqa: B010
    run_rank(spec, launch, results, attempt, rank)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSpec, AttemptPaths]:
    """Two ranks that answer five short prompts until the window is full."""
    results = tmp_path_factory.mktemp("results")
    spec = make_spec(RunSpec.from_mapping(SPEC), gpus=2, gpus_per_node=2, max_gen_len=4)
    attempt, launch = make_attempt(results, spec, idle_s=0.0, min_window_s=WINDOW_S)
    values_of(run_gang(2, work, spec, launch, results, attempt))
    return spec, attempt


def test_the_prompts_are_answered_as_a_whole_until_the_window_is_long_enough(
    repeated: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = repeated
    rows = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    passes, rest = divmod(len(rows), len(TEXTS))
    assert rest == 0
    assert passes > 1
    assert [row["prompt"] for row in rows] == list(range(len(TEXTS))) * passes
    assert read_json(attempt.model)["window"]["passes"] == passes


def test_the_window_is_no_shorter_than_ordered_and_ends_with_the_pass_that_fills_it(
    repeated: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = repeated
    spans = read_shard(attempt.rank_shard("spans", 0)).to_pylist()
    begun_us = min(span["t_start_us"] for span in spans if span["phase"] == "prefill")
    ends_us = [span["t_end_us"] for span in spans if span["phase"] == "decode"]
    assert ends_us[-1] - begun_us >= WINDOW_S * US_PER_S
    # Three batches a pass: the one before the last did not fill it.
    assert ends_us[-4] - begun_us < WINDOW_S * US_PER_S


def test_batch_numbers_go_on_over_passes_and_every_rank_answers_all(
    repeated: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = repeated
    rows = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    batches = [*range(3 * len(rows) // len(TEXTS))]
    assert sorted({row["batch"] for row in rows}) == batches
    for rank in (0, 1):
        spans = read_shard(attempt.rank_shard("spans", rank)).to_pylist()
        assert [span["batch"] for span in spans if span["phase"] == "decode"] == batches


def test_a_prompt_is_answered_otherwise_in_another_pass(
    repeated: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = repeated
    rows = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    first, second = (
        [row["generated_ids"] for row in rows[start : start + len(TEXTS)]]
        for start in (0, len(TEXTS))
    )
    assert first != second


def test_the_record_says_what_model_answered(repeated: tuple[RunSpec, AttemptPaths]) -> None:
    spec, attempt = repeated
    record = read_json(attempt.model)
    assert record["weights"]["kind"] == "random"
    assert record["engine"]["name"] == spec.engine
    assert (record["dtype"], record["quantization"]) == (spec.dtype, spec.quantization)
    # nano: 4 layers of dim 256 and ffn 768, 32,000 words; norms are whole on both ranks.
    matrices = 4 * (4 * 256**2 + 3 * 256 * 768) + 32_000 * 256
    norms = (2 * 4 + 1) * 256
    assert record["shape"]["weight_bytes_per_step"] == 4 * (matrices + 2 * norms)
    assert record["shape"]["kv_bytes_per_position"] == 2 * 4 * 256 * 4


def test_memory_on_cpu_is_null_with_its_reason_beside_the_estimate(
    repeated: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = repeated
    memory = read_json(attempt.model)["memory"]
    assert memory["allocated_bytes"] is None
    assert memory["reason"] == "the work was done on CPU"
    assert memory["estimated"]["total_bytes"] > memory["estimated"]["weights_bytes"] > 0


def test_rank_0_decides_for_all_when_the_machine_is_steady(spec: RunSpec, tmp_path: Path) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2, max_gen_len=2, prompts=5, batch_size=2)
    attempt, launch = make_attempt(tmp_path, pair, idle_s=0.0, max_warmup_batches=10)
    values_of(run_gang(2, swaying_rates, pair, launch, tmp_path, attempt))
    warmup = read_json(attempt.model)["warmup"]
    assert warmup["rates_tokens_per_s"] == [10.0, 20.0, 30.0, 30.0, 30.0]
    assert warmup["steady"] is True


@pytest.mark.parametrize(
    ("changes", "batches"),
    [({"warmup_batches": 0}, 0), ({"warmup_batches": 2}, 2)],
)
def test_a_warm_up_that_cannot_say_whether_it_is_steady_says_why(
    spec: RunSpec, tmp_path: Path, changes: dict[str, Any], batches: int
) -> None:
    one = make_spec(spec, max_gen_len=2)
    attempt, launch = make_attempt(tmp_path, one, idle_s=0.0, **changes)
    run_rank(one, launch, tmp_path, attempt, make_rank(0, 1))
    warmup = read_json(attempt.model)["warmup"]
    assert (warmup["batches"], warmup["steady"]) == (batches, None)
    assert warmup["reason"] == "fewer than 3 batches were answered"
    phases = read_shard(attempt.rank_shard("spans", 0))["phase"].to_pylist()
    assert ("warmup" in phases) == (batches > 0)
