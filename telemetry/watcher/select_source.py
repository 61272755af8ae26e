"""Which source a launch names, and what `auto` is on this node."""

import os
from collections.abc import Sequence
from typing import Any

from telemetry.boards.sensor_timing import POWER_SAMPLE
from telemetry.record.source_registry import load_opener
from telemetry.sources.base import Assignment, Source
from telemetry.sources.dcgm.source import DcgmReadings
from telemetry.sources.host.source import BESIDE_GPUS_US, HostSource
from telemetry.sources.nvml.library import Driver
from telemetry.sources.nvml.source import NvmlReadings
from telemetry.sources.nvml.visible_gpus import VISIBLE, read_visible_gpus
from telemetry.watcher.node import GpuReadings, NodeSource


def open_source(assignment: Assignment) -> Source:
    """The source that the assignment's order names, open.

    Raises:
        ValueError: there is no such source, or it does not fit the spec.
        RuntimeError: its sensors are not there.
    """
    source: Source = load_opener(assignment.launch.telemetry)(assignment)
    return source


def open_nvml(assignment: Assignment) -> Source:
    """The node and its GPUs by NVML."""
    return _node(assignment, [NvmlReadings(assignment)])


def open_dcgm(assignment: Assignment) -> Source:
    """The node and its GPUs by a DCGM engine."""
    uuids, rule = _job_uuids(assignment)
    return _node(assignment, [DcgmReadings(assignment, uuids)], {"allotment": rule})


def open_auto(assignment: Assignment) -> Source:
    """DCGM's fields and the driver's power samples where an engine runs, else NVML alone."""
    asked = assignment.launch.gpu_fields
    wants_samples = asked is None or POWER_SAMPLE in asked
    try:
        uuids, rule = _job_uuids(assignment)
        dcgm = DcgmReadings(assignment, uuids, embed=False, sampled=wants_samples)
    except (RuntimeError, ValueError) as error:
        choice = {"chosen": "nvml", "not_dcgm": str(error)}
        return _node(assignment, [NvmlReadings(assignment)], choice)
    choice = {"chosen": "dcgm", "allotment": rule}
    if not wants_samples:
        return _node(assignment, [dcgm], choice)
    try:
        samples = NvmlReadings(assignment, [POWER_SAMPLE])
    except (RuntimeError, ValueError) as error:
        choice["no_power_samples"] = str(error)
    else:
        if samples.sampled:
            return _node(
                assignment, [dcgm, samples], {**choice, "chosen": "dcgm, nvml power samples"}
            )
        samples.close()
        choice["no_power_samples"] = "the driver's own buffer is empty"
    # The engine's readings must carry the energy after all.
    dcgm.close()
    return _node(assignment, [DcgmReadings(assignment, uuids, embed=False)], choice)


def _node(
    assignment: Assignment, parts: Sequence[GpuReadings], choice: dict[str, Any] | None = None
) -> Source:
    host = HostSource(assignment, least_us=BESIDE_GPUS_US)
    return NodeSource(assignment.launch.telemetry, host, parts, choice)


def _job_uuids(assignment: Assignment) -> tuple[list[str] | None, str]:
    """UUIDs of the job's GPUs, None for all, and by what they were chosen.

    An engine sees every GPU of the node, whatever Slurm gave the job: this process does not.

    Raises:
        RuntimeError: the GPUs that the job was given are not there, or cannot be told apart.
    """
    try:
        driver = Driver()
    except RuntimeError as error:
        asked = os.environ.get(VISIBLE)
        if asked is None:
            return None, f"all GPUs of the engine, as there is no NVML: {error}"
        words = [word.strip() for word in asked.split(",") if word.strip()]
        if not words or not all(word.startswith("GPU-") for word in words):
            raise RuntimeError(
                f"`{VISIBLE}` must name UUIDs where there is no NVML, but is {asked!r} instead"
            ) from error
        return words, f"{VISIBLE}={asked}"
    with driver:
        incomplete = assignment.before is not None
        visible = read_visible_gpus(driver, os.environ, incomplete=incomplete)
        return [gpu.uuid for gpu in visible.gpus], visible.rule
