"""Model record: what a run says it worked with (model.json), or why it does not say."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from analysis.performance.families import FAMILY_BEFORE, formula_arithmetic
from analysis.runs.sealed_runs import Run
from telemetry.record.arithmetic import Arithmetic

MODEL_NOT_RECORDED: Final = "not recorded: the run is from before model.json"
"""Why a run does not say."""


@dataclass(frozen=True)
class ModelFacts:
    """model.json of one run; a part that is missing is an empty one."""

    run: Run
    """The sealed run whose model.json it is."""

    @property
    def there(self) -> bool:
        """False for a record from before."""
        return bool(self.run.model)

    def part(self, name: str) -> Mapping[str, Any]:
        """One object of the record; empty when it is null or missing."""
        content = self.run.model.get(name)
        return content if isinstance(content, dict) else {}

    def number(self, part: str, *names: str) -> float | None:
        """One number of a part, deeper by each name; None when there is none."""
        content: Any = self.part(part)
        for name in names:
            content = content.get(name) if isinstance(content, dict) else None
        if isinstance(content, bool) or not isinstance(content, int | float):
            return None
        return float(content)

    def flag(self, part: str, name: str) -> bool | None:
        """One truth of a part; None when there is none."""
        content = self.part(part).get(name)
        return content if isinstance(content, bool) else None

    def reason(self, part: str) -> str | None:
        """Why a part has no numbers, as the run says; None when it says nothing."""
        if not self.there:
            return MODEL_NOT_RECORDED
        content = self.part(part).get("reason")
        return content if isinstance(content, str) else None

    @cached_property
    def arithmetic(self) -> Arithmetic | str:
        """What the model moves and computes, or why that is not known.

        As the run says; a record from before it did has it by its family's formula.
        """
        if "arithmetic" not in self.run.model:
            return self.formula
        try:
            return Arithmetic.read(self.run.model["arithmetic"])
        except ValueError as error:
            return f"model.json: {error}"

    @cached_property
    def formula(self) -> Arithmetic | str:
        """The same by the family's own formula alone, or why there is none."""
        if not self.there:
            return MODEL_NOT_RECORDED
        family = self.part("arithmetic").get("family", FAMILY_BEFORE)
        return formula_arithmetic(str(family), self.part("shape"), self.run.spec)

    def bytes_read(self, name: str) -> int | None:
        """What the run counted in its own tensors: a count of bytes of its shape."""
        stated = self.number("shape", name)
        return None if stated is None else int(stated)

    @property
    def window(self) -> int | None:
        """Positions that a token attends to; None for all, as in each record that names none."""
        stated = self.number("shape", "window")
        return None if stated is None else int(stated)

    @property
    def windowed(self) -> float:
        """Share of the layers that have that window; all of them where the record names none."""
        some, all_layers = self.number("shape", "windowed_layers"), self.number("shape", "layers")
        return some / all_layers if some is not None and all_layers else 1.0

    @cached_property
    def weight_bytes(self) -> int | None:
        """Bytes of weights that a step reads, over all ranks: as counted, else by arithmetic."""
        stated = self.bytes_read("weight_bytes_per_step")
        if stated is not None or isinstance(self.arithmetic, str):
            return stated
        return self.arithmetic.weight_bytes_per_step

    @cached_property
    def kv_bytes(self) -> int | None:
        """Bytes of one position's keys and values, over all ranks: as counted, else computed."""
        stated = self.bytes_read("kv_bytes_per_position")
        if stated is not None or isinstance(self.arithmetic, str):
            return stated
        return self.arithmetic.kv_bytes_per_position
