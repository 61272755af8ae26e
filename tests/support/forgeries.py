"""Forgeries: a sealed run changed by who owns its folder, then merged and sealed again.

What it edits is what the writers wrote; the tables, the manifest and the seal are made anew by the
project's own code, so nothing but what the record says can give the change away.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telemetry.merge.attempt import merge_attempt
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.schema import TABLES
from telemetry.record.seal import seal_attempt

Edit = Callable[[pa.Table], pa.Table]
"""A table of a shard as the forger wants it."""


def copy_run(run: RunPaths, results: Path) -> RunPaths:
    """The run with its prompts in another results folder, to be changed there."""
    shutil.copytree(run.folder, results / run.run_id)
    prompts = run.results / "prompts"
    if prompts.is_dir():
        shutil.copytree(prompts, results / "prompts", dirs_exist_ok=True)
    return RunPaths(results=results, run_id=run.run_id)


def sealed_attempt(run: RunPaths) -> AttemptPaths:
    """The one attempt that is sealed."""
    attempt = run.sealed()
    assert attempt is not None, f"{run.run_id} is not sealed"
    return attempt


def edit_shards(attempt: AttemptPaths, kind: str, edit: Edit) -> None:
    """Change every closed part of every shard of one table; what its writer said of it stays."""
    for part in sorted(attempt.shards(kind).rglob("part-*.parquet")):
        table = pq.read_table(part, partitioning=None)
        edited = edit(table)
        pq.write_table(
            edited.cast(table.schema).replace_schema_metadata(table.schema.metadata), part
        )


def edit_json(path: Path, edit: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Change a JSON file of the record."""
    write_json(path, dict(edit(read_json(path))))


def reseal(run: RunPaths) -> None:
    """Merge the sealed attempt's shards again and seal it as if it were new."""
    attempt = sealed_attempt(run)
    for kind in TABLES:
        attempt.table(kind).unlink(missing_ok=True)
    attempt.manifest.unlink(missing_ok=True)
    attempt.seal.unlink()
    merge_attempt(run, attempt)
    seal_attempt(run, attempt)


def values_changed(
    change: Callable[[np.ndarray[Any, np.dtype[np.float64]], pa.Table], Any], *fields: str
) -> Edit:
    """An edit of samples: `change` is given the values of `fields` and their rows, in order."""

    def edit(table: pa.Table) -> pa.Table:
        chosen = pc.is_in(table["field"], pa.array(fields)).to_numpy()
        # A copy: what Arrow gives is read-only. A null is NaN and becomes null again.
        value = np.array(pc.fill_null(table["value"], np.nan).to_numpy(), dtype=np.float64)
        nulls = pc.is_null(table["value"]).to_numpy()
        value[chosen] = change(value[chosen], table.filter(pa.array(chosen)))
        column = pa.array(value, mask=nulls & np.isnan(value))
        return _with(table, "value", column)

    return edit


def scaled(factor: float, *fields: str) -> Edit:
    """An edit of samples: every reading of `fields` times `factor`."""
    return values_changed(lambda value, _: value * factor, *fields)


def dropped(*fields: str) -> Edit:
    """An edit of samples: no reading of `fields` is left."""
    return lambda table: table.filter(pc.invert(pc.is_in(table["field"], pa.array(fields))))


def rank_counters(change: Callable[[Any], Any]) -> Edit:
    """An edit of spans: `change` is given the ranks' counters at their starts, and at their ends.

    Both are arrays of joules with NaN where the rank read none.
    """

    def edit(table: pa.Table) -> pa.Table:
        for name in ("energy_start_j", "energy_end_j"):
            value = np.array(pc.fill_null(table[name], np.nan).to_numpy(), dtype=np.float64)
            value = np.asarray(change(value), dtype=np.float64)
            table = _with(table, name, pa.array(value, mask=np.isnan(value)))
        return table

    return edit


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), column)
