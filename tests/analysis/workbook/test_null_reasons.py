"""Every number that nobody has says why, in every table, of records that lack all sorts of things.

Each case lacks what another has: a second run, a second board, power, energy above rest, rates.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook.build import build_tables
from tests.support.records import Plan, build_run

_H200: Final = {"name": "NVIDIA H200", "kind": "h200"}
_TWO: Final = {"gpus": 2, "gpus_per_node": 2}
_FAST: Final = {"engine": "fast"}
_MOST_W: Final = 350.0


def real(spec: Mapping[str, Any] | None = None, **more: Any) -> Plan:
    return Plan(spec={"gpu": "h200", "dtype": "fp16", **(spec or {})}, gpu=_H200, **more)


def read(change: Callable[[float], float | None]) -> dict[str, Any]:
    """A board that has power alone, changed so; None drops the reading."""

    def sample(row: dict[str, Any]) -> dict[str, Any] | None:
        if row["field"] != "power_instant_w":
            return row
        value = change(row["value"])
        return None if value is None else {**row, "value": value}

    return {"counter": False, "sample": sample}


def silent(row: dict[str, Any]) -> dict[str, Any]:
    nothing = {"generated_tokens": 0, "generated_ids": [], "words": 0, "ended": True}
    return {**row, **nothing, "first_token_us": None, "last_token_us": None}


CASES: Final[Mapping[str, tuple[Plan, ...]]] = {
    "one run": (real(),),
    "two works": (Plan(), Plan(spec={"temperature": 0.5})),
    "a dead sensor": (real(**read(lambda _: 0.0)), real(_TWO, **read(lambda _: 0.0))),
    "no power": (real(**read(lambda _: None)), real(_TWO)),
    "less at work than at rest": (
        real(**read(lambda power_w: _MOST_W - power_w)),
        real({"engine": "fast"}, **read(lambda power_w: _MOST_W - power_w)),
    ),
    "no token": (real(response=silent), real({"engine": "fast"})),
    "one token": (real({"max_gen_len": 1}),),
    "old records": (real(steps=False, idle=False), real({"engine": "fast"}, steps=False)),
    "two numbers of GPUs": (real(), real(_TWO)),
    "two formats of weights": (real(_FAST), real({**_FAST, "quantization": "int8"})),
    "a format of weights alone": (real({**_FAST, "quantization": "int8"}),),
    "formats of old records": (
        real(_FAST, steps=False, idle=False),
        real({**_FAST, "quantization": "int4"}, steps=False, **read(lambda _: None)),
    ),
    "two repeats": (real(), real({"repeat": 1}, decode_s=1.6)),
}


def silent_nulls(tables: Tables) -> Iterator[str]:
    """Each null of a column that has one for the reason, and the reason is empty."""
    for table in tables.all():
        for column in table.columns:
            for row in table.rows if column.reason else ():
                if row.get(column.name) is None and not row[str(column.reason)]:
                    yield f"{table.name}.{column.name} by {column.reason}"


@pytest.mark.parametrize("case", CASES)
def test_every_number_that_nobody_has_says_why(case: str, tmp_path: Path) -> None:
    for plan in CASES[case]:
        build_run(tmp_path, plan)
    tables = build_tables(load(tmp_path))
    assert [(other.run_id, other.reason) for other in tables.others] == []
    assert not sorted(set(silent_nulls(tables)))


def test_of_a_work_alone_the_product_says_that_it_is_alone(tmp_path: Path) -> None:
    build_run(tmp_path, Plan())
    (row,) = build_tables(load(tmp_path)).energy_delay.rows
    assert row["energy_delay_over_least"] is None
    said = row["energy_delay_over_least_interval_from"]
    assert said == row["reason"] == "the only point of this work that has one"


def test_use_of_peaks_that_nobody_measured_says_whose(tmp_path: Path) -> None:
    build_run(tmp_path, real({"dtype": "fp32"}))
    (row,) = build_tables(load(tmp_path)).performance.rows
    said = str(row["performance_measured_reason"])
    assert row["decode_flop_utilization_measured"] is None
    assert said == "nobody measured operations in fp32 of such a board"
