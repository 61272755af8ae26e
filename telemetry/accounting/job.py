"""Job: the job of one attempt, as it was recorded and as accounting has it.

Slurm gives numbers out again: a row is the attempt's by cluster, number and time of submission. A
requeue keeps the number and makes another time: of such rows it is the one in whose life the
attempt began.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from telemetry.accounting.row import AccountedEnergy, AccountedRow
from telemetry.clock import US_PER_S

# Queue and accounting tell the same second of a submission.
_SAME_SUBMISSION_US: Final = US_PER_S
# The books are of whole seconds, and the controller's clock is not the node's.
CLOCKS_US: Final = 5 * US_PER_S
"""How far the books' times may lie from a node's."""
# Steps that share a node's seconds by less than this do not overlap.
_OVERLAP_US: Final = 2 * US_PER_S
_ALIKE: Final = 0.01
EXTERN: Final = "extern"
"""The step that lives on every node of a job from its start to its end."""


@dataclass(frozen=True, kw_only=True)
class RecordedJob:
    """What an attempt says of its job."""

    job_id: str
    """Slurm's number, with an element's for an array: `12` or `12_3`."""
    cluster: str | None
    """Slurm's own name of the cluster; None where it did not say."""
    submit_us: int | None
    """When it was submitted by Slurm's word; None where it did not say."""
    name: str | None
    """The job's name; None in a record without."""
    began_us: int | None
    """When its first rank began; None where it never did."""

    @classmethod
    def of(cls, submitted: Mapping[str, Any], started: Mapping[str, Any]) -> "RecordedJob | None":
        """The job of an attempt's submitted.json and started.json; None for one without Slurm."""
        if submitted.get("executor") != "slurm" or not submitted.get("job_id"):
            return None
        began = started.get("t_us")
        name, cluster = submitted.get("job_name"), submitted.get("slurm_cluster")
        return cls(
            job_id=str(submitted["job_id"]),
            cluster=None if cluster is None else str(cluster),
            submit_us=_moment(submitted.get("submit_time")),
            name=None if name is None else str(name),
            began_us=began if isinstance(began, int) else None,
        )


