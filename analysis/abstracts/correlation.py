"""Correlation: whether the energy of an answer goes with a feature of its prompt."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analysis.abstracts.blocks import lacking
from analysis.abstracts.judge import undecided, words_beside
from analysis.abstracts.statement import AbstractStatement, Need
from analysis.abstracts.version import Named
from analysis.claims.decide import ClaimVerdict, Decision
from analysis.statistics.design import LEVEL
from analysis.tables.column import Row
from analysis.tables.labels import WORDS
from analysis.tables.point import kept_words

OUTCOME: Final = "energy_j"
"""What is explained, in the table of input features: all energy of a batch."""


def judge_correlation(statement: AbstractStatement, rows: Sequence[Row]) -> Decision:
    """Whether rho is shown not to be 0 in every family of one board and engine.

    Args:
        statement: of kind `correlates`.
        rows: of the table of input features, of the version's models and tasks alone.
    """
    own = [row for row in rows if row["feature"] == statement.feature and row["outcome"] == OUTCOME]
    if not own:
        return undecided("no family of such runs has a row of input features")
    runs = sum(int(row["runs"] or 0) for row in own)
    labels = words_beside(row.get(WORDS) for row in own)
    tested = [row for row in own if row["p_holm"] is not None and row["rho"] is not None]
    if not tested:
        reasons = dict.fromkeys(str(row["reason"]) for row in own if row["reason"] is not None)
        why = undecided("; ".join(reasons) or "rho has no test")
        return replace(why, runs=runs, labels=labels)
    worst = max(tested, key=lambda row: float(str(row["p_holm"])))
    p = float(str(worst["p_holm"]))
    shown = sum(float(str(row["p_holm"])) < LEVEL for row in tested)
    told = (
        f"{worst['model']}, {worst['datasets']}: rho {float(str(worst['rho'])):.3g} "
        f"(p = {p:.2g} by Holm)"
    )
    models = {named.printed for row in tested if (named := _model(statement, row)) is not None}
    tasks = {task for row in tested for task in _tasks(statement, row)}
    short = lacking(statement, {Need.MODELS: len(models), Need.TASKS: len(tasks)})
    every = shown == len(tested)
    sentence = f"{told}; shown in {shown} of {len(tested)} families"
    if every and short is not None:
        sentence = f"{short} have such runs: {sentence}"
    return Decision(
        verdict=(ClaimVerdict.REPRODUCED if every and short is None else ClaimVerdict.CANNOT_TELL),
        sentence=sentence,
        test="Spearman's rho, Holm over all tests of a family",
        parts=len(own),
        tested=len(tested),
        runs=runs,
        value=float(str(worst["rho"])),
        p=p,
        deciding=f"{worst['model']}, {worst['datasets']}",
        labels=labels,
    )


def of_its_work(statement: AbstractStatement, row: Row) -> bool:
    """Whether a row of input features is of the version's models, on its tasks alone, measured."""
    datasets = str(row["datasets"]).split(", ")
    return (
        not row["simulated"]
        and row["quantization"] == "none"
        and not kept_words(row)
        and _model(statement, row) is not None
        and all(statement.version.task_of(one) is not None for one in datasets)
    )


def _model(statement: AbstractStatement, row: Row) -> Named | None:
    return statement.version.model_of(row["model"])


def _tasks(statement: AbstractStatement, row: Row) -> list[str]:
    found = (statement.version.task_of(one) for one in str(row["datasets"]).split(", "))
    return [one.printed for one in found if one is not None]
