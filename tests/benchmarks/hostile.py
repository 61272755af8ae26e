"""What the readers of a results folder do with folders made to harm them; needs no GPU.

    python -m tests.benchmarks.hostile [--folders 2000] [--seed 0]

Bound, written before: none hangs, falls, takes more than 1 GiB or lets through what steers a
terminal, a page, a figure or a table; half a second of processor time a folder.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median

from tests.support.hostile_folders import BREAKAGES, Damage
from tests.support.hostile_reader import read_damaged, template


def main() -> int:
    """Print what was found, the worst memory and time, and each folder that broke a reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folders", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    broken = 0
    peaks: list[int] = []
    times: list[float] = []
    codes: Counter[tuple[str, int]] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "sound").mkdir()
        sound = template(Path(scratch) / "sound")
        for number in range(given.first, given.folders):
            damage = _damage(given.seed * 1_000_003 + number)
            reading = read_damaged(sound, damage, Path(scratch) / str(number))
            peaks.append(reading.peak_bytes)
            times.append(reading.cpu_s)
            codes.update(reading.codes.items())
            for fault in reading.faults:
                broken += 1
                sys.stdout.write(f"{number}: {damage}: {fault}\n")
                sys.stdout.flush()
    sys.stdout.write(
        f"{len(peaks)} folders, {broken} faults; peak {max(peaks) / 2**20:.0f} MiB; processor "
        f"{median(times):.2f} s in the middle, {max(times):.1f} s at most, "
        f"{sum(times):.0f} s in all\n"
    )
    sys.stdout.writelines(
        f"{name} {code}: {count}\n" for (name, code), count in sorted(codes.items())
    )
    return int(broken > 0)


def _damage(number: int) -> Damage:
    chance = random.Random(number)  # noqa: S311 -- reproducible, and no secret
    return Damage(
        number=chance.randrange(1 << 30),
        breakages=tuple(chance.sample(sorted(BREAKAGES), chance.randrange(1, 4))),
        seal=chance.choice(("again", "again", "stale", "none")),
    )


if __name__ == "__main__":
    raise SystemExit(main())
