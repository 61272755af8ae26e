"""The plan tells apart what the grid tells apart, and nothing else."""

from pathlib import Path

from rich.console import Console

from launcher.display import plan_table
from launcher.door import read_points
from launcher.grid import check


def plan(results: Path, *words: str) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(plan_table(check(read_points([f"results={results}", *words]))))
    return captured.get()


def test_a_grid_of_the_reference_engine_alone_has_no_column_for_it(tmp_path: Path) -> None:
    assert "engine" not in plan(tmp_path, "cluster=h200", "model=7b").splitlines()[2]


def test_quantizations_stand_beside_the_engine_in_rows_of_their_own(tmp_path: Path) -> None:
    text = plan(tmp_path, "cluster=h200", "model=7b", "quantization=none,int8", "seed=range(40)")
    rows = [line for line in text.splitlines() if line.strip().startswith("7b")]
    assert [("reference int8" in row, "40 " in row) for row in rows] == [
        (False, True),
        (True, True),
    ]
