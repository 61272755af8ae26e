"""Giving back: what stood on a card stands there again; what is somebody else's is left."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from telemetry.power.book import Book, Entry
from telemetry.power.card import SettableCard, read_back, same
from telemetry.power.in_force import wait_in_force
from telemetry.power.record import GpuPower, Knob


@dataclass(frozen=True, kw_only=True)
class GivenBack:
    """What became of a card's quantities that do not stand as before."""

    faults: tuple[str, ...] = ()
    """What did not come back, a line each: it stays remembered."""
    left: Mapping[Knob, str] = field(default_factory=dict)
    """By quantity what somebody else had set meanwhile, and that was not touched."""

    @property
    def told(self) -> str:
        """All of it in one line; empty where all stands as before."""
        return "; ".join((*self.faults, *self.left.values()))

    def fault(self, name: Knob) -> str | None:
        """What did not come back of one quantity."""
        return "; ".join(told for told in self.faults if f"`{name}`" in told) or None


def put_back(
    card: SettableCard,
    entry: Entry,
    book: Book,
    names: Collection[Knob] | None = None,
    *,
    just_set: bool = False,
) -> GivenBack:
    """Put back what an entry says.

    A value that is neither the one of before nor one that the run sets is an administrator's, or
    another program's: it is left, but not where all was `just_set`. Of a lock no driver tells: it
    is taken back whatever stands.

    The entry is dropped when nothing is left to do, and kept while something is. `names` are the
    quantities that were set; None, where nobody knows, puts back all that may have been.
    """
    faults, left = [], {}
    for name, value in entry.before.items():
        if names is not None and name not in names:
            continue
        stands = read_back(card, name)
        if value is not None and stands.value is not None and same(stands.value, value):
            continue
        if not just_set and (other := entry.foreign(name, stands.value)) is not None:
            left[name] = other
            if entry.dcgm_address is not None and stands.value is not None:
                # Its target is this run's still, and would be set anew after a reset.
                card.set(name, stands.value)
            continue
        refusal = card.unlock(name) if value is None else card.set(name, value)
        if refusal is None and value is not None:
            wait_in_force(card, name, value)
        stands = read_back(card, name)
        if refusal is not None:
            faults.append(f"`{name}` must be {_words(value)} again, but: {refusal}")
        elif value is not None and stands.value is not None and not same(stands.value, value):
            faults.append(f"`{name}` must be {value:g} again, but is {stands.value:g} instead")
    if not faults:
        book.forget(entry.uuid)
    return GivenBack(faults=tuple(faults), left=left)


def restored(
    card: SettableCard, gpu: GpuPower, book: Book, *, by: str, just_set: bool = False
) -> GpuPower:
    """The record of a GPU whose old values were put back, as the book has them."""
    entry = book.find(gpu.uuid)
    if entry is None:
        return gpu
    settings = dict(gpu.settings)
    names = [name for name in entry.before if settings[name].set_us is not None]
    back = put_back(card, entry, book, names, just_set=just_set)
    for name in names:
        one = settings[name]
        settings[name] = dataclasses.replace(
            one,
            restored=read_back(card, name),
            restored_by=None if name in back.left else by,
            left=back.left.get(name),
            refusal=one.refusal or back.fault(name),
        )
    return dataclasses.replace(gpu, settings=settings)


def _words(value: float | None) -> str:
    return "unlocked" if value is None else f"{value:g}"
