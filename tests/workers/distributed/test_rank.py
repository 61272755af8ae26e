import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import list_parts, shard_metadata
from tests.support.attempts import TEXTS, make_attempt, make_spec
from tests.support.ranks import make_rank, run_gang, values_of
from workers.distributed.rank import Rank
from workers.planning.families import known_models
from workers.run import run_rank


def read_shard(folder: Path) -> pa.Table:
    parts = list_parts(folder)
    assert all(part.closed for part in parts)
    return pa.concat_tables([pa.parquet.read_table(part.path) for part in parts])


def work(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    run_rank(spec, launch, results, attempt, rank)


def fail_loading(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    import workers.session.loaded_engine  # noqa: PLC0415

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("this rank fails")

    if rank.rank == 1:
        setattr(workers.session.loaded_engine, "open_engine", fail)  # noqa: B010
    run_rank(spec, launch, results, attempt, rank)


def sample_apart(
    rank: Rank, spec: RunSpec, launch: LaunchConfig, results: Path, attempt: AttemptPaths
) -> None:
    import workers.session.measurement  # noqa: PLC0415

    def seed_of_its_own(*_: object) -> int:
        return rank.rank

    setattr(workers.session.measurement, "batch_seed", seed_of_its_own)  # noqa: B010
    run_rank(spec, launch, results, attempt, rank)


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSpec, AttemptPaths]:
    """A finished attempt of two ranks on a real mesh."""
    from tests.conftest import SPEC  # noqa: PLC0415

    results = tmp_path_factory.mktemp("results")
    spec = make_spec(RunSpec.from_mapping(SPEC), gpus=2, gpus_per_node=2, max_prompt_len=12)
    attempt, launch = make_attempt(results, spec)
    values_of(run_gang(2, work, spec, launch, results, attempt))
    return spec, attempt


def test_the_phases_of_each_rank_tile_its_time(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    batch = ["prefill", "decode", "overhead"]
    for rank in (0, 1):
        spans = read_shard(attempt.rank_shard("spans", rank)).to_pylist()
        assert [span["phase"] for span in spans] == [
            *["startup", "idle", "load", "warmup"],
            *batch * 3,
            "shutdown",
        ]
        assert [span["t_end_us"] for span in spans[:-1]] == [
            span["t_start_us"] for span in spans[1:]
        ]
        assert all(span["t_end_us"] > span["t_start_us"] for span in spans)


def test_startup_begins_when_the_host_is_watched(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    ready_us = read_json(attempt.host("here"))["ready_us"]
    starts = [
        read_shard(attempt.rank_shard("spans", rank))["t_start_us"][0].as_py() for rank in (0, 1)
    ]
    assert min(starts) >= ready_us
    registered_us = read_json(attempt.rank(0))["started_us"]
    assert starts[0] <= registered_us


def test_only_rank_0_counts_and_its_sums_are_those_of_the_responses(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    counts = ["prompts", "prompt_tokens", "generated_tokens", "words"]
    sums = []
    for rank in (0, 1):
        spans = read_shard(attempt.rank_shard("spans", rank))
        sums.append({name: sum(spans[name].to_pylist()) for name in counts})
    responses = read_shard(attempt.rank_shard("responses", 0))
    assert sums[0] == {
        "prompts": len(TEXTS),
        **{name: sum(responses[name].to_pylist()) for name in counts[1:]},
    }
    assert sums[1] == dict.fromkeys(counts, 0)


def test_counts_stand_on_the_phase_that_did_the_work(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    for span in read_shard(attempt.rank_shard("spans", 0)).to_pylist():
        assert (span["prompts"] > 0) == (span["phase"] == "prefill")
        assert (span["prompt_tokens"] > 0) == (span["phase"] == "prefill")
        assert (span["generated_tokens"] > 0) == (span["phase"] == "decode")


def test_every_prompt_is_answered_once_in_order(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    spec, attempt = two_ranks
    rows = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    assert [row["prompt"] for row in rows] == list(range(len(TEXTS)))
    assert [(row["batch"], row["row"]) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    for row in rows:
        assert len(row["generated_ids"]) == row["generated_tokens"] <= spec.max_gen_len
        assert len(row["text"].split()) == row["words"]


def test_steps_are_those_of_the_responses(two_ranks: tuple[RunSpec, AttemptPaths]) -> None:
    _, attempt = two_ranks
    steps = read_shard(attempt.rank_shard("steps", 0)).to_pylist()
    responses = read_shard(attempt.rank_shard("responses", 0)).to_pylist()
    for batch in range(3):
        stamps = [step["t_us"] for step in steps if step["batch"] == batch]
        answered = [row for row in responses if row["batch"] == batch]
        assert stamps == sorted(stamps)
        for row in answered:
            assert row["first_token_us"] in stamps
            assert row["last_token_us"] in stamps
        taken = sum(step["rows"] for step in steps if step["batch"] == batch)
        assert taken == sum(row["generated_tokens"] for row in answered)


def test_steps_lie_within_the_spans_of_their_batch(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    spans = read_shard(attempt.rank_shard("spans", 0)).to_pylist()
    for step in read_shard(attempt.rank_shard("steps", 0)).to_pylist():
        phase = "prefill" if step["step"] == 0 else "decode"
        (span,) = (
            span for span in spans if (span["phase"], span["batch"]) == (phase, step["batch"])
        )
        assert span["t_start_us"] < step["t_us"] <= span["t_end_us"]


def test_cut_prompts_and_the_tokenizer_stand_in_the_responses(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    spec, attempt = two_ranks
    table = read_shard(attempt.rank_shard("responses", 0))
    metadata = shard_metadata(table.schema)
    lens = table["prompt_tokens"].to_pylist()
    assert max(lens) == spec.max_prompt_len
    assert metadata["prompts"]["cut"] == 2
    assert metadata["prompts"]["count"] == len(TEXTS)
    assert metadata["tokenizer"]["name"] == spec.tokenizer


def test_each_rank_registers_its_process_and_its_own_gpu(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    registered = [read_json(attempt.rank(rank)) for rank in (0, 1)]
    assert [one["gpu_uuid"] for one in registered] == ["SIM-a100-here-0", "SIM-a100-here-1"]
    assert registered[0]["pid"] != registered[1]["pid"]
    spans = read_shard(attempt.rank_shard("spans", 1))
    assert set(spans["gpu_uuid"].to_pylist()) == {"SIM-a100-here-1"}


def test_shards_say_that_they_are_simulated(two_ranks: tuple[RunSpec, AttemptPaths]) -> None:
    spec, attempt = two_ranks
    for kind, rank in (("spans", 0), ("spans", 1), ("responses", 0)):
        metadata = shard_metadata(read_shard(attempt.rank_shard(kind, rank)).schema)
        assert metadata["kind"] == kind
        assert metadata["simulated"] is True
        assert (metadata["run_id"], metadata["attempt"]) == (spec.run_id, 1)


def test_progress_ends_with_all_prompts_done(two_ranks: tuple[RunSpec, AttemptPaths]) -> None:
    _, attempt = two_ranks
    progress = read_json(attempt.progress)
    assert progress["prompts_done"] == progress["prompts_total"] == len(TEXTS)
    assert progress["eta_s"] == 0.0
    assert progress["tokens_per_s"] > 0.0


def test_the_rendezvous_is_gone_when_the_run_is_over(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    assert not attempt.rendezvous.exists()


def test_a_rank_that_raises_brings_the_other_down_within_seconds(
    spec: RunSpec, tmp_path: Path
) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair)
    outcomes = run_gang(2, fail_loading, pair, launch, tmp_path, attempt, timeout_s=30.0)
    assert "this rank fails" in (outcomes[1].error or "")
    reason = "another rank failed first: rank 1 on here: RuntimeError: this rank fails"
    assert reason in (outcomes[0].error or "")
    assert outcomes[0].seconds - outcomes[1].seconds < 5.0


def test_ranks_that_choose_different_tokens_stop_the_run(spec: RunSpec, tmp_path: Path) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair, idle_s=0.0, warmup_batches=0)
    for outcome in run_gang(2, sample_apart, pair, launch, tmp_path, attempt, timeout_s=30.0):
        assert "all ranks must choose the same tokens, but differ in batch 0" in (
            outcome.error or ""
        )


def test_a_failed_rank_leaves_its_spans_up_to_the_failure(spec: RunSpec, tmp_path: Path) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair, idle_s=0.0)
    run_gang(2, fail_loading, pair, launch, tmp_path, attempt, timeout_s=30.0)
    phases = read_shard(attempt.rank_shard("spans", 1))["phase"].to_pylist()
    assert phases == ["startup", "load"]


@pytest.mark.parametrize(
    ("gpu_uuids", "message"),
    [
        (["SIM-one", "SIM-one"], "ranks 0 and 1 both have SIM-one instead"),
        (["SIM-one"], "rank 1 must have GPU 1 of here, but its watcher sees 1 instead"),
        ([], "rank 0 must have GPU 0 of here, but its watcher sees 0 instead"),
    ],
)
def test_a_gpu_that_is_shared_or_missing_stops_all_ranks_before_the_run(
    spec: RunSpec, tmp_path: Path, gpu_uuids: list[str], message: str
) -> None:
    pair = make_spec(spec, gpus=2, gpus_per_node=2)
    attempt, launch = make_attempt(tmp_path, pair, gpu_uuids=gpu_uuids)
    outcomes = run_gang(2, work, pair, launch, tmp_path, attempt, timeout_s=30.0)
    for outcome in outcomes:
        assert "RuntimeError: all ranks must be ready" in (outcome.error or "")
        assert message in (outcome.error or "")
    assert not attempt.shards("spans").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "warp"}, "`engine` must be one of fast, reference, transformers, "),
        (
            {"quantization": "int8"},
            "`quantization` must be none with engine reference, which takes weights as they are, "
            "but is int8 instead",
        ),
        ({"weights": "abc"}, "`weights` must be random without a checkpoint, but is abc instead"),
        ({"model": "8b"}, f"`model` must be one of {len(known_models())} models"),
        ({"prompts": 6}, "`prompts` must be 6 as in the spec, but are 5 instead"),
        ({"tokenizer": "another"}, "`tokenizer` must be another as in the spec"),
    ],
)
def test_what_a_worker_cannot_do_is_refused_before_the_run(
    spec: RunSpec, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    strange = make_spec(spec, **changes)
    attempt, launch = make_attempt(tmp_path, strange)
    with pytest.raises(RuntimeError) as caught:
        run_rank(strange, launch, tmp_path, attempt, make_rank(0, 1))
    assert message in str(caught.value)


def test_changed_prompts_are_refused(spec: RunSpec, tmp_path: Path) -> None:
    one = make_spec(spec)
    attempt, launch = make_attempt(tmp_path, one)
    prompts = next((tmp_path / "prompts").iterdir())
    prompts.write_bytes(prompts.read_bytes().replace(b"river", b"lake!"))
    with pytest.raises(RuntimeError, match="all ranks must be ready"):
        run_rank(one, launch, tmp_path, attempt, make_rank(0, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 2}, "`rank` must be at least 0 and below `world`, but is 2 of 2 instead"),
        ({"local_rank": -1}, "`local_rank` must be at least 0 and below `local_world`"),
        ({"node": 1}, "`node` must be at least 0 and below `nodes`, but is 1 of 1 instead"),
        ({"world": "2"}, "`world` must be a whole number, but is '2' instead"),
        ({"local_world": 1, "local_rank": 0}, "`local_rank` of the only node must be `rank`"),
        ({"host": "a/b"}, "`host` must be a host name, but is 'a/b' instead"),
    ],
)
def test_an_impossible_rank_is_refused(changes: dict[str, Any], message: str) -> None:
    valid: dict[str, Any] = {
        "rank": 1,
        "world": 2,
        "local_rank": 1,
        "local_world": 2,
        "node": 0,
        "nodes": 1,
        "host": "here",
    }
    Rank(**valid)
    with pytest.raises(ValueError, match="must be") as caught:
        Rank(**{**valid, **changes})
    assert message in str(caught.value)


def test_a_ranks_records_are_json_that_anyone_reads(
    two_ranks: tuple[RunSpec, AttemptPaths],
) -> None:
    _, attempt = two_ranks
    for path in (attempt.rank(0), attempt.rank(1), attempt.progress):
        assert isinstance(json.loads(path.read_text()), dict)
