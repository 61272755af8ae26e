"""Families: by architecture the formula that a model's arithmetic is worked out with once more.

It is written without a look at what planned or loaded the model: the audit holds a record's
arithmetic against it, and a record from before has no other. A new family is one module and one
line here; a run of a family that is not here rests on its own record, and the audit says so.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from analysis.performance.llama import llama_arithmetic
from telemetry.record.arithmetic import Arithmetic
from telemetry.record.spec import RunSpec

Formula = Callable[[Mapping[str, Any], RunSpec], Arithmetic]
"""Takes `shape` of a model.json and the run's spec; ValueError or KeyError when it cannot."""

FAMILIES: Final[dict[str, Formula]] = {"llama": llama_arithmetic}
"""Every family that has a formula of its own here."""
FAMILY_BEFORE: Final = "llama"
"""The family of each record that names none: there was no other."""


def formula_arithmetic(family: str, shape: Mapping[str, Any], spec: RunSpec) -> Arithmetic | str:
    """The arithmetic of a model of that shape by its family's formula, or why there is none."""
    formula = FAMILIES.get(family)
    if formula is None:
        return f"no independent formula for family {family}"
    if not shape:
        return "model.json has no shape"
    try:
        return formula(shape, spec)
    except (KeyError, ValueError) as error:
        return f"model.json: {error}"