@dataclass(frozen=True, kw_only=True)
class AccountedJob:
    """One start of a job as accounting has it, a heterogeneous one's parts together."""

    rows: tuple[AccountedRow, ...]
    """Its allocation's row, one for each part."""
    steps: tuple[AccountedRow, ...]
    """Its steps."""
    starts: int
    """How often Slurm started it under this number and name: 1, and 1 more for each requeue."""

    @property
    def first(self) -> AccountedRow:
        """The allocation's row; of a heterogeneous job its first part's."""
        return self.rows[0]

    @property
    def start_us(self) -> int | None:
        """When the first of its parts started."""
        return min((one.start_us for one in self.rows if one.start_us is not None), default=None)

    @property
    def end_us(self) -> int | None:
        """When the last of its parts ended; None while one runs."""
        ends = [one.end_us for one in self.rows]
        return None if None in ends else max(one for one in ends if one is not None)

    @property
    def wall_s(self) -> float | None:
        """From start to end, in seconds; None while it runs."""
        if self.start_us is None or self.end_us is None:
            return None
        return (self.end_us - self.start_us) / US_PER_S

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of all its nodes, each once."""
        return tuple(dict.fromkeys(name for one in self.rows for name in one.nodes))

    @property
    def gpus(self) -> int | None:
        """GPUs that it was given; None where its books have none."""
        known = [count for one in self.rows if (count := _gpus(one)) is not None]
        return sum(known) if known else None

    @property
    def told(self) -> tuple[object, ...]:
        """What two answers of one ended job must have alike."""
        first = self.first
        return (self.start_us, self.end_us, first.state, self.nodes, first.user, self.gpus)

    @property
    def energy(self) -> AccountedEnergy:
        """Energy of its nodes."""
        return self._energy()[0]

    @property
    def energy_from(self) -> str | None:
        """Which rows that is of, and by which rule; None where there is none."""
        return self._energy()[1]

    def _energy(self) -> tuple[AccountedEnergy, str | None]:
        """The allocation's own, unless it is the sum of steps that read the same nodes at once.

        A plugin of nodes gives each step what its nodes drew while it lived: steps beside each
        other, such as batch and extern, each have all of it, and their sum has it several times.
        """
        whole = _sum([one.energy for one in self.rows])
        of_steps = [one for one in self.steps if one.energy.energy_j is not None]
        once, sum_j = _once(of_steps), sum(one.energy.energy_j or 0.0 for one in of_steps)
        if once is None:
            return whole, None if whole.energy_j is None else "the job's row"
        if whole.energy_j is None:
            return once, "its steps, those beside each other once"
        twice = sum_j > (1 + _ALIKE) * (once.energy_j or 0.0)
        if twice and abs(whole.energy_j - sum_j) <= _ALIKE * sum_j + whole.rounded_j:
            return once, "its steps, those beside each other once: the job's row sums them"
        return whole, "the job's row"


def find_job(recorded: RecordedJob, rows: Iterable[AccountedRow]) -> AccountedJob | str:
    """The job of an attempt in what accounting says, or why it is not there."""
    numbered = [row for row in rows if recorded.job_id in (row.job_id, row.base_id, row.raw_id)]
    allocations = [row for row in numbered if row.step is None]
    if not allocations:
        return (
            f"accounting has no job {recorded.job_id}: it was purged, or it is another database's"
        )
    here = [row for row in allocations if recorded.cluster in (None, row.cluster)]
    if not here:
        others = ", ".join(sorted({row.cluster for row in allocations}))
        return f"job {recorded.job_id} of cluster {recorded.cluster} is not there, but of {others}"
    if len({row.cluster for row in here}) > 1:
        clusters = ", ".join(sorted({row.cluster for row in here}))
        return f"job {recorded.job_id} is of {clusters}, and the record does not say of which"
    named = [row for row in here if not row.name or recorded.name in (None, row.name)]
    ours = [row for row in named if _of_submission(row, recorded)]
    if not ours:
        return f"job {recorded.job_id} is another one of that number, {_told(here[0])}"
    chosen = _chosen(ours, recorded)
    starts = sorted(
        {row.submit_us for row in ours if row.submit_us is not None and row.start_us is not None}
    )
    parts = tuple(row for row in ours if row.submit_us == chosen.submit_us)
    return AccountedJob(
        rows=parts,
        steps=tuple(row for row in numbered if row.step is not None and _within(row, parts)),
        starts=max(1, len(starts)),
    )


def _gpus(row: AccountedRow) -> int | None:
    """GPUs of a row; where the books have kinds alone those of all kinds."""
    whole = row.tres.get("gres/gpu")
    counts = (
        [whole]
        if whole
        else [count for name, count in row.tres.items() if name.startswith("gres/gpu:")]
    )
    known = [int(count) for count in counts if count.isdecimal()]
    return sum(known) if known else None


def _of_submission(row: AccountedRow, recorded: RecordedJob) -> bool:
    """Whether a row is of the recorded submission, or of a requeue of it."""
    if recorded.submit_us is None or row.submit_us is None:
        # Then its name must tell, or its life: another job's lies elsewhere.
        return bool(recorded.name and row.name == recorded.name) or _holds(row, recorded.began_us)
    if abs(row.submit_us - recorded.submit_us) <= _SAME_SUBMISSION_US:
        return True
    later = row.submit_us > recorded.submit_us
    return later and recorded.name is not None and row.name == recorded.name


def _chosen(rows: Sequence[AccountedRow], recorded: RecordedJob) -> AccountedRow:
    holding = [row for row in rows if _holds(row, recorded.began_us)]
    return (holding or rows)[0]


def _holds(row: AccountedRow, t_us: int | None) -> bool:
    if t_us is None or row.start_us is None:
        return False
    end_us = row.end_us if row.end_us is not None else t_us
    return row.start_us - CLOCKS_US <= t_us <= end_us + CLOCKS_US


def _within(step: AccountedRow, parts: Sequence[AccountedRow]) -> bool:
    """Whether a step is of this start of its job: rows of requeued ones have the same number."""
    for part in parts:
        if step.cluster != part.cluster or step.start_us is None or part.start_us is None:
            continue
        if step.start_us >= part.start_us and (part.end_us is None or step.start_us <= part.end_us):
            return True
    return False


def _once(steps: Sequence[AccountedRow]) -> AccountedEnergy | None:
    """Energy of steps, of those beside each other the largest; None without any.

    The step `extern` lives as long as the job, on all of its nodes.
    """
    extern = [one for one in steps if one.step == EXTERN]
    if extern:
        return _sum([one.energy for one in extern])
    known = sorted(
        (one for one in steps if one.start_us is not None), key=lambda one: one.start_us or 0
    )
    groups: list[list[AccountedRow]] = []
    until_us = 0
    for one in known:
        if not groups or (one.start_us or 0) >= until_us - _OVERLAP_US:
            groups.append([])
        groups[-1].append(one)
        until_us = max(until_us, one.end_us or 0)
    largest = [max(group, key=lambda one: one.energy.energy_j or 0.0) for group in groups]
    return _sum([one.energy for one in largest]) if largest else None


def _sum(parts: Sequence[AccountedEnergy]) -> AccountedEnergy:
    for one in parts:
        if one.energy_j is None:
            return one
    return AccountedEnergy(
        energy_j=sum(one.energy_j or 0.0 for one in parts),
        rounded_j=sum(one.rounded_j for one in parts),
    )


def _moment(text: object) -> int | None:
    """A recorded time with its zone; None for what is none, or has none."""
    if not isinstance(text, str):
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    # A record of before zones has times of a machine that is not here.
    return None if when.tzinfo is None else round(when.timestamp() * US_PER_S)


def _told(row: AccountedRow) -> str:
    when = "at a time that is not there"
    if row.submit_us is not None:
        when = f"{datetime.fromtimestamp(row.submit_us / US_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"submitted {when}"
