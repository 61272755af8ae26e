"""How fast a rank's weights come to be on its device: drawn, or read from a checkpoint's files.

    python -m tests.benchmarks.loading [--model micro] [--device cpu] [--degree 1] [--rank 0]
                                       [--files 1] [--folder DIR]

Bound, written before. Drawn on an H200: each number is written and read once in fp32 and written in
fp16, 10 bytes of its 4.8 TB/s, so 7B moves in 14 ms; but its 14,464 strips are four launches each,
of some 10 us: predicted 0.6 s for 7B on one GPU, and an eighth of 65B's 35,968 in 0.2 s. Read from
files that are in the page cache: one thread's copies through pageable memory, predicted 3 to 6 GB/s
for rows and 2 to 3 for columns, which are gathered first. Hashed: one core's SHA-256 for each file,
up to four at a time, 1 to 2 GB/s each where the CPU has instructions for it.

What was read is compared with what was drawn, number by number: the files hold random weights.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from tests.support.checkpoints import write_params
from workers.checkpoints.digests import hash_files
from workers.checkpoints.files import find_files
from workers.checkpoints.reader import Checkpoint
from workers.models.llama.shape import SHAPES, LlamaShape
from workers.models.random_weights import RandomWeights, WeightSource
from workers.planning.families import parameters_of

SEED = 1


def main() -> int:
    """Print seconds and rates; 1 when a number read is not the one that was drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="micro", choices=sorted(SHAPES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--degree", type=int, default=1)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where there is room for it")
    given = parser.parse_args()
    shape, device = SHAPES[given.model], torch.device(given.device)
    drawn = _rooms(shape, given.degree, device)
    source = RandomWeights(shape, SEED, rank=given.rank, degree=given.degree)
    # The first generator and kernel of a process take a second that is no weight's.
    source.fill("norm.weight", drawn["norm.weight"])
    size = sum(weight.nbytes for weight in drawn.values())
    with _timed(f"drawn at degree {given.degree}", size, device):
        _fill(source, drawn)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        with _timed(f"written in {given.files} files", None, device):
            _write(folder, shape, given.files, device)
        files = find_files(folder)
        with _timed("hashed", sum(path.stat().st_size for path in files.paths()), device):
            hash_files(files)
        with _timed("opened and checked", None, device):
            checkpoint = Checkpoint(files, shape, rank=given.rank, degree=given.degree)
        read = _rooms(shape, given.degree, device)
        with _timed(f"read at degree {given.degree}", size, device):
            _fill(checkpoint, read)
    wrong = [name for name, weight in drawn.items() if not torch.equal(weight, read[name])]
    sys.stdout.write(f"read and drawn differ in {wrong[0]}\n" if wrong else "all numbers equal\n")
    return int(bool(wrong))


def _rooms(shape: LlamaShape, degree: int, device: torch.device) -> dict[str, Tensor]:
    return {
        name: torch.empty(parameter.part_size(degree), dtype=torch.float16, device=device)
        for name, parameter in parameters_of(shape).items()
    }


def _fill(source: WeightSource, weights: dict[str, Tensor]) -> None:
    for name, weight in weights.items():
        source.fill(name, weight)


def _write(folder: Path, shape: LlamaShape, files: int, device: torch.device) -> None:
    """Write random weights in Meta's layout, one file at a time."""
    for number in range(files):
        weights = _rooms(shape, files, device)
        _fill(RandomWeights(shape, SEED, rank=number, degree=files), weights)
        held = {name: weight.cpu() for name, weight in weights.items()}
        torch.save(held, folder / f"consolidated.{number:02d}.pth")
    write_params(folder, shape)


@contextmanager
def _timed(what: str, size: int | None, device: torch.device) -> Iterator[None]:
    started = time.monotonic()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize()
    took_s = time.monotonic() - started
    rate = "" if size is None else f": {size / 1e9:.3f} GB at {size / 1e9 / took_s:.2f} GB/s"
    sys.stdout.write(f"{what} in {took_s:.2f} s{rate}\n")


if __name__ == "__main__":
    sys.exit(main())
