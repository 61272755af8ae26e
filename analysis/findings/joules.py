"""Joules: where a joule goes: the ledger of each run and phase.

At rest is measured in the run's own idle phase. What is beyond it is attributed by the costs that
all runs of the same boards, engine, number format and power cap tell (`joule_fit`); what those do
not reach is a row of its own, below 0 where they reach too far. The parts of a phase sum to its
energy.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.findings.joule_fit import TERMS, Costs, WorkedPhase, fit
from analysis.findings.joule_work import JOULE_WORK
from analysis.findings.works import real
from analysis.tables.column import Cell, Column, ColumnsOf, Row
from analysis.tables.labels import LABELS
from analysis.tables.table import Results, TableKind

WORDS: Final = {
    "weight_bytes": "weights read",
    "kv_bytes": "keys and values",
    "flop": "arithmetic",
    "sent_bytes": "communication",
}
"""What the parts are called."""
AT_REST: Final = "idle"
"""Part: what the same GPUs draw at rest in the same time."""
NOT_EXPLAINED: Final = "not explained"
"""Part: what no cost reaches."""
BEYOND_REST: Final = "beyond rest"
"""Part: all that is not at rest, where there are no costs."""
ALIKE: Final = (
    *("board", "engine", "dtype", "quantization", "kv_dtype", "power_cap_w", "simulated"),
)
"""What runs must have in common to tell costs together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Alike:
    """Rows of joule_work of the same boards, engine and format, and their costs."""

    rows: tuple[Row, ...]
    """Their phases and windows."""
    costs: Costs | str
    """What they tell, or why they tell nothing."""

    @property
    def first(self) -> Row:
        """One of them, for what all have in common."""
        return self.rows[0]


def alikes(results: Results) -> list[Alike]:
    """All rows by what they have in common, in the order of the runs."""
    found: dict[tuple[Cell, ...], list[Row]] = {}
    for row in results.rows(JOULE_WORK):
        found.setdefault(tuple(row[name] for name in ALIKE), []).append(row)
    return [Alike(rows=tuple(rows), costs=fit(_observations(rows))) for rows in found.values()]


def _observations(rows: Sequence[Row]) -> list[WorkedPhase]:
    found = []
    for row in rows:
        dynamic, amounts = real(row["dynamic_energy_j"]), _amounts(row)
        if row["fitted"] and amounts is not None and dynamic is not None and dynamic > 0:
            found.append(WorkedPhase(run_id=str(row["run_id"]), dynamic_j=dynamic, amounts=amounts))
    return found


def _amounts(row: Row) -> dict[str, float] | None:
    found = {term: real(row[term]) for term in TERMS}
    known = {term: amount for term, amount in found.items() if amount is not None}
    return known if len(known) == len(found) else None


@dataclass(frozen=True, kw_only=True)
class LedgerPart:
    """One part of one phase's energy."""

    row: Row
    """The phase, as joule_work has it."""
    name: str | None
    """What took it; None where nothing is known of the phase."""
    joules: float | None = None
    """What it took."""
    low: float | None = None
    """Lower end of its 95 % interval; None for what is left over."""
    high: float | None = None
    """Upper end of it."""
    reason: str | None = None
    """Why there is no part, or none of what work took."""
    sentence: str | None = None
    """The whole phase in words, with its first part."""

    @property
    def share(self) -> float | None:
        """Of the phase's energy."""
        energy = real(self.row["energy_j"])
        return self.joules / energy if self.joules is not None and energy else None


