"""Setup lines: a site's shell lines in a batch script, of which one that fails ends the job.

A job whose `module load` failed would go on with other libraries than its record says. bash tells a
failure as for `set -e`: the test of an `if` and what stands before `&&` or `||` may fail. The line
and its exit code go beside the job's log for whoever asks next how it ended.
"""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_GUARD: Final = r"""
joulegrid_setup=begun
joulegrid_line=0
# The script's own text tells which line it was: no line is quoted into another.
joulegrid_failed() {
  if [ "$joulegrid_setup" = begun ]; then
    joulegrid_setup=failed
    {
      printf '%s %s\n' "$1" "$(sed -n "${joulegrid_line}p" "$0")"
    } > "$joulegrid_jobs/$joulegrid_id.setup"
    printf 'joulegrid: setup failed: ' >&2
    sed -n "${joulegrid_line}p" "$0" >&2
    exit "$1"
  fi
}
joulegrid_id="${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
# Within the trap on EXIT bash counts lines from 1 again.
trap '[ "$LINENO" -le 1 ] || joulegrid_line=$LINENO' DEBUG
trap 'joulegrid_failed "$?"' ERR
# A line that ends the script comes here alone.
trap 'joulegrid_failed "$?"' EXIT
"""
_DONE: Final = ("joulegrid_setup=done", "trap - ERR DEBUG")


def guarded(setup: Sequence[str], jobs: Path) -> list[str]:
    """The lines as they stand in a batch script, none where there are none.

    `jobs` is the folder that gets `<job>.setup`: exit code and text of the line that failed.
    """
    if not setup:
        return []
    folder = f"joulegrid_jobs={shlex.quote(str(jobs))}"
    return [folder, *_GUARD.strip().splitlines(), *setup, *_DONE]


def unreadable(setup: Sequence[str]) -> str | None:
    """Why bash cannot read the lines, in its own words; None where it can, or where there is none.

    Nothing of them is run. What cannot be read would end the script with no line to name.
    """
    # The last command of a batch script follows: an open quote or `if` would swallow it.
    text = "\n".join([*setup, ":", ""])
    try:
        done = subprocess.run(
            ["bash", "-n"], input=text.encode(), capture_output=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if not done.returncode:
        return None
    said = done.stderr.decode(errors="replace").splitlines()
    return (said or [f"exit code {done.returncode}"])[0].removeprefix("bash: ")
