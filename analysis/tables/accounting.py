"""Accounting: the table with one row a run whose job the center's books were asked for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from analysis.energy.run_energy import idle_gpu_energy
from analysis.energy.spent import spent
from analysis.energy.uncertain import Uncertain, gap_share, total
from analysis.tables.column import ColumnsOf
from analysis.tables.labels import label_columns
from analysis.tables.measured import Measured
from analysis.tables.table import TableKind
from telemetry.accounting.attempt_books import AttemptBooks, attempt_books
from telemetry.accounting.job import AccountedJob

# What scontrol says of a job that has its nodes for itself.
_ALONE: Final = re.compile(r"(?:^|\s)OverSubscribe=(?:NO|EXCLUSIVE)(?:\s|$)")
NOT_ALONE: Final = "the books' energy is of whole nodes, which the job had not for itself"
"""Why a ratio says nothing: docs.lumi-supercomputer.eu has consumed energy for whole nodes only."""
UNKNOWN_IF_ALONE: Final = "the record does not say whether the job had its nodes for itself"
"""Why a ratio is not told."""


@dataclass(frozen=True, kw_only=True)
class _Booked:
    of: Measured
    """The run."""
    books: AttemptBooks
    """Its job by the center's books."""

    @property
    def job(self) -> AccountedJob | None:
        return self.books.job

    @cached_property
    def accounted(self) -> Uncertain:
        if self.job is None:
            return Uncertain.unknown(str(self.books.reason))
        energy = self.job.energy
        if energy.energy_j is None:
            return Uncertain.unknown(str(energy.reason))
        return Uncertain.of(energy.energy_j, energy.rounded_j)

    @cached_property
    def ours(self) -> Uncertain:
        run_energy = self.of.run_energy
        idle = [idle_gpu_energy(gpu, run_energy.life_us) for gpu in run_energy.idle_gpus]
        return total([run_energy.whole_energy, *idle], nothing="no GPU")

    @cached_property
    def alone(self) -> bool | None:
        return had_nodes_alone(
            self.of.run.provenance, self.of.run.files.json(path) if (path := self._slurm) else {}
        )

    @cached_property
    def apart(self) -> Uncertain:
        if self.accounted.value is not None and not self.alone:
            return Uncertain.unknown(UNKNOWN_IF_ALONE if self.alone is None else NOT_ALONE)
        return gap_share(self.accounted, self.ours, names=("accounted energy", "energy"))

    @property
    def wall_s(self) -> float | None:
        return spent(self.of.run_energy).time_s

    @property
    def _slurm(self) -> Any:
        path = self.of.run.attempt.folder / "slurm.json"
        return path if path.is_file() else None


def had_nodes_alone(provenance: Mapping[str, Any], slurm: Mapping[str, Any]) -> bool | None:
    """Whether a job had its nodes for itself: by Slurm's own word, else by what was asked for.

    None where the record says neither.
    """
    told = slurm.get("scontrol_show_job")
    if isinstance(told, str) and "OverSubscribe=" in told:
        return _ALONE.search(told) is not None
    found: Any = provenance
    for key in ("config", "cluster", "slurm", "exclusive"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, bool) else None


_OF: Final = ColumnsOf[_Booked]()

_COLUMNS: Final = (
    _OF.run_id(lambda one: one.of.run_id),
    _OF.text("job_id", "job", "Slurm's number.", lambda one: one.books.recorded.job_id),
    _OF.text(
        "accounted_cluster",
        "cluster",
        "Slurm's own name of the cluster.",
        lambda one: one.job.first.cluster if one.job else None,
    ),
    _OF.simulated(lambda one: one.of.simulated),
    *label_columns(_OF, lambda one: one.of),
    _OF.text(
        "accounted_state",
        "state",
        "How the job ended by the books.",
        lambda one: one.job.first.state if one.job else None,
    ),
    _OF.count(
        "accounted_starts",
        "starts",
        "How often Slurm started it under this number: more than 1 where it was requeued.",
        lambda one: one.job.starts if one.job else None,
    ),
    _OF.number(
        "accounted_wall_s",
        "accounted",
        "s",
        "Time from the job's start to its end by the books, which are of whole seconds.",
        lambda one: one.job.wall_s if one.job else None,
        reason="reason",
    ),
    _OF.number(
        "wall_s",
        "job",
        "s",
        "Time from the start of rank 0's process to the recorded end, which lies within that.",
        lambda one: one.wall_s,
    ),
    _OF.text(
        "accounted_nodes",
        "nodes",
        "Its nodes by the books.",
        lambda one: ", ".join(one.job.nodes) if one.job else None,
    ),
    _OF.count(
        "accounted_gpus",
        "GPUs",
        "GPUs that it was given by the books.",
        lambda one: one.job.gpus if one.job else None,
    ),
    *_OF.uncertain(
        "accounted_energy_j",
        "accounted energy",
        "J",
        "Energy of its nodes by the books (ConsumedEnergy).",
        lambda one: one.accounted,
        width="Half of the last digit of accounted_energy_j as the books print it.",
        reason="reason",
    ),
    _OF.text(
        "accounted_energy_from",
        "from",
        "Which rows of the books that is of: steps beside each other each have all of a node.",
        lambda one: one.job.energy_from if one.job else None,
    ),
    *_OF.uncertain(
        "record_energy_j",
        "record",
        "J",
        "Energy of the job's GPUs, at work and idle, from STARTUP to SHUTDOWN by the record.",
        lambda one: one.ours,
        reason="reason",
    ),
    _OF.number(
        "record_over_accounted",
        "record over accounted",
        "1",
        "record_energy_j / accounted_energy_j, where the job had its nodes for itself.",
        lambda one: None if one.apart.value is None else 1.0 + one.apart.value,
        plus_minus="record_over_accounted_uncertainty",
        reason="reason",
    ),
    _OF.number(
        "record_over_accounted_uncertainty",
        "±",
        "1",
        "Expanded uncertainty of record_over_accounted (k = 2, about 95 %) by that of both.",
        lambda one: one.apart.plus_minus,
        shown=False,
    ),
    _OF.text(
        "boundary_difference",
        "difference",
        "What one side holds that the other has not.",
        lambda _: (
            "the books' energy holds processors, memory and fans of whole nodes and the seconds "
            "before STARTUP and after SHUTDOWN, ours GPUs alone"
        ),
        shown=False,
    ),
    _OF.text(
        "source",
        "from",
        "Who was asked: sacct, or the file that a center gave.",
        lambda one: one.books.answer.source,
        shown=False,
    ),
    _OF.text(
        "source_sha256",
        "answer",
        "SHA-256 of the answer as it is kept.",
        lambda one: one.books.answer.sha256,
        shown=False,
    ),
    _OF.reason(lambda one: one.apart.reason),
)


def _booked(one: Measured) -> list[_Booked]:
    run = one.run
    submitted, started = (
        run.files.json(path) if path.is_file() else {}
        for path in (run.attempt.submitted, run.attempt.started)
    )
    books = attempt_books(run.paths.results, submitted, started)
    return [] if isinstance(books, str) else [_Booked(of=one, books=books)]


ACCOUNTING: Final = TableKind(
    name="accounting",
    title="By the center's books",
    columns=_COLUMNS,
    of_run=_booked,
    text="What Slurm's accounting says of each run's job, as it was asked or given, beside what "
    "the record says.",
    label="Jobs by accounting and by the record",
)
"""One row a run that was a job of Slurm's; none where no answer of accounting is kept."""
