"""Tables, figures and one page from the sealed runs of a results folder.

python -m analysis RESULTS [--out DIR]
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table as RichTable

from analysis.report.formatting import cell_text
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from analysis.tables.column import alike
from analysis.tables.table import Table

EXIT_NO_RESULTS: Final = 2
"""There is no such folder, or no sealed run in it."""

# A hundred columns hold these; the page and the CSV files have all.
_SHOWN: Final = {
    "model": "model",
    "dataset": "prompts",
    "gpu": "GPU",
    "engine": "engine",
    "quantization": "quantized",
    "gpus": "GPUs",
    "batch_size": "batch",
    "max_gen_len": "length",
    "n": "n",
    "energy_per_token_j_mean": "J/token",
    "power_w_mean": "W",
    "tokens_per_s_mean": "tokens/s",
}
_WIDTH: Final = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Write the report of a results folder; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.add_argument("results", type=Path, help="the results folder")
    parser.add_argument("--out", type=Path, help="where to write; RESULTS/report by default")
    arguments = parser.parse_args(argv)
    try:
        written = write_report(load(arguments.results), arguments.out)
    except (FileNotFoundError, ValueError) as error:
        sys.stderr.write(f"analysis: {error}\n")
        return EXIT_NO_RESULTS
    console = Console(highlight=False, markup=False, soft_wrap=True)
    groups = written.tables.groups
    same = _same(groups)
    names = [name for name in _SHOWN if name not in same]
    console.print(_rich(groups, names), soft_wrap=False, width=_WIDTH)
    if same:
        values = ", ".join(f"{_SHOWN[name]} {groups.rows[0][name]}" for name in same)
        console.print(f"the same in every row: {values}")
    simulated = sum(bool(row["simulated"]) for row in written.tables.runs.rows)
    if simulated:
        console.print(
            f"SIMULATED: {simulated} of {len(written.tables.runs.rows)} runs are no "
            "measurement of a GPU"
        )
    others = len(written.tables.not_counted.rows)
    if others:
        console.print(f"{others} runs or attempts are not counted; the report says why")
    console.print(f"report: {written.page}")
    console.print(f"next: python -m analysis.audit {arguments.results}")
    return 0


def _rich(table: Table, names: Sequence[str]) -> RichTable:
    columns = {column.name: column for column in table.columns}
    shown = RichTable(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
    for name in names:
        is_text = columns[name].type == "text"
        shown.add_column(
            _SHOWN[name],
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=not is_text,
        )
    for row in table.rows:
        shown.add_row(*(cell_text(row, columns[name]) for name in names))
    return shown


def _same(table: Table) -> list[str]:
    """Columns of the printed table that are the same in every row, so that one line does."""
    return [column.name for column in alike(table.columns, table.rows) if column.name in _SHOWN]


if __name__ == "__main__":
    sys.exit(main())
