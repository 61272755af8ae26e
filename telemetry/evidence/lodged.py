"""Lodged: where a root was put, when, and what came of it, beside the root."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.clock import wall_us
from telemetry.record.files import read_json, write_json

_ENDING: Final = ".lodged.json"


@dataclass(frozen=True, kw_only=True)
class Lodging:
    """One try to lodge a root."""

    where: str
    """Who keeps it: git, slurm or tsa, with what names the place."""
    at_us: int
    """When, by the clock of this machine, microseconds since the Unix epoch."""
    kept: bool
    """Whether it was taken."""
    answer: str
    """What came back: where it lies now, or why it does not."""

    def __post_init__(self) -> None:
        for name, kind in (("where", str), ("at_us", int), ("kept", bool), ("answer", str)):
            if type(getattr(self, name)) is not kind:
                raise ValueError(
                    f"`{name}` must be of type {kind.__name__}, "
                    f"but is {getattr(self, name)!r} instead"
                )

    @classmethod
    def now(cls, where: str, answer: str, *, kept: bool) -> Self:
        """One that was just tried."""
        return cls(where=where, at_us=wall_us(), kept=kept, answer=answer)

    @classmethod
    def from_mapping(cls, content: Any) -> Self:
        """From its JSON form.

        Raises:
            ValueError: it holds other keys or types.
        """
        if not isinstance(content, dict) or set(content) != {"where", "at_us", "kept", "answer"}:
            raise ValueError(f"a lodging must have where, at_us, kept, answer, but is {content!r}")
        return cls(**content)

    def to_mapping(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "where": self.where,
            "at_us": self.at_us,
            "kept": self.kept,
            "answer": self.answer,
        }


def lodged_of(root: Path) -> Path:
    """Where a root's lodgings are written down: beside it."""
    return root.with_name(f"{root.stem}{_ENDING}")


def read_lodgings(root: Path) -> list[Lodging]:
    """Every try to lodge a root that was written down, the oldest first; none where there is none.

    Raises:
        OSError: it cannot be read.
        ValueError: it does not hold what is written here, or is of another root.
    """
    path = lodged_of(root)
    if not path.is_file() and not path.is_symlink():
        return []
    content: Mapping[str, Any] = read_json(path)
    lodgings = content.get("lodgings")
    if content.get("root_sha256") != root.stem or not isinstance(lodgings, list):
        raise ValueError(f"{path.name} must hold `lodgings` of root {root.stem}, but does not")
    return [Lodging.from_mapping(each) for each in lodgings]


def write_lodgings(root: Path, new: Sequence[Lodging]) -> Path:
    """Write further ones down behind those before; where.

    Raises:
        OSError: it cannot be written.
        ValueError: what is there is not readable, and stays as it is.
    """
    every = [*read_lodgings(root), *new]
    content = {"root_sha256": root.stem, "lodgings": [each.to_mapping() for each in every]}
    write_json(lodged_of(root), content)
    return lodged_of(root)
