"""Release: what a record must hold, by what its own files say that its release wrote.

A part that is missing is lawful only in a record from before: its launch.json or its launcher's
configuration names every key that its release knew, so a release that knew of warm-ups and wrote
none of one has lost it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from analysis.audit.chains import ShardChains
from analysis.audit.check import Case, Finding, failed, skipped, unseen
from analysis.performance.latency import STEPS_NOT_RECORDED, STEPS_NOT_TOLD, no_steps_reason
from analysis.runs.rank_spans import RankSpans
from analysis.runs.sealed_runs import Run
from telemetry.record.exported import Exported
from telemetry.record.planned import KEY as PLANNED

# Keys of launch.json that came with each part of model.json.
_CAME_WITH: Final = {
    "model.json": "logit_error",
    "memory": "logit_error",
    "warmup": "max_warmup_batches",
    "window": "min_window_s",
}
# The same release first wrote it and steps.
_WITH_STEPS: Final = "model.json"
# Keys of launch.json and of the configuration that no release before chains knew.
_WITH_CHAINS: Final = ("link_s", "lodge_heads")
# All tell the steps of every batch on every device.
_STEP_TELLERS: Final = ("reference", "fast", "vllm")


def knew_of(run: Run, part: str) -> bool:
    """Whether the release that wrote a run wrote `part` of the record."""
    key = _CAME_WITH[part]
    config = run.provenance.get("config")
    named = key in run.launch or (isinstance(config, dict) and key in config)
    return named or (part == _WITH_STEPS and run.steps is not None)


def missing_model(run: Run) -> Finding | None:
    """What to say where model.json is not there; None where it is."""
    if run.model:
        return None
    if knew_of(run, "model.json"):
        return failed("model.json is missing or unreadable, and the run's release wrote one")
    return unseen("not recorded: the run is from before model.json")


def missing_part(run: Run, part: str) -> Finding | None:
    """What to say where a part of model.json is not there; None where it is."""
    if missing := missing_model(run):
        return missing
    if isinstance(run.model.get(part), Mapping) and run.model[part]:
        return None
    if knew_of(run, part):
        return failed(f"`{part}` is missing from model.json, and the run's release wrote it")
    return unseen(f"not recorded: the run is from before `{part}` of model.json")


def missing_steps(run: Run, rank: RankSpans) -> Finding | None:
    """What to say where no steps are there and some should be; None where none need be."""
    if run.steps is not None or no_steps_reason(rank) == STEPS_NOT_TOLD:
        return None
    responses = run.responses
    timed = responses.num_rows - responses["first_token_us"].null_count
    if timed:
        return failed(f"steps.parquet is missing, and {timed} responses name times of its steps")
    engine: Any = run.model.get("engine")
    name = engine.get("name") if isinstance(engine, dict) else None
    if knew_of(run, "model.json") and name in _STEP_TELLERS:
        return failed(f"steps.parquet is missing, and the engine {name} tells its steps")
    return unseen(STEPS_NOT_RECORDED)


def missing_chains(case: Case, shards: Sequence[ShardChains]) -> Finding | None:
    """What to say where no shard has a chain; None where one has."""
    if any(shard.chains for shard in shards):
        return None
    exported = Exported.of(case.attempt)
    if exported is not None and any("/chain-" in name for name in exported.left_out):
        return unseen("an export: its chains are of the original's files, which its owner has")
    if told := next(_told_of_chains(case), None):
        return failed(f"no shard has a chain, and {told}")
    return skipped("written before chains: nothing was linked while the run went on")


def _told_of_chains(case: Case) -> Iterator[str]:
    """Which files say that the release that wrote a run kept chains."""
    run = case.run
    config = run.provenance.get("config")
    watch = config.get("telemetry") if isinstance(config, dict) else None
    for word in _WITH_CHAINS:
        if word in run.launch:
            yield f"launch.json names `{word}`, which came with them"
        if isinstance(watch, dict) and word in watch:
            yield f"the launcher's configuration names `{word}`, which came with them"
    if PLANNED in run.provenance:
        yield f"provenance.json names `{PLANNED}`, which came with them"
    if case.attempt.heads.exists() or case.attempt.heads.is_symlink():
        yield f"{case.attempt.heads.name} tells of their heads"
    for host, ready in run.hosts.items():
        if "link_key" in ready:
            yield f"hosts/{host}.json names the key of one"
    for name, said in case.shard_metadata():
        if said.get("chained"):
            yield f"the writer of {name} says that it kept one"
