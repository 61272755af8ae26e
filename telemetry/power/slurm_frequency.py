"""Slurm frequency: the word of `--gpu-freq` for a wish, and what Slurm says of it on the node."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from telemetry.power.wish import Wish
from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.plain_file import plain_file

_ASKED: Final = "SLURM_GPU_FREQ"
# Each step of such a job says what became of it in its own output, such as
# GpuFreq=control_disabled, where Slurm was built without NVIDIA's library or is told not to use it.
_SAID: Final = re.compile(r"GpuFreq=(\S+)")
_REFUSALS: Final = ("control_disabled", "invalid", "unsupported")
# Of a job or of a task of an array: nothing else begins a log's name.
_JOB: Final = re.compile(r"\d{1,10}(_\d{1,10})?")
# It is said in the first lines of a step's log.
_HEAD_BYTES: Final = 1 << 16


def gpu_freq(wish: Wish) -> str | None:
    """What `--gpu-freq` is to be; None where Slurm cannot set what is wished.

    Slurm sets clocks alone: a power limit is none of its words (sbatch(1), --gpu-freq).
    """
    if wish.power_cap_w is not None or wish.wants_nothing:
        return None
    words = [] if wish.sm_clock_mhz is None else [str(wish.sm_clock_mhz)]
    words += [] if wish.memory_clock_mhz is None else [f"memory={wish.memory_clock_mhz}"]
    return ",".join([*words, "verbose"])


def refusal_of(attempt: AttemptPaths, environment: Mapping[str, str]) -> str | None:
    """Why Slurm has not set the clocks that its step was asked for; None where it says it has."""
    if not environment.get(_ASKED):
        return f"Slurm must be asked for clocks, but `{_ASKED}` is not set in this job"
    said = _said(attempt)
    if said is None:
        return "Slurm must say `GpuFreq=` in the step's output what it has set, but does not"
    if any(word in said for word in _REFUSALS):
        return f"Slurm must set the clocks, but says GpuFreq={said} instead"
    return None


def _said(attempt: AttemptPaths) -> str | None:
    """What the steps of the attempt's job say in their logs; None where none says anything."""
    try:
        submitted = read_json(attempt.submitted)
        job = str(submitted["job_id"])
        if not _JOB.fullmatch(job):
            return None
        logs = sorted(Path(str(submitted["folder"])).glob(f"{job}*"))
    except (OSError, ValueError, KeyError):
        return None
    for log in logs:
        try:
            # A pipe among them would be waited for.
            with plain_file(log) as number:
                text = os.read(number, _HEAD_BYTES).decode(errors="replace")
        except (OSError, ValueError):
            continue
        if said := _SAID.search(text):
            return said[1]
    return None
