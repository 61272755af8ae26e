"""What watching costs a decode, and how far counter and integral agree; needs a GPU.

    python -m tests.benchmarks.watching [--rounds 5] [--seconds 12] [--model 7b]

Bound, written before: 0.999 of the rate without a watcher, as the watcher shares neither GPU nor
core with the rank; counter and integral within 1 % over 10 s, as the counter changes every 100 ms.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from telemetry.clock import HostClock
from telemetry.record.spec import RunSpec
from telemetry.shards.writer import list_parts
from telemetry.sources.nvml.energy_counter import EnergyCounter
from telemetry.watcher.process import WatcherProcess
from tests.conftest import SPEC
from tests.support.engines import open_for
from tests.support.ranks import make_rank
from tests.support.watched_attempts import make_attempt
from workers.distributed.process_group import open_mesh
from workers.distributed.rendezvous import open_rendezvous
from workers.models.llama.shape import SHAPES
from workers.session.placement import take_device

BATCH, PROMPT_LEN, NEW = 64, 128, 128


def main() -> int:
    """Print the ratio of rates, and both energies of an idle, a busy and a bursty window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--model", default="7b")
    given = parser.parse_args()
    device = take_device(make_rank(0, 1), "cuda")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            open_rendezvous(make_rank(0, 1), folder / "rendezvous.json") as rendezvous,
            open_mesh(rendezvous, degree=1, device=device),
            torch.inference_mode(),
        ):
            decode = _decoder(given.model, device)
            decode()
            _compare_rates(folder, decode, given.rounds)
            _compare_energies(folder, decode, device, given.seconds)
    return 0


def _decoder(model: str, device: torch.device) -> Callable[[], float]:
    spec = RunSpec.from_mapping(
        {
            **SPEC,
            "model": model,
            "dtype": "fp16",
            "gpu": "h200",
            "batch_size": BATCH,
            "max_prompt_len": PROMPT_LEN,
            "max_gen_len": NEW,
            "ignore_eos": True,
        }
    )
    engine = open_for(spec, device)
    ids = torch.randint(
        3, SHAPES[model].vocab, (BATCH, PROMPT_LEN), generator=torch.Generator()
    ).tolist()

    def decode() -> float:
        """Decode once; tokens per second."""
        engine.prefill(ids, 1)
        torch.cuda.synchronize()
        start_s = time.perf_counter()
        engine.decode()
        torch.cuda.synchronize()
        return BATCH * NEW / (time.perf_counter() - start_s)

    return decode


def _compare_rates(folder: Path, decode: Callable[[], float], rounds: int) -> None:
    ratios = []
    for number in range(rounds):
        bare = decode()
        with _watched(folder / f"round-{number}"):
            watched = decode()
        bare = (bare + decode()) / 2
        ratios.append(watched / bare)
    spread = f"{min(ratios):.4f} to {max(ratios):.4f}"
    _say(f"decode rate watched over not watched: {median(ratios):.4f} ({spread}, n={rounds})")


def _compare_energies(
    folder: Path, decode: Callable[[], float], device: torch.device, seconds: float
) -> None:
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"

    def idle() -> None:
        time.sleep(seconds)

    def busy() -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            decode()

    def bursty() -> None:
        matrix = torch.randn(8192, 8192, device=device, dtype=torch.float16)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            for _ in range(60):
                matrix @ matrix
            torch.cuda.synchronize()
            time.sleep(0.15)

    rank_counter = EnergyCounter(uuid)
    for name, load in (("idle", idle), ("busy", busy), ("bursty", bursty)):
        place = folder / name
        with _watched(place) as clock:
            time.sleep(2.0)
            start_us, start_j = clock.now_us(), rank_counter.energy_j()
            load()
            end_us, end_j = clock.now_us(), rank_counter.energy_j()
            time.sleep(2.0)
        integral_j = _integral_j(place, uuid, start_us, end_us)
        counter_j = end_j - start_j
        _say(
            f"{name}: {(end_us - start_us) / 1e6:.1f} s, counter {counter_j:.1f} J, integral of "
            f"power_sample_w {integral_j:.1f} J, {integral_j / counter_j - 1:+.2%}"
        )


@contextmanager
def _watched(results: Path) -> Iterator[HostClock]:
    results.mkdir()
    run, _ = make_attempt(results, launch={"telemetry": "nvml", "period_ms": 100})
    with WatcherProcess(results, run.run_id, 1, "n1") as watch:
        ready = watch.wait_ready(60)
        yield HostClock(offset_us=ready["clock_offset_us"])


def _integral_j(results: Path, uuid: str, start_us: int, end_us: int) -> float:
    (shard,) = results.glob("*/attempt-001/shards/samples/n1")
    table = pa.concat_tables(pq.read_table(part.path) for part in list_parts(shard))
    mine = pc.and_(pc.equal(table["field"], "power_sample_w"), pc.equal(table["device"], uuid))
    rows = table.filter(mine).sort_by("t_us")
    t_us, power_w = rows["t_us"].to_numpy(), rows["value"].to_numpy()
    inside = (t_us > start_us) & (t_us < end_us)
    edges_us = np.concatenate(([start_us], t_us[inside], [end_us]))
    return float(np.trapezoid(np.interp(edges_us, t_us, power_w), edges_us / 1e6))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
