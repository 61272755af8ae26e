"""How fast the development cluster comes up, a job's ranks get to work, and faults show.

    python tests/benchmarks/slurm.py [--ranks 32] [--skip-faults]

Needs slurm/packages.txt. Everything runs on this machine's cores, so the times of ranks say how
long it takes here; `load average` beside them says who else was at work.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths
from telemetry.record.schema import Phase
from tests.system.slurm.site import LONG_POINT, POINT, TWO_NODES, Site, job_id, kill_rank

PROGRAM = Path(__file__).resolve().parents[2] / "slurm" / "devcluster"


@contextmanager
def cluster(nodes: int, gpus: int) -> Iterator[Site]:
    """A fresh cluster; prints how long it took."""
    with tempfile.TemporaryDirectory(prefix="jg-") as folder:
        command = [sys.executable, str(PROGRAM), "--folder", folder]
        up = ("up", str(nodes), str(gpus))
        site = Site(folder=Path(folder), command=command, up=up)
        for label in ("cold", "warm"):
            begun_s = time.monotonic()
            said = site.control(*up)
            assert said.startswith("export "), said
            say(f"up {nodes} x {gpus}, {label}: {time.monotonic() - begun_s:.1f} s")
            if label == "cold":
                begun_s = time.monotonic()
                site.control("down")
                say(f"down: {time.monotonic() - begun_s:.1f} s")
        try:
            yield site
        finally:
            site.control("down", "--purge")
            Path(folder).mkdir(exist_ok=True)


def first_token(site: Site, results: Path, ranks: int) -> None:
    """From Slurm's start of the job to the first generated token, phase by phase."""
    words = (f"gpus={ranks}", f"cluster.gpus_per_node={max(1, ranks // 4)}")
    attempt = site.queue(results, *POINT, *words, "max_gen_len=2", "prompts=2")
    site.wait("the seal", attempt.seal.is_file, patience_s=500.0)
    start = site.slurm("sacct", "-n", "-X", "-P", "-j", job_id(attempt), "-o", "Start")
    spans = pq.read_table(attempt.table("spans"), filters=pc.field("rank") == 0)
    seconds, token_s = {}, 0.0
    for phase in (Phase.STARTUP, Phase.IDLE, Phase.LOAD, Phase.WARMUP, Phase.PREFILL):
        rows = spans.filter(pc.equal(spans["phase"], phase.value)).slice(0, 1).to_pylist()
        seconds[phase] = (rows[0]["t_end_us"] - rows[0]["t_start_us"]) / 1e6
        if phase == Phase.PREFILL:
            token_s = rows[0]["t_end_us"] / 1e6
    total_s = token_s - datetime.fromisoformat(start).timestamp()
    parts = ", ".join(f"{phase.value} {value:.1f}" for phase, value in seconds.items())
    say(
        f"{ranks} ranks on {min(4, ranks)} nodes: allocation to first token {total_s:.1f} s, less "
        f"load {total_s - seconds[Phase.LOAD]:.1f} s (of rank 0: {parts}); "
        f"load average {os.getloadavg()[0]:.0f}"
    )


def time_fault(
    site: Site, results: Path, name: str, act: Callable[[AttemptPaths], object], *words: str
) -> None:
    """Seconds from a fault to the attempt's end record, and to accounting's last word."""
    attempt = site.start(results, *LONG_POINT, *TWO_NODES, *words)
    begun_s = time.monotonic()
    act(attempt)
    site.wait("the end's record", attempt.ended.is_file)
    record_s = time.monotonic() - begun_s
    site.wait(
        "accounting", lambda: site.job_state(attempt) not in {"RUNNING", "PENDING", "COMPLETING"}
    )
    books_s = time.monotonic() - begun_s
    end = read_json(attempt.ended)
    say(
        f"{name}: recorded as {end['state']} after {record_s:.1f} s by {end['by']}, "
        f"sacct {site.job_state(attempt)} after {books_s:.1f} s"
    )
    site.recover()


def say(line: str) -> None:
    """Print at once: a run takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, default=32)
    parser.add_argument("--skip-faults", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, cluster(4, 8) as site:
        first_token(site, Path(scratch) / "first", given.ranks)
        if given.skip_faults:
            return
        faults: list[tuple[str, Callable[[AttemptPaths], object], tuple[str, ...]]] = [
            ("a rank kill -9", lambda attempt: kill_rank(attempt, 1), ()),
            ("a node crashes", lambda _: site.control("crash", "n2"), ()),
            ("the first node crashes", lambda _: site.control("crash", "n1"), ()),
            ("scancel", lambda attempt: site.slurm("scancel", job_id(attempt)), ()),
            (
                "preemption",
                lambda _: site.slurm("sbatch", "-N4", "--exclusive", "-o/dev/null", "--wrap=true"),
                ("cluster.slurm.partition=low",),
            ),
        ]
        for number, (name, act, words) in enumerate(faults):
            time_fault(site, Path(scratch) / str(number), name, act, *words)


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        raise SystemExit(f"no real Slurm here: {error}; see slurm/packages.txt") from error
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"too slow here: {error}") from error
