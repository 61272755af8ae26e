"""Table three: arXiv 2310.03003's power caps by both engines, a whole campaign on simulated boards.

    python -m tests.benchmarks.table_three FOLDER [WORD ...]

Launcher, watchers, ranks, merge, seal, report and audit are the real ones; a board is that of the
NVML library's double, whose power, clock and speed answer to limits by the model that
`tests.benchmarks.clock_model` fits. Nothing of it is measured, and every table says so. WORDs are
the launcher's and come after those of the campaign.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pyarrow.csv

from tests.benchmarks.clock_model import fit_table_three
from tests.conftest import REPOSITORY
from tests.doubles.nvml.library import SharedBoards, World, build

CAPS_W: Final = (250, 175, 150)
"""Table III's."""
ENGINES: Final = ("reference", "fast")
"""Those that come with the program for models of LLaMA's shape."""
DRIVEN: Final = REPOSITORY / "tests" / "doubles" / "driven"
"""What PYTHONPATH has to name for simulated boards to have a driver."""
# A step of `nano` works some 10 ms on one core, and several times that on a busy machine.
STEP_S: Final = 0.1
"""What a step is made to take at the highest clock."""
# At the highest clock a board draws as much as a cap of 250 W lets it: the table's base.
_MOST_W: Final = 250.0 * 0.9945
_A100: Final[Mapping[str, object]] = {
    "product": "NVIDIA A100-SXM4-80GB",
    "uuid": "SIM",
    "capability": 80,
    "top_mhz": 1410,
    "top_memory_mhz": 1593,
    "least_w": 150,
    "most_w": 300,
    "idle_w": 50.0,
    "busy_w": _MOST_W,
    "model": 1,
    "rests": 0,
    # Power is no constant, within the 20 ms of a sample neither.
    "cycle_ms": 33,
    "duty": 0.97,
}
_MEMORY_BYTES: Final = 80 * 2**30
POINT: Final = (
    "cluster=local",
    "gpu=simulated-a100",
    "power=watcher",
    "model=nano",
    "dataset=fixed",
    "prompts=4",
    "batch_size=4",
    "max_prompt_len=32",
    "max_gen_len=64",
    "ignore_eos=true",
    # Drawing from 32,000 probabilities takes a CPU longer than all layers.
    "temperature=0",
    "gpus=1",
    "telemetry.idle_s=1",
    "warmup_batches=0",
    "max_warmup_batches=null",
    "min_window_s=0",
    "allow_dirty=true",
)
"""Work that a core does in a second."""


@dataclass(frozen=True, kw_only=True)
class DrivenBoard:
    """A simulated A100 of this machine that has a driver, and what a launcher needs to see it."""

    folder: Path
    """Its library, what it is, what it stands at and what was there before."""
    world: World
    """What it is."""

    @classmethod
    def make(cls, folder: Path) -> Self:
        """One that nobody has set."""
        folder.mkdir(parents=True)
        build(folder)
        still_w = fit_table_three().still_share * _MOST_W
        world = World(
            folder / "world", **{**_A100, "still_w": still_w, "shared": folder / "boards"}
        )
        return cls(folder=folder, world=world.wild("memory_total", _MEMORY_BYTES))

    @property
    def environment(self) -> dict[str, str]:
        """Of whatever is to see it."""
        return {
            **os.environ,
            **self.world.environment,
            "LD_LIBRARY_PATH": str(self.folder),
            "PYTHONPATH": str(DRIVEN),
            "JOULEGRID_POWER_BOOK": str(self.folder / "book"),
            "JOULEGRID_DOUBLE_STEP_S": str(STEP_S),
        }

    @property
    def limit_w(self) -> float:
        """The cap that it stands at; some process must have used it."""
        return SharedBoards(self.folder / "boards").settings(0).limit_w

    def run(self, module: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the program beside this board."""
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=REPOSITORY,
        )

    def launch(self, results: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """The points that `words` name, run one after the other."""
        return self.run("launcher", f"results={results}", "-m", *POINT, *words)


def cells(results: Path, **having: object) -> list[dict[str, Any]]:
    """Rows of table III engine by engine, of a report, where ours is known."""
    path = results / "report" / "tables" / "paper_table3_engines.csv"
    rows = pyarrow.csv.read_csv(path).to_pylist()
    return [
        row
        for row in rows
        if row["our_value"] is not None and all(row[key] == one for key, one in having.items())
    ]


def told(results: Path) -> Iterator[str]:
    """The table, a line a number and engine."""
    yield f"{'engine':10} {'tokens':16} {'cap W':>6} {'quantity':14} {'paper':>7} {'ours':>7} ratio"
    for row in cells(results, simulated=True):
        yield (
            f"{row['engine']:10} {row['max_gen_len']!s:16} {row['power_cap_w']:6g} "
            f"{row['metric']:14} {row['paper_value']:+7.1f} {row['our_value']:+7.1f} "
            f"{row['ratio']:5.2f}"
        )


def main(words: Sequence[str]) -> int:
    """Run it, report it, audit it, and print what came out; the audit's exit code."""
    folder = Path(words[0]).resolve()
    board = DrivenBoard.make(folder / "board")
    axes = (f"engine={','.join(ENGINES)}", f"power_cap_w={','.join(map(str, CAPS_W))}")
    results = folder / "results"
    # The launcher reports by itself.
    for done in (
        launched := board.launch(results, *axes, *words[1:]),
        audited := board.run("analysis.audit", str(results)),
    ):
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
    if launched.returncode:
        return launched.returncode
    sys.stdout.write("SIMULATED: a stated model of a board, no measurement\n")
    sys.stdout.writelines(f"{line}\n" for line in told(results))
    return audited.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
