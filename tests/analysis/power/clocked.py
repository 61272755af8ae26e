"""Runs at locks of the clock, each with its power, its pace and the clock that it kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from analysis.runs.sealed_runs import load
from analysis.tables.table import Tables
from analysis.workbook import build
from tests.analysis.findings.built import H200, REAL, SPREAD_S
from tests.support.records import Plan, build_run

HIGHEST_MHZ: Final = 1980
# Lock: share of the power without one, seconds of a prefill and of a decode.
CLOCKS: Final[Mapping[int | None, tuple[float, float, float]]] = {
    None: (1.0, 0.5, 1.5),
    1590: (0.7, 0.625, 1.51),
    1200: (0.5, 0.825, 1.55),
    990: (0.45, 1.0, 2.2),
}
TASK: Final = {
    **{"kind": "qa", "hub": "rajpurkar/squad", "config": None, "split": "validation"},
    **{"revision": None, "template": "{question}", "template_if_empty": None},
    **{"references": "answers.text", "wrong_references": None, "choices": None},
    **{"no_answer": None, "stop": ["\n"], "metrics": ["exact_match"]},
}
_NAMES: Final = (
    *("groups", "runs", "performance", "gpus", "conditions", "phases"),
    *("cap_curves", "transitions", "dvfs", "dvfs_published"),
)


def clocked_plan(
    lock: int | None, repeat: int = 0, *, kept_mhz: float | None = None, **more: Any
) -> Plan:
    """One run under a lock; `kept_mhz` is the clock that is read, the lock where None."""
    power, prefill_s, decode_s = CLOCKS[lock]
    read = kept_mhz or lock or HIGHEST_MHZ

    def sample(row: dict[str, Any]) -> dict[str, Any]:
        told = {"sm_clock_mhz": float(read), "throttle_reasons": 0.0}
        if row["field"] in told:
            return {**row, "value": told[row["field"]]}
        if row["field"] == "power_instant_w":
            return {**row, "value": row["value"] * power}
        if row["field"] == "energy_j":
            return {**row, "value": 1000.0 + (row["value"] - 1000.0) * power}
        return row

    spec = {**REAL, "sm_clock_mhz": lock, "repeat": repeat, **more.pop("spec", {})}
    return Plan(
        spec=spec,
        gpu=H200,
        prefill_s=prefill_s,
        decode_s=decode_s + SPREAD_S[repeat],
        overhead_s=0.0,
        state=True,
        sample=sample,
        **more,
    )


def qa_plan(lock: int | None, repeat: int = 0, **more: Any) -> Plan:
    """The same, asked as a task."""
    spec = {"dataset": "squad", **more.pop("spec", {})}
    return clocked_plan(lock, repeat, spec=spec, launch={"task": TASK}, **more)


def tables_of(results: Path, *plans: Plan) -> Tables:
    """The tables of clocks of these runs, and those that they are made from."""
    for plan in plans:
        build_run(results, plan)
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    return build.build_tables(load(results), kinds=wanted)
