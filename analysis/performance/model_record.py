"""Model record: what a run says it worked with (model.json), or why it does not say."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from analysis.performance.roofline import Sizes, kv_bytes, weight_bytes
from analysis.runs.sealed_runs import Run

NOT_RECORDED: Final = "not recorded: the run is from before model.json"
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
            return NOT_RECORDED
        content = self.part(part).get("reason")
        return content if isinstance(content, str) else None

    @cached_property
    def sizes(self) -> Sizes | str:
        """The model's sizes, or why they are not known."""
        shape = self.part("shape")
        if not shape:
            return NOT_RECORDED if not self.there else "model.json has no shape"
        try:
            return Sizes(**{name: shape[name] for name in ("dim", "layers", "ffn", "vocab")})
        except (KeyError, ValueError) as error:
            return f"model.json: {error}"

    def bytes_read(self, name: str) -> int | None:
        """What the run counted in its own tensors: a count of bytes of its shape."""
        stated = self.number("shape", name)
        return None if stated is None else int(stated)

    @cached_property
    def weight_bytes(self) -> int | None:
        """Bytes of weights that a step reads, over all ranks: as counted, else by the formula."""
        stated = self.bytes_read("weight_bytes_per_step")
        return self.formula_weight_bytes if stated is None else stated

    @cached_property
    def formula_weight_bytes(self) -> int | None:
        """The same by the formula alone."""
        spec = self.run.spec
        if isinstance(self.sizes, str):
            return None
        try:
            return weight_bytes(
                self.sizes, dtype=spec.dtype, quantization=spec.quantization, degree=spec.gpus
            )
        except ValueError:
            return None

    @cached_property
    def kv_bytes(self) -> int | None:
        """Bytes of one position's keys and values, over all ranks: as counted, else computed."""
        stated = self.bytes_read("kv_bytes_per_position")
        return self.formula_kv_bytes if stated is None else stated

    @property
    def formula_kv_bytes(self) -> int | None:
        """The same by the formula alone."""
        if isinstance(self.sizes, str):
            return None
        return kv_bytes(self.sizes, self.run.spec.dtype)
