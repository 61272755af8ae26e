"""A real Slurm cluster of several nodes on one Debian or Ubuntu machine, for development and tests.

    python3 slurm/devcluster up [NODES] [GPUS]      munge, MariaDB, slurmdbd, slurmctld, slurmd x N
    python3 slurm/devcluster status
    python3 slurm/devcluster env                    the line that `up` prints
    python3 slurm/devcluster crash NODE             as if its power were cut
    python3 slurm/devcluster start NODE             a crashed node comes back
    python3 slurm/devcluster restart-controller     slurmctld is killed and started again
    python3 slurm/devcluster down [--purge]

`up` prints the line that makes Slurm's commands, and joulegrid's, use the cluster:

    eval "$(python3 slurm/devcluster up 4 8)"

Everything lies in one private folder: --folder, else $JOULEGRID_DEVCLUSTER, else
$XDG_RUNTIME_DIR/joulegrid, else /tmp/joulegrid-<uid>. Root or not, nothing in /etc is written and
only the user who made the cluster can use it, unless root says `up --shared`: then every user of
the machine can, with jobs as themselves. Clusters in different folders may run side by side.
Each node has a host name of its own (a UTS namespace), so that programs take nodes for different
hosts; network, clock and cores are the machine's.

GPUs are pretended (device files that lead to /dev/null) unless --real-gpus splits the machine's.
The packages are in slurm/packages.txt; Python's standard library is enough.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cluster import ClusterError, DevCluster, open_folder
from configuration import MOST_NODES

# /dev/nvidia0 to /dev/nvidia63: more no machine has.
_MOST_GPUS: Final = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    given = _parse(arguments)
    try:
        cluster = DevCluster(open_folder(given.folder or default_folder()))
        if given.verb == "up":
            types = given.gpu_types.split(",")
            cluster.up(
                given.nodes,
                given.gpus,
                real_gpus=given.real_gpus,
                gpu_types=types,
                shared=given.shared,
            )
        elif given.verb == "crash":
            cluster.crash_node(given.node)
        elif given.verb == "start":
            cluster.start_node(given.node)
        elif given.verb == "restart-controller":
            cluster.restart_controller()
        elif given.verb == "down":
            cluster.down(purge=given.purge)
        elif given.verb == "status":
            text, whole = cluster.status()
            print(text)
            return 0 if whole else 1
        if given.verb in {"up", "env"}:
            print(f"export SLURM_CONF={cluster.slurm_conf}")
    except (ClusterError, OSError) as error:
        print(f"devcluster: {error}", file=sys.stderr)
        return 1
    return 0


def default_folder() -> Path:
    """Where the cluster lies when nobody says."""
    if named := os.environ.get("JOULEGRID_DEVCLUSTER"):
        return Path(named)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "joulegrid"
    return Path(f"/tmp/joulegrid-{os.getuid()}")  # noqa: S108 (open_folder sees that it is ours)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="devcluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, default=None)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up")
    up.add_argument("nodes", nargs="?", default=2, type=_whole(1, MOST_NODES))
    up.add_argument("gpus", nargs="?", default=2, type=_whole(0, _MOST_GPUS))
    up.add_argument("--real-gpus", action="store_true", help="split this machine's own GPUs")
    up.add_argument(
        "--shared", action="store_true", help="every user of this machine may use it; root's alone"
    )
    up.add_argument(
        "--gpu-types",
        default="a100",
        help="GRES types of pretended GPUs, node by node in turn, such as a100,v100",
    )
    for verb in ("status", "env", "restart-controller"):
        verbs.add_parser(verb)
    for verb in ("crash", "start"):
        verbs.add_parser(verb).add_argument("node")
    verbs.add_parser("down").add_argument("--purge", action="store_true")
    return parser.parse_args(arguments)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least} to {most}, but is {text!r} instead"
            )
        return int(text)

    return read


if __name__ == "__main__":
    sys.exit(main())
