"""How long until a campaign is queued, beside Hydra's own way: its stock sweeper and submitit.

    python -m tests.benchmarks.launch --plugin /path/to/site [--rounds 3] [--sizes 100 1000 10000]

Both get the same configuration, the same sweep and the same Slurm, whose commands are stand-ins
that say yes and keep the time: nothing runs. What counts is from the command's start to the last
sbatch of a job array; for ours to its end, when all is on the disk. `--plugin` is a folder with
hydra-submitit-launcher:

    pip install --no-deps --target /path/to/site hydra-submitit-launcher==1.2.0

The rounds are interleaved and the ratios are of one round, as the machine may be busy.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.config.listing import CONF
from tests.conftest import REPOSITORY

# Hydra's own way is measured at this size: at 1,000 points it takes a minute a round.
_PEER_POINTS: Final = 100
_PATIENCE_S: Final = 600.0
_SBATCH: Final = """#!/bin/bash
n=$(( $(wc -l < "$BENCH_MARKS") + 1 ))
date +%s.%N >> "$BENCH_MARKS"
case "$*" in *--parsable*) echo $n ;; *) echo "Submitted batch job $n" ;; esac
"""
_SCONTROL: Final = "#!/bin/bash\necho 'ClusterName = bench'\necho 'MaxArraySize = 100001'\n"
_NOTHING: Final = "#!/bin/bash\n"
_PEER: Final = """
import hydra
@hydra.main(config_path={conf!r}, config_name="config", version_base="1.3")
def main(config):
    pass
from launcher.config.hydra_plugins import register
register()
main()
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One command, from its start to its last sbatch."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plugin", type=Path, help="a folder with hydra-submitit-launcher")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[_PEER_POINTS, 1000, 10_000])
    given = parser.parse_args(arguments)
    _say(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.rounds} rounds")
    peers: list[Run] = []
    ours: dict[int, list[Run]] = {size: [] for size in given.sizes}
    for _ in range(given.rounds):
        if given.plugin is not None:
            peers.append(_peer(given.plugin.absolute()))
        for size, runs in ours.items():
            runs.append(_ours(size))
    if peers:
        _print(f"hydra-submitit {_PEER_POINTS:>6} points", peers)
    for size, runs in ours.items():
        _print(f"joulegrid      {size:>6} points", runs)
        if peers:
            ratios = [
                (peer.wall_s / _PEER_POINTS) / (run.wall_s / size)
                for peer, run in zip(peers, runs, strict=True)
            ]
            _say(f"    hydra-submitit takes {_spread(ratios)} times as long a point")


def _ours(size: int) -> Run:
    """Three shapes; every point its own length and temperature."""
    with tempfile.TemporaryDirectory(prefix="jg-bench-") as name:
        scratch = Path(name)
        words = [
            "cluster=devcluster",
            "cluster.gpus_per_node=4",
            *_sweep(size, shapes=3),
            f"results={scratch / 'results'}",
            "allow_dirty=true",
        ]
        # One sbatch for each array and one for the job that closes it.
        return _timed([sys.executable, "-m", "launcher", *words], scratch, {}, sbatches=6)


def _peer(plugin: Path) -> Run:
    """One shape, which is all that it can."""
    with tempfile.TemporaryDirectory(prefix="jg-bench-") as name:
        scratch = Path(name)
        program = scratch / "peer.py"
        program.write_text(_PEER.format(conf=str(CONF)))
        words = [
            "hydra/launcher=submitit_slurm",
            "hydra/sweeper=basic",
            "cluster=devcluster",
            *_sweep(_PEER_POINTS, shapes=1),
            f"hydra.sweep.dir={scratch / 'sweep'}",
            "hydra.sweep.subdir=${hydra.job.num}",
        ]
        extra = {"PYTHONPATH": f"{plugin}:{REPOSITORY}", "JOULEGRID_CLUSTER": "slurm"}
        return _timed([sys.executable, str(program), *words], scratch, extra, sbatches=1)


def _sweep(size: int, *, shapes: int) -> list[str]:
    gpus = ",".join(str(2**power) for power in range(shapes))
    temperatures = ",".join(f"0.{digit}" for digit in range(10))
    lengths = -(-size // (shapes * 10))
    return [
        f"gpus={gpus}",
        f"temperature={temperatures}",
        f"max_gen_len=range(8,{8 + lengths})",
        "prompts=4",
        "dataset.source=sample",
    ]


def _timed(command: list[str], scratch: Path, extra: dict[str, str], *, sbatches: int) -> Run:
    commands = scratch / "bin"
    commands.mkdir()
    for name in ("sbatch", "scontrol", "squeue", "sacct", "srun", "scancel"):
        text = {"sbatch": _SBATCH, "scontrol": _SCONTROL}.get(name, _NOTHING)
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    marks = scratch / "marks"
    marks.touch()
    environment = {
        **os.environ,
        **extra,
        "PATH": f"{commands}:{os.environ['PATH']}",
        "BENCH_MARKS": str(marks),
    }
    log = (scratch / "log").open("w")
    begun_s = time.time()
    process = subprocess.Popen(
        command, env=environment, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT
    )
    while len(times := marks.read_text().split()) < sbatches:
        if process.poll() is not None or time.time() - begun_s > _PATIENCE_S:
            shutil.copy(scratch / "log", "/dev/stderr")
            raise SystemExit(f"{command[1:3]} ended before its last sbatch")
        time.sleep(0.01)
    # Ours ends by itself once its records are written; a peer would wait for its jobs.
    if sbatches == 1:
        process.kill()
    _, _, usage = os.wait4(process.pid, 0)
    wall_s = (float(times[-1]) if sbatches == 1 else time.time()) - begun_s
    return Run(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        memory_mb=usage.ru_maxrss / 1024,
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _print(what: str, runs: Sequence[Run]) -> None:
    wall = _spread([run.wall_s for run in runs])
    cpu = _spread([run.cpu_s for run in runs])
    memory = max(run.memory_mb for run in runs)
    _say(f"{what}: {wall} s, {cpu} s of processor, {memory:.0f} MB at most")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    main()
