"""Possible values: what no count and no stamp of a run's own tables can be.

A sealed table may hold anything that its columns' types allow. A number that is worked out from a
count below zero, or from a span that ends before it begins, would look like any other.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from analysis.runs.sealed_runs import Run

# Microseconds of 2000 and of 2100 since 1970: wall clocks of hosts that measured lie between.
_FIRST_US, _LAST_US = 946_684_800_000_000, 4_102_444_800_000_000
_COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "spans": ("prompts", "prompt_tokens", "generated_tokens", "words"),
    "responses": ("row", "prompt", "prompt_tokens", "generated_tokens", "words"),
    "steps": ("step", "rows"),
}
_STAMPS: Final[Mapping[str, tuple[str, ...]]] = {
    "spans": ("t_start_us", "t_end_us"),
    "responses": (
        *("first_token_us", "last_token_us"),
        # Records from before these were there lack them.
        *("arrived_us", "sent_us", "finished_us"),
    ),
    "steps": ("t_us",),
}


def require_possible_values(run: Run) -> None:
    """Refuse a run of which a count is below zero, or a stamp is of no time that there was.

    Raises:
        ValueError: the first that is; whatever reading its tables raises comes too.
    """
    tables = {"spans": run.spans, "responses": run.responses, "steps": run.steps}
    for kind, table in tables.items():
        if table is None:
            continue
        for name in _COUNTS[kind]:
            _require_least(table, kind, name, 0)
        for name in filter(table.column_names.__contains__, _STAMPS[kind]):
            _require_least(table, kind, name, _FIRST_US)
            _require_most(table, kind, name, _LAST_US)
    backwards = pc.less(run.spans["t_end_us"], run.spans["t_start_us"])
    if pc.any(backwards).as_py():
        raise ValueError(
            "`t_end_us` of spans must be at least `t_start_us`, but is before it in "
            f"{pc.sum(backwards).as_py()} of {len(backwards)} instead"
        )


def _require_least(table: pa.Table, kind: str, name: str, least: int) -> None:
    value = pc.min(table[name]).as_py()
    if value is not None and value < least:
        raise ValueError(f"`{name}` of {kind} must be at least {least}, but is {value} instead")


def _require_most(table: pa.Table, kind: str, name: str, most: int) -> None:
    value = pc.max(table[name]).as_py()
    if value is not None and value > most:
        raise ValueError(f"`{name}` of {kind} must be at most {most}, but is {value} instead")
