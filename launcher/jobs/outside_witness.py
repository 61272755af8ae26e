"""Outside witness: a chain's head goes where the folder's owner cannot write later.

What a run's folder holds its owner can make again. A head that somebody else noted while the run
went on cannot be: the job's log has it, and with `telemetry.lodge_heads` the comment of the job in
Slurm, which everybody sees who may see the job, and a center's own books may keep.
"""

import contextlib
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

from launcher.slurm.queue import SlurmError, ask_slurm
from telemetry.clock import wall_us
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths
from telemetry.shards.chain import chain_name
from telemetry.shards.links import list_chains, read_head

# What stands before a head in a comment; one that begins otherwise is somebody's own and stays.
_OURS: Final = "joulegrid:"
# A wish for power (docs/power_broker.md) is the first word: a requeued job needs it again.
_WISH: Final = re.compile(r"(joulegrid-power:\S+)(?: (.*))?")
# A job does not wait for a controller that is down: its GPUs would.
_PATIENCE_S: Final = 5.0
_COMMENT: Final = re.compile(r"^\s*Comment=(.*)$", re.MULTILINE)


def tell_head(
    attempt: AttemptPaths,
    host: str,
    *,
    in_slurm: bool,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Tell how far a node's chain is, and keep in heads.json where it was told, refusals too.

    Nothing that fails here fails the run.
    """
    environment = os.environ if environment is None else environment
    with contextlib.suppress(OSError, ValueError):
        paths = list_chains(attempt.samples_shard(host))[-1:]
        head = read_head(paths[0]) if paths else None
        if head is None:
            return
        said = f"{_OURS}{chain_name(paths[0])}:{head.number}:{head.sha256}"
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
        entry: dict[str, Any] = {
            "t_us": wall_us(),
            "chain": chain_name(paths[0]),
            "number": head.number,
            "sha256": head.sha256,
            "slurm": _comment(said, environment) if in_slurm else None,
        }
        before = read_json(attempt.heads)["heads"] if attempt.heads.is_file() else []
        write_json(attempt.heads, {"heads": [*before, entry]})


def _comment(said: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Put a head into the job's comment; which job, and why not where it was not."""
    job_id = environment.get("SLURM_JOB_ID")
    if job_id is None:
        return {"refused": "the job is not Slurm's"}
    array_id, index = (environment.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    own_id = job_id if array_id is None or index is None else f"{array_id}_{index}"
    try:
        shown = _COMMENT.search(ask_slurm(["scontrol", "show", "job", own_id], _PATIENCE_S))
        whole = beside_wish("" if shown is None else shown[1], said)
        if whole is None:
            return {"job": own_id, "refused": "somebody's own comment stands there"}
        ask_slurm(["scontrol", "update", f"JobId={own_id}", f"Comment={whole}"], _PATIENCE_S)
    except SlurmError as error:
        return {"job": own_id, "refused": str(error)}
    return {"job": own_id, "comment": said}


def beside_wish(there: str, said: str) -> str | None:
    """The comment that tells a head and keeps a wish for power; None where another's stands."""
    wish = _WISH.fullmatch(there)
    rest = there if wish is None else wish[2] or ""
    if rest and not rest.startswith(_OURS):
        return None
    return said if wish is None else f"{wish[1]} {said}"
