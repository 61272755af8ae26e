"""Answers: each statement's verdict on each board and engine that has runs of its work."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analysis.abstracts.blocks import blocks_of, of_version, usable
from analysis.abstracts.correlation import judge_correlation, of_its_work
from analysis.abstracts.judge import judge_difference, undecided
from analysis.abstracts.kept_quality import Qualities
from analysis.abstracts.saving import judge_saving
from analysis.abstracts.statement import AbstractStatement, StatementKind, statements
from analysis.abstracts.version import PaperVersion, concerned
from analysis.claims.decide import Decision
from analysis.claims.sample import Sample, samples_of_runs
from analysis.runs.sealed_runs import Run
from analysis.tables.column import Row
from analysis.tables.point import engine_order

_NOT_AS_NAMED: Final = " (by its spec alone)"


@dataclass(frozen=True, kw_only=True)
class StatementAnswer:
    """A statement's verdict by the runs of one board and engine."""

    statement: AbstractStatement
    """What the abstract says."""
    board: str
    """Kind of GPU of the runs; empty where there are none that could say something."""
    engine: str
    """Their engine; empty as well."""
    decision: Decision
    """What came of it."""
    runs: tuple[str, ...]
    """Names of the runs that were looked at."""


@dataclass(frozen=True, kw_only=True)
class StatementEvidence:
    """What statements are held against."""

    samples: tuple[Sample, ...]
    """Every grid point."""
    qualities: Qualities
    """What the runs' answers are worth."""
    features: tuple[Row, ...]
    """Rows of the table of input features."""

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        runs: Iterable[Run],
        *,
        features: Iterable[Row] = (),
    ) -> "StatementEvidence":
        """From rows of the tables.

        Args:
            rows: of the table of runs, each with what other tables have of the run.
            runs: those runs.
            features: of the table of input features.
        """
        by_name = {run.run_id: run for run in runs}
        return cls(
            samples=tuple(samples_of_runs(rows, by_name)),
            qualities=Qualities(by_name.values()),
            features=tuple(features),
        )

    @property
    def concerned(self) -> tuple[PaperVersion, ...]:
        """The versions whose models or tasks a run has; all of them where one is concerned."""
        return concerned(
            (one.conditions["model"], one.conditions["dataset"]) for one in self.samples
        )


def statement_answers(evidence: StatementEvidence) -> tuple[StatementAnswer, ...]:
    """Every statement's answers in the order of the versions; empty where no run concerns them."""
    there = evidence.concerned
    return tuple(
        answer
        for statement in statements()
        if statement.version in there
        for answer in _answers(statement, evidence)
    )


def _answers(
    statement: AbstractStatement, evidence: StatementEvidence
) -> Iterator[StatementAnswer]:
    if statement.kind is StatementKind.UNDECIDED:
        yield _none(
            statement, f"the abstract does not tell the {', '.join(statement.version.unknown)}"
        )
        return
    if statement.kind is StatementKind.CORRELATES:
        yield from _correlations(statement, evidence)
        return
    own = of_version(statement.version, evidence.samples)
    sides: dict[tuple[str, str], list[Sample]] = {}
    for sample in own:
        board = str(sample.conditions["gpu"])
        named = board if sample.as_asked else f"{board}{_NOT_AS_NAMED}"
        sides.setdefault((named, str(sample.conditions["engine"])), []).append(sample)
    if not sides:
        yield _none(statement, missing(statement.version, evidence.samples))
    for (board, engine), samples in sorted(sides.items(), key=_side_order):
        yield StatementAnswer(
            statement=statement,
            board=board,
            engine=engine,
            decision=_decision(statement, board, samples, evidence.qualities),
            runs=tuple(run for one in samples for run in one.runs),
        )


def _decision(
    statement: AbstractStatement, board: str, samples: Sequence[Sample], qualities: Qualities
) -> Decision:
    if board.endswith(_NOT_AS_NAMED):
        return undecided("the driver calls these boards something else", samples)
    why = {id(one): usable(statement, one) for one in samples}
    kept = [one for one in samples if why[id(one)] is None]
    blocks = list(blocks_of(statement, kept))
    if not blocks:
        left = dict.fromkeys(word for word in why.values() if word is not None)
        told = f"; {len(samples) - len(kept)} left out: {', '.join(left)}" if left else ""
        return undecided(f"no two such runs differ in {statement.along} alone{told}", samples)
    if statement.kind is StatementKind.SAVES:
        return judge_saving(statement, blocks, qualities)
    return judge_difference(statement, blocks)


def _correlations(
    statement: AbstractStatement, evidence: StatementEvidence
) -> Iterator[StatementAnswer]:
    own = of_version(statement.version, evidence.samples)
    sides: dict[tuple[str, str], list[Row]] = {}
    for row in evidence.features:
        if of_its_work(statement, row):
            sides.setdefault((str(row["board"]), str(row["engine"])), []).append(row)
    if not sides:
        why = missing(statement.version, evidence.samples)
        yield _none(statement, why if not own else "such runs have no table of input features")
    for (board, engine), rows in sorted(sides.items(), key=_side_order):
        yield StatementAnswer(
            statement=statement,
            board=board,
            engine=engine,
            decision=judge_correlation(statement, rows),
            runs=tuple(
                run
                for one in own
                if one.conditions["engine"] == engine
                and statement.version.task_of(one.conditions["dataset"]) is not None
                for run in one.runs
            ),
        )


def missing(version: PaperVersion, samples: Sequence[Sample]) -> str:
    """Why no run is of a version's models on its tasks."""
    if not version.models:
        return f"the abstract of {version.name} names no model"
    models = [one for one in samples if version.model_of(one.conditions["model"]) is not None]
    if not models:
        return f"no sealed run is of a model of {version.name}"
    if all(one.simulated for one in models):
        return f"runs of models of {version.name} are simulated: no measurement"
    return f"no measured run of a model of {version.name} is of a task of its"


def _none(statement: AbstractStatement, why: str) -> StatementAnswer:
    return StatementAnswer(
        statement=statement, board="", engine="", decision=undecided(why), runs=()
    )


def _side_order(side: tuple[tuple[str, str], Any]) -> tuple[Any, ...]:
    (board, engine), _ = side
    return board, engine_order(engine)


def counted(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """How often each verdict was given, by version, from rows of the table."""
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        own = found.setdefault(str(row["paper"]), {})
        own[str(row["verdict"])] = own.get(str(row["verdict"]), 0) + 1
    return found
