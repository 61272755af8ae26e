"""Results folders of the second paper's models and tasks, whose verdicts can be worked out."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from analysis.runs.sealed_runs import load
from analysis.tables.column import Row
from analysis.tables.table import Tables
from analysis.workbook.build import TABLES, build_tables
from tests.support.records import Plan, build_run
from workers.prompts.task_files import known_tasks

V1: Final = ("falcon-7b", "mistral-7b-v0.1", "t5-3b", "gpt2", "gpt-j-6b", "gpt-neo-2.7b")
GENERATION, ANSWERS, SUMMARIES = "alpaca_task-00000000", "squad-00000000", "xsum-00000000"
TRAINED: Final = {"weights": "0" * 16, "dataset": ANSWERS}
_H200: Final = {"name": "NVIDIA H200", "kind": "h200"}
# Repeats that scatter by half a per cent.
_SPREAD_S: Final = (0.0, 0.01)
_NEEDED: Final = (
    *("groups", "runs", "performance", "conditions", "gpus", "quality", "complexity"),
    *("complexity_models", "input_features", "abstract_claims", "abstract_coverage"),
)

Change = Callable[[dict[str, Any]], dict[str, Any]]


def repeats(decode_s: float = 1.5, count: int = 2, **changes: Any) -> Iterator[Plan]:
    """Repeats of a point on an H200; a record of LLaMA's shapes alone can have model.json."""
    spec = {"gpu": "h200", "dtype": "fp16", "engine": "transformers", **changes.pop("spec", {})}
    given: Mapping[str, Any] = {"gpu": _H200, "steps": False, **changes}
    for repeat in range(count):
        own = {**spec, "repeat": repeat}
        yield Plan(spec=own, decode_s=decode_s + _SPREAD_S[repeat], **given)


def locked(mhz: int | None, watts: float = 1.0, **changes: Any) -> Iterator[Plan]:
    """Repeats under a clock lock that held, at so much of the power."""

    def sample(row: dict[str, Any]) -> dict[str, Any]:
        if row["field"] == "sm_clock_mhz":
            return {**row, "value": float(mhz or 1980)}
        return {**row, "value": row["value"] * watts} if row["field"].startswith("power") else row

    spec = {"model": "gpt2", "dataset": ANSWERS, **changes.pop("spec", {}), "sm_clock_mhz": mhz}
    given: dict[str, Any] = {"state": True, "counter": False, "sample": sample, **changes}
    return repeats(spec=spec, **given)


def answered(right: int) -> dict[str, Any]:
    """Changes of a plan whose runs were asked SQuAD and answered so many of its prompts right."""

    def response(row: dict[str, Any]) -> dict[str, Any]:
        text = "east" if row["prompt"] < right else "west"
        return {**row, "text": text, "words": 1, "references": json.dumps(["east"])}

    return {"launch": {"task": known_tasks()["squad"][0].to_mapping()}, "response": response}


def tables_of(results: Path, plans: Sequence[Plan] = ()) -> Tables:
    """The tables of the second paper, and those that they are made from."""
    for plan in plans:
        build_run(results, plan)
    return build_tables(load(results), kinds=[kind for kind in TABLES if kind.name in _NEEDED])


def answers(results: Path, plans: Sequence[Plan] = ()) -> dict[str, list[Row]]:
    """Rows of the table by claim."""
    found: dict[str, list[Row]] = {}
    for row in tables_of(results, plans).abstract_claims.rows:
        found.setdefault(str(row["claim"]), []).append(row)
    return found


def only(found: Mapping[str, Sequence[Row]], claim: str) -> Row:
    """The one answer to a claim."""
    (row,) = found[claim]
    return row
