"""Written: a comparison as JSON, and as a folder of files."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from analysis.compare.comparison import Comparison
from analysis.compare.facts import FACTS, fact_text
from analysis.compare.figure import ratios
from analysis.compare.table import table_of
from analysis.compare.verdict import Judgement, SideFigures
from analysis.figures.canvas import standalone
from analysis.report.latex import latex
from telemetry.document import strict
from telemetry.record.files import write_bytes


def to_mapping(comparison: Comparison) -> dict[str, Any]:
    """The JSON form: all that is printed, and every number in full."""
    return {
        "by": list(comparison.axes.names),
        "margin": comparison.margin,
        "summary": comparison.summary(),
        "same": comparison.same,
        "simulated": comparison.simulated,
        "sides": [
            {
                "letter": side.letter,
                "name": side.name,
                "path": str(side.path),
                "runs": len(side.members),
                "not_counted": len(side.not_counted),
                "facts": {
                    name: fact_text((member.run for member in side.members), name) for name in FACTS
                },
            }
            for side in comparison.sides
        ],
        "reproductions": [
            found for each in comparison.reproductions if (found := each.to_mapping()) is not None
        ],
        "cells": cells_mapping(comparison),
        "claims": [one.to_mapping() for one in comparison.claims],
        "not_compared": [
            {"side": one.letter, "point": one.point, "runs": one.runs, "reason": one.reason}
            for one in comparison.not_compared
        ],
        "not_counted": [
            {
                "side": side.letter,
                "run_id": one.run_id,
                "attempt": one.attempt,
                "state": one.state,
                "reason": one.reason,
            }
            for side in comparison.sides
            for one in side.not_counted
        ],
    }


def cells_mapping(comparison: Comparison) -> list[dict[str, Any]]:
    """Every cell with its runs, what is to be known of it, and every number by metric."""
    return [
        {
            "name": name,
            "base": cell.base.letter,
            "other": cell.other.letter,
            "spec": _spec(cell.base_members[0].run.spec.to_mapping()),
            "base_runs": [member.run.run_id for member in cell.base_members],
            "other_runs": [member.run.run_id for member in cell.other_members],
            "labels": list(labels),
            "metrics": {
                verdicts[index].metric.name: _verdict(verdicts[index])
                for verdicts in comparison.verdicts
            },
        }
        for index, (name, cell, labels) in enumerate(
            zip(comparison.names, comparison.cells, comparison.labels, strict=True)
        )
    ]


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Write compare.csv, .parquet, .tex, .json and .svg to `folder`.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = table_of(comparison)
    sink = io.BytesIO()
    pq.write_table(table.to_arrow(), sink, compression="zstd")
    contents = {
        "csv": table.to_csv(),
        "parquet": sink.getvalue(),
        "tex": latex(table).encode("ascii"),
        "json": f"{json.dumps(strict(to_mapping(comparison)), indent=1)}\n".encode(),
    }
    if svg := ratios(comparison):
        contents["svg"] = standalone(svg).encode()
    else:
        # What an earlier call drew is no longer true.
        (folder / "compare.svg").unlink(missing_ok=True)
    for ending, data in contents.items():
        write_bytes(folder / f"compare.{ending}", data)
    return [folder / f"compare.{ending}" for ending in contents]


def _spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name != "repeat"}


def _verdict(one: Judgement) -> dict[str, Any]:
    ratio = one.ratio
    return {
        "unit": one.metric.unit,
        "base": _figures(one.base),
        "other": _figures(one.other),
        "ratio": None if ratio is None else ratio.ratio,
        "ratio_low": None if ratio is None else ratio.low,
        "ratio_high": None if ratio is None else ratio.high,
        "test": None if ratio is None else ratio.test,
        "p_difference": one.p_difference,
        "p_same": one.p_same,
        "effect": None if ratio is None else ratio.effect,
        "interval": None if ratio is None else ratio.interval,
        "smallest": None if ratio is None else ratio.smallest,
        "gain": one.gain,
        "verdict": str(one.word),
        "within_margin": one.within_margin,
        "reason": one.reason,
    }


def _figures(figures: SideFigures) -> dict[str, Any]:
    interval = figures.interval
    return {
        "n": None if interval is None else interval.n,
        "mean": None if interval is None else interval.mean,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "sensor": figures.sensor,
        "reason": figures.reason or (None if interval is None else interval.reason),
    }
