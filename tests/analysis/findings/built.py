"""Grid points of known time and energy, for the findings' tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from analysis.runs.sealed_runs import Loaded, load
from analysis.tables.table import Tables
from analysis.workbook import build
from tests.support.records import Plan, build_run

REAL: Mapping[str, Any] = {"gpu": "h200", "dtype": "fp16"}
H200 = {"name": "NVIDIA H200", "kind": "h200"}
# Repeats that scatter by half a per cent and less.
SPREAD_S = (0.0, 0.004, -0.004)


def point(decode_s: float, **spec: Any) -> Plan:
    """One run on H200s; all work is at 200 W + 100 W x rank."""
    return Plan(spec={**REAL, **spec}, gpu=H200, decode_s=decode_s)


def repeated(decode_s: float, repeats: int = 3, **spec: Any) -> list[Plan]:
    """Repeats of one point whose decode differs by some milliseconds."""
    return [point(decode_s + SPREAD_S[repeat], repeat=repeat, **spec) for repeat in range(repeats)]


# What findings are made from, and they: all tables would take several times as long.
_NAMES: Final = (
    *("groups", "runs", "performance", "conditions", "gpus"),
    *("pareto", "energy_delay", "best", "scaling", "scaling_laws", "goodput"),
    *("complexity_models", "input_features", "complexity", "joules", "joule_costs", "joule_work"),
)


def tables_of(results: Path, *plans: Plan) -> Tables:
    """The findings' tables of these runs, and those that they are made from."""
    for plan in plans:
        build_run(results, plan)
    return findings_of(load(results))


def findings_of(loaded: Loaded) -> Tables:
    """The same of runs that lie there."""
    wanted = tuple(kind for kind in build.TABLES if kind.name in _NAMES)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build, "TABLES", wanted)
        return build.build_tables(loaded)
