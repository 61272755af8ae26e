"""Fact: what the record says of one thing, over all runs; what it does not say has a reason."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")

NOT_RECORDED: Final = "not recorded"
"""What stands where the record says nothing; behind it stands why."""
# A line of a paper's appendix names no more; the tables have all.
_MOST_NAMED: Final = 12


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing as the record has it."""

    values: tuple[str, ...] = ()
    """Every different value, sorted; empty where no run has one."""
    reason: str = ""
    """Why there is none; empty where there is one."""
    missing: int = 0
    """Runs or hosts that do not say it, of `asked`."""
    asked: int = 0
    """Runs or hosts that were asked."""

    def __post_init__(self) -> None:
        if not self.values and not self.reason:
            raise ValueError("`reason` must say why there is no value, but is empty")

    @property
    def known(self) -> bool:
        """Whether the record says it at all."""
        return bool(self.values)

    @property
    def text(self) -> str:
        """In words: the values, or why there is none."""
        if not self.values:
            return f"{NOT_RECORDED}: {self.reason}"
        told = "; ".join(self.values[:_MOST_NAMED])
        if len(self.values) > _MOST_NAMED:
            told += f"; and {len(self.values) - _MOST_NAMED} more"
        if self.missing:
            told += f" ({NOT_RECORDED} in {self.missing} of {self.asked})"
        return told


def fact(value: object, reason: str = "") -> Fact:
    """The fact of one value; None is none, for that reason."""
    return Fact(reason=reason) if value is None else Fact(values=(str(value),), asked=1)


def over(things: Sequence[T], asked: Callable[[T], object], reason: str) -> Fact:
    """What things say of themselves: every different value, and how many say none.

    Args:
        things: runs, hosts or GPUs.
        asked: what one of them says; None, or an empty text, says nothing.
        reason: why there is no value where none says it.
    """
    told = [asked(thing) for thing in things]
    said = [value for value in told if value is not None and value != ""]
    return Fact(
        values=tuple(sorted(set(map(_text, said)))),
        reason="" if said else reason,
        missing=len(told) - len(said),
        asked=len(told),
    )


def of_all(values: Iterable[object], reason: str) -> Fact:
    """The fact of several values, each of which counts."""
    return over(list(values), lambda value: value, reason)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
