import dataclasses

import pytest
import torch

from telemetry.record.schema import Phase
from telemetry.record.spec import RunSpec
from tests.support.ranks import make_rank
from workers.distributed.out_of_memory import RankOutOfMemoryError
from workers.planning.memory import estimate
from workers.session.memory_usage import describe_footprints, read_footprint, shortages_told

CPU = torch.device("cpu")


def footprint(scale: int) -> dict[str, int | None]:
    names = ("allocated", "peak_allocated", "reserved", "peak_reserved", "device_used")
    sizes: dict[str, int | None] = {
        f"{name}_bytes": scale * (place + 1) for place, name in enumerate(names)
    }
    return {**sizes, "device_total_bytes": 1_000}


def fail_to_clean_up() -> None:
    try:
        torch.empty(1 << 60, dtype=torch.uint8)
    finally:
        raise RuntimeError("the capture was not ended")


def test_the_record_has_the_largest_of_each_reading_and_all_by_rank(spec: RunSpec) -> None:
    said = describe_footprints(
        spec, [footprint(10), footprint(12), footprint(11)], longest_prompt=9
    )
    assert said["allocated_bytes"] == 12
    assert said["device_used_bytes"] == 60
    assert [rank["peak_allocated_bytes"] for rank in said["ranks"]] == [20, 24, 22]
    assert [rank["rank"] for rank in said["ranks"]] == [0, 1, 2]
    assert said["reason"] is None


def test_the_estimate_stands_beside_as_the_plan_had_it(spec: RunSpec) -> None:
    said = describe_footprints(spec, [footprint(1)], longest_prompt=9)["estimated"]
    assert said["total_bytes"] == estimate(spec).total_bytes
    assert said["context_bytes"] == estimate(spec).context_bytes


def test_of_an_engine_whose_cache_grows_the_prompts_that_came_are_estimated_too(
    spec: RunSpec,
) -> None:
    grows = dataclasses.replace(spec, engine="transformers")
    said = describe_footprints(grows, [footprint(1)], longest_prompt=9)
    assert grows.max_prompt_len > said["at_lengths"]["longest_prompt"] == 9
    as_they_are = estimate(dataclasses.replace(grows, max_prompt_len=9))
    assert said["at_lengths"]["total_bytes"] == as_they_are.total_bytes
    assert said["at_lengths"]["total_bytes"] < said["estimated"]["total_bytes"]


def test_an_engine_that_makes_room_beforehand_has_the_plan_alone(spec: RunSpec) -> None:
    assert describe_footprints(spec, [footprint(1)], longest_prompt=9)["at_lengths"] is None


def test_without_a_gpu_every_reading_is_null_with_the_reason(spec: RunSpec) -> None:
    said = describe_footprints(spec, [read_footprint(CPU)], longest_prompt=9)
    assert {said[name] for name in footprint(1)} == {None}
    assert said["reason"] == "the work was done on CPU"
    assert said["ranks"] == []


def test_a_shortage_tells_phase_rank_request_and_estimate(spec: RunSpec) -> None:
    with (
        pytest.raises(RankOutOfMemoryError) as caught,
        shortages_told(spec, make_rank(1, 2), CPU, lambda: Phase.WARMUP),
    ):
        # More than any machine's address space holds: torch's own allocator says no.
        torch.empty(1 << 60, dtype=torch.uint8)
    facts = caught.value.facts
    assert (facts["where"], facts["rank"], facts["phase"]) == ("host", 1, "warmup")
    assert facts["asked_bytes"] == 1 << 60
    assert facts["resident_bytes"] > 0
    total_gb = estimate(spec).total_bytes / 1e9
    assert f"{total_gb:.2f} GB estimated in all" in str(caught.value)


def test_a_shortage_is_told_though_its_clean_up_failed_too(spec: RunSpec) -> None:
    with (
        pytest.raises(RankOutOfMemoryError) as caught,
        shortages_told(spec, make_rank(0, 1), CPU, lambda: Phase.WARMUP),
    ):
        fail_to_clean_up()
    assert caught.value.facts["asked_bytes"] == 1 << 60


def test_other_faults_pass_as_they_are(spec: RunSpec) -> None:
    with (
        pytest.raises(RuntimeError, match=r"^no such kernel$"),
        shortages_told(spec, make_rank(0, 1), CPU, lambda: None),
    ):
        raise RuntimeError("no such kernel")
