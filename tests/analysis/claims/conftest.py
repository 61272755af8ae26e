"""Samples and results folders whose verdicts can be worked out by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.claims.sample import Sample
from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

# As NVIDIA's driver calls them.
_NAMES = {
    "h100": "NVIDIA H100 80GB HBM3",
    "h200": "NVIDIA H200",
    "v100": "Tesla V100-PCIE-32GB",
}


def sample(values: Sequence[float], metric: str = "power_w", **conditions: Any) -> Sample:
    """Repeats with these numbers and sensors without a fault."""
    sensors: Row = {"energy_j": 1.0, "energy_uncertainty_j": 0.0, "energy_gain_uncertainty_j": 0.0}
    rows: tuple[Row, ...] = tuple({**sensors, metric: value} for value in values)
    made: dict[str, Any] = {"gpu": "h200", "model": "7b", "gpus": 1, "dataset": "gsm8k"}
    return Sample(
        conditions={**made, **conditions},
        rows=rows,
        runs=tuple(f"{conditions}-{index}" for index in range(len(values))),
        boards=frozenset(),
        simulated=False,
        labels=(),
        as_asked=True,
        limits_w=frozenset({700.0}),
        published={},
    )


def named(board: str) -> dict[str, Any]:
    """What the driver says of such a board; nothing of a simulated one."""
    name = _NAMES.get(board)
    return {} if name is None else {"name": name, "kind": board, "power_limit_w": 250.0}


def fill(results: Path, **changes: Any) -> Path:
    """Three repeats of one point on an H200 that scatter by a per cent."""
    spec = changes.pop("spec", {})
    repeats = changes.pop("repeats", 3)
    for repeat in range(repeats):
        build_run(
            results,
            Plan(
                spec={"gpu": "h200", **spec, "repeat": repeat},
                decode_s=1.5 + 0.02 * repeat,
                gpu=named(str({"gpu": "h200", **spec}["gpu"])),
                **changes,
            ),
        )
    return results


def claims_table(results: Path) -> dict[tuple[str, str, str], Row]:
    """The table of claims by claim, what it was held against, and board."""
    rows = build_tables(load(results)).claims.rows
    return {(str(r["claim"]), str(r["by_what"]), str(r["gpu"])): r for r in rows}
