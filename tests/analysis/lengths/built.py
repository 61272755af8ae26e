"""Runs whose response takes A + B in + C out + D in out joules, give or take some milliseconds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook import build
from tests.analysis.findings.built import H200, REAL
from tests.support.records import Plan, build_run, work_w

INPUTS: Final = (10, 20, 40)
OUTPUTS: Final = (4, 8, 16)
PROMPTS: Final = 4
ROWS: Final = 2
# J a response at 200 W and two rows a batch.
PREFILL: Final = {"response": 20.0, "input token": 1.0, "output token": 0.0}
DECODE: Final = {"response": 10.0, "output token": 5.0, "input x output token": 0.25}
# No two points scatter alike, and they do not scatter along with a length.
JITTER_S: Final = (0.006, -0.004, -0.002, -0.005, 0.001, 0.004, 0.003, 0.002, -0.005)
_NAMES: Final = (
    *("groups", "runs", "performance", "gpus", "sequence_runs", "sequence_lengths"),
    *("sequence_models", "sequence_residuals", "sequence_published"),
)


def length_plan(
    asked: int, answered: int, jitter_s: float = 0.0, overhead_s: float = 0.3, **more: Any
) -> Plan:
    """One run of exact lengths, on one H200."""
    spec = {**REAL, "dataset": "fixed-synthetic", "prompts": PROMPTS, "batch_size": ROWS}
    spec |= {"max_prompt_len": asked, "max_gen_len": answered, "ignore_eos": True}
    spec |= more.pop("spec", {})
    per_s = work_w(0) / ROWS
    decode_j = 10.0 + 5.0 * answered + 0.25 * asked * answered
    plan = {
        "spec": spec,
        "gpu": H200,
        "prefill_s": (20.0 + asked) / per_s,
        "decode_s": decode_j / per_s + jitter_s,
        "overhead_s": overhead_s,
        "response": with_prompt(lambda _: asked),
    }
    return Plan(**{**plan, **more})


def with_prompt(tokens: Callable[[int], int]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Responses whose prompts have so many tokens, by the prompt's number."""

    def changed(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "prompt_tokens": tokens(row["prompt"])}

    return changed


def grid(results: Path, **more: Any) -> Tables:
    """The nine points of three lengths by three."""
    cells = [(asked, answered) for asked in INPUTS for answered in OUTPUTS]
    for (asked, answered), jitter_s in zip(cells, JITTER_S, strict=True):
        build_run(results, length_plan(asked, answered, jitter_s, **more))
    return tables_of(results)


def tables_of(results: Path) -> Tables:
    """The tables of lengths, and what they are made from."""
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    return build.build_tables(load(results), kinds=wanted)


def coefficients(tables: Tables, outcome: str) -> Mapping[str, Mapping[str, Any]]:
    """Rows of one outcome by their terms."""
    rows = tables.sequence_models.rows
    return {str(row["term"]): row for row in rows if row["outcome"] == outcome}
