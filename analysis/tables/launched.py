"""Launched: how a run was to be measured, which its spec does not say."""

import json
from collections.abc import Callable
from typing import Final

from analysis.runs.sealed_runs import Run
from analysis.tables.column import Cell, Column, ColumnsOf

_OF: Final = ColumnsOf[Run]()
# As many as tell two prompts files of one folder apart.
_DIGEST_DIGITS: Final = 12


def _number(name: str) -> Callable[[Run], Cell]:
    def value(run: Run) -> Cell:
        found = run.launch.get(name)
        if isinstance(found, bool) or not isinstance(found, int | float):
            return None
        return float(found)

    return value


def _count(name: str) -> Callable[[Run], Cell]:
    def value(run: Run) -> Cell:
        found = run.launch.get(name)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    return value


def _text(name: str) -> Callable[[Run], Cell]:
    def value(run: Run) -> Cell:
        found = run.launch.get(name)
        return " ".join(map(str, found)) if isinstance(found, list) else found and str(found)

    return value


def _prompts_digest(run: Run) -> Cell:
    digest = run.launch.get("prompts_sha256")
    return digest[:_DIGEST_DIGITS] if isinstance(digest, str) else None


LAUNCHED: Final[tuple[Column[Run], ...]] = (
    _OF.text(
        "prompts_digest",
        "prompts file",
        f"First {_DIGEST_DIGITS} hex digits of the SHA-256 of the prompts, which names their file.",
        _prompts_digest,
        setting=True,
        follows=("dataset", "prompts", "seed"),
    ),
    _OF.text(
        "device",
        "computed on",
        "Where the ranks computed: `cuda` or `cpu`.",
        _text("device"),
        setting=True,
    ),
    _OF.count(
        "threads",
        "threads",
        "CPU threads of each rank; empty: the node's cores, shared among its ranks.",
        _count("threads"),
        setting=True,
    ),
    _OF.text(
        "telemetry",
        "watched by",
        "The source that was asked to watch.",
        _text("telemetry"),
        setting=True,
    ),
    _OF.number(
        "period_ms",
        "period",
        "ms",
        "Time between two readings of a polled sensor.",
        _number("period_ms"),
        setting=True,
    ),
    _OF.text(
        "gpu_fields",
        "GPU readings",
        "The GPU readings that were asked for; empty: all there are.",
        _text("gpu_fields"),
        setting=True,
    ),
    _OF.number(
        "idle_s",
        "rest",
        "s",
        "Rest before the model loads: the idle baseline.",
        _number("idle_s"),
        setting=True,
    ),
    _OF.count(
        "warmup_batches",
        "least warm-up",
        "Batches of warm-up at least.",
        _count("warmup_batches"),
        setting=True,
    ),
    _OF.count(
        "max_warmup_batches",
        "most warm-up",
        "Batches of warm-up at most, while their rates do not agree; empty: no more than the "
        "least.",
        _count("max_warmup_batches"),
        setting=True,
    ),
    _OF.number(
        "warmup_spread",
        "warm-up spread",
        "1",
        "The last three rates agree when highest less lowest is at most this share of their mean.",
        _number("warmup_spread"),
        setting=True,
    ),
    _OF.number(
        "max_warmup_s",
        "warm-up time",
        "s",
        "No batch beyond the least begins later than this after the first.",
        _number("max_warmup_s"),
        setting=True,
    ),
    _OF.number(
        "min_window_s",
        "least window",
        "s",
        "The prompts were answered again, whole, until so much time was measured.",
        _number("min_window_s"),
        setting=True,
    ),
)
"""What decides a measurement and not the GPUs' work: settings of launch.json, empty where it has
none."""
LAUNCH_SETTINGS: Final = tuple(column.name for column in LAUNCHED)


def launch_of(run: Run) -> dict[str, Cell]:
    """A run's settings of the measurement, by column."""
    return {column.name: column.value(run) for column in LAUNCHED}


def launch_key(run: Run) -> str:
    """Equal for runs that were measured under the same settings."""
    return json.dumps(launch_of(run), sort_keys=True)