def parts(alike: Alike, row: Row) -> list[LedgerPart]:
    """The parts of one phase; they sum to its energy."""
    energy, idle = real(row["energy_j"]), real(row["idle_energy_j"])
    if energy is None or idle is None:
        reason = row["energy_reason"] or row["idle_reason"]
        return [LedgerPart(row=row, name=None, reason=str(reason))]
    width = real(row["idle_energy_uncertainty_j"])
    ends = (None, None) if width is None else (idle - width, idle + width)
    found = [LedgerPart(row=row, name=AT_REST, joules=idle, low=ends[0], high=ends[1])]
    amounts = _amounts(row)
    if isinstance(alike.costs, str) or amounts is None:
        reason = alike.costs if isinstance(alike.costs, str) else str(row["work_reason"])
        found.append(LedgerPart(row=row, name=BEYOND_REST, joules=energy - idle, reason=reason))
        return _told(found, row)
    costs = alike.costs
    for group in costs.groups:
        if not any(amounts[term] > 0 for term in group):
            continue
        low, high = costs.ends_j(group, amounts) or (None, None)
        name = " and ".join(WORDS[term] for term in group)
        joules = costs.joules(group, amounts)
        found.append(LedgerPart(row=row, name=name, joules=joules, low=low, high=high))
    left = energy - math.fsum(part.joules for part in found if part.joules is not None)
    found.append(LedgerPart(row=row, name=NOT_EXPLAINED, joules=left))
    return _told(found, row)


def _told(found: list[LedgerPart], row: Row) -> list[LedgerPart]:
    # A share that rounds to nothing from below would stand there as -0 %.
    shares = ", ".join(
        f"{round(100 * part.share) or 0} % {part.name}" for part in found if part.share is not None
    )
    simulated = " (simulated)" if row["simulated"] else ""
    first = found[0]
    sentence = f"Of {real(row['energy_j']):.4g} J in {row['phase']}{simulated}: {shares}."
    return [
        LedgerPart(
            row=row,
            name=first.name,
            joules=first.joules,
            low=first.low,
            high=first.high,
            sentence=sentence,
        ),
        *found[1:],
    ]


def _parts(results: Results) -> Iterator[LedgerPart]:
    own = {id(row): alike for alike in alikes(results) for row in alike.rows}
    for row in results.rows(JOULE_WORK):
        yield from parts(own[id(row)], row)


_OF: Final = ColumnsOf[LedgerPart]()
_BY_NAME: Final = {column.name: column for column in JOULE_WORK.columns}


def _carried(*names: str) -> tuple[Column[LedgerPart], ...]:
    return tuple(_OF.carried(_BY_NAME[name], lambda one: one.row) for name in names)


_COLUMNS: Final = (
    *_carried("run_id", "phase", "board", "model", "engine", "gpus", "simulated"),
    *_carried(*(column.name for column in LABELS)),
    _OF.text(
        "part",
        "part",
        "`idle`: at rest, measured. `weights read`, `keys and values`, `arithmetic`, "
        "`communication`: by the costs of table joule_costs; two in one where the runs do not tell "
        "them apart. `not explained`: what no cost reaches; below 0 where they reach too far. "
        "`beyond rest`: where there are no costs. Parts of a phase sum to its energy.",
        lambda one: one.name,
        reason="reason",
    ),
    _OF.number(
        "part_energy_j",
        "energy",
        "J",
        "What the part took.",
        lambda one: one.joules,
        interval=("part_energy_j_low", "part_energy_j_high"),
        reason="reason",
    ),
    _OF.number(
        "part_energy_j_low",
        "energy from",
        "J",
        "Lower end of its 95 % interval: of `idle` by the sensors, of the others by drawing the "
        "runs again; empty for what is left over.",
        lambda one: one.low,
        shown=False,
    ),
    _OF.number(
        "part_energy_j_high",
        "energy to",
        "J",
        "Upper end of the same.",
        lambda one: one.high,
        shown=False,
    ),
    _OF.share(
        "part_share", "share", "part_energy_j over the phase's energy.", lambda one: one.share
    ),
    _OF.text("sentence", "in words", "The whole phase, with its first part.", lambda o: o.sentence),
    _OF.reason(lambda one: one.reason),
)

JOULES: Final = TableKind(
    name="joules",
    title="Where a joule goes",
    columns=_COLUMNS,
    of_results=_parts,
    section="joules",
    heading="Where a joule goes",
    text="The energy of each run and phase in parts that sum to it. At rest is measured; what work "
    "took is attributed by costs that all runs of the same boards, engine, format and cap tell "
    "together, and what these do not reach is not explained.",
)
"""One row a run, phase and part."""
