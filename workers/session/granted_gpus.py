"""Granted GPUs: which GPUs Slurm gave a job, against those that a rank would take.

A rank that finds nothing in its environment sees every GPU of the node, its neighbours' too, where
the site does not confine devices by cgroups; and would measure and disturb somebody else's.
"""

from collections.abc import Mapping
from typing import Final

_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
# Slurm's own numbers of what it gave: the step's before the job's, as a prolog may have moved them.
_GRANTED: Final = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS")


def grant_fault(environment: Mapping[str, str]) -> str | None:
    """Why what this environment shows cannot be the job's GPUs; None off Slurm and when it can.

    Names other than numbers (UUIDs, MIG instances) are left to the comparison of UUIDs.
    """
    if "SLURM_JOB_ID" not in environment:
        return None
    granted = next((environment[name] for name in _GRANTED if name in environment), None)
    visible = environment.get(_VISIBLE)
    if granted is None and visible is None:
        return (
            "the job must hold GPUs, but Slurm gave it none instead, and CUDA would take any of "
            "the node's; ask for them by --gpus-per-node"
        )
    ours, seen = _numbers(granted), _numbers(visible)
    if not ours or not seen:
        return None
    # Where cgroups confine a job, its GPUs count from 0.
    if seen <= ours or seen <= set(range(len(ours))):
        return None
    return f"`{_VISIBLE}` must name GPUs of the job ({granted}), but is {visible} instead"


def _numbers(text: str | None) -> set[int]:
    """The numbers of a list such as `0,1`; none when it holds anything else."""
    words = [] if text is None else [word.strip() for word in text.split(",")]
    return {int(word) for word in words} if all(map(str.isdecimal, words)) else set()
