"""Setting: cards are set, all of them or none, read back, and given back what they had."""

import contextlib
import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from telemetry.clock import wall_us
from telemetry.power.book import Book, Entry, boot_id
from telemetry.power.card import SettableCard, bounds_fault, read_back
from telemetry.power.dcgm_card import DcgmCard, by_entry
from telemetry.power.dead_run import BOOT, NEXT_RUN, note_put_back
from telemetry.power.record import NOT_YET, GpuPower, Knob, ReadValue, Setting

# A limit is kept in whole milliwatts, and a float of watts is one of them to this.
_SAME: Final = 0.0005
# A switch between phases waits as long; boards take some tens of milliseconds.
_IN_FORCE_S: Final = 2.0
# Some looks in one reading of the driver's own buffer, 20 ms.
_LOOK_S: Final = 0.004


class UnsetError(RuntimeError):
    """The cards are not set as asked; the message is the one line that the point ends with.

    `gpus` is what became of each card: those that had been set stand as before again.
    """

    def __init__(self, told: str, gpus: Sequence[GpuPower]) -> None:
        super().__init__(told)
        self.gpus = tuple(gpus)

    @property
    def refusals(self) -> list[str]:
        """What cards said no with, in their words."""
        settings = [one for gpu in self.gpus for one in gpu.settings.values()]
        return [one.refusal for one in settings if one.refusal is not None]


class SetCards:
    """Cards that this process sets for one attempt, and puts back."""

    def __init__(
        self, cards: Sequence[SettableCard], book: Book, *, lock_before_mhz: int | None
    ) -> None:
        """`lock_before_mhz` is the site's own SM clock lock, which no driver tells of."""
        self._cards: tuple[SettableCard, ...] = tuple(cards)
        self._driven = self._cards
        self._book = book
        self._lock_before_mhz = lock_before_mhz
        self._dcgm: tuple[str | None, str | None] = None, None
        self._held = contextlib.ExitStack()

    def hold(self) -> None:
        """Take all cards for this process.

        Raises:
            HeldError: another run has one; none is held then.
            RuntimeError: the book cannot be written.
        """
        with contextlib.ExitStack() as held:
            for card in self._cards:
                held.enter_context(self._book.hold(card.uuid))
            self._held = held.pop_all()

    def leftovers(self, attempt: Path) -> tuple[list[str], bool]:
        """Put back what dead runs left on the cards: a line each, and whether `attempt` is one.

        What this very attempt has set stays: a watcher that follows one that died goes on with it.

        Raises:
            RuntimeError: what is remembered cannot be read.
        """
        lines, continued = [], False
        for card in self._cards:
            entry = self._book.find(card.uuid)
            if entry is None:
                continue
            if entry.forgotten:
                self._book.forget(card.uuid)
                note_put_back(card, entry, by=BOOT)
                lines.append(f"{card.uuid}: of an earlier boot, so the card has forgotten it")
            elif Path(entry.attempt) == attempt:
                continued = True
            else:
                faults = put_back(by_entry(card, entry), entry, self._book)
                note_put_back(card, entry, by=NEXT_RUN, faults=faults)
                told = "; ".join(faults) or "put back"
                lines.append(f"{card.uuid}: left by the run in {entry.attempt}: {told}")
        return lines, continued

    def through(self, bindings: str | None, address: str | None) -> None:
        """Set by a DCGM engine from now on."""
        self._dcgm = bindings, address
        self._cards = tuple(DcgmCard(card, bindings, address) for card in self._driven)

    def by_driver(self) -> None:
        """Set by the driver from now on, as in the beginning."""
        self._dcgm = None, None
        self._cards = self._driven

    @property
    def cards(self) -> tuple[SettableCard, ...]:
        """The cards, each with whoever sets it."""
        return self._cards

    @property
    def remembered_engine(self) -> str | None:
        """The DCGM engine by which something was set before that is remembered; None: by none."""
        entries = [self._book.find(card.uuid) for card in self._cards]
        return next((one.dcgm_address for one in entries if one and one.dcgm_address), None)

    @property
    def remembers(self) -> bool:
        """True where something was set before and is remembered still."""
        return any(self._book.find(card.uuid) is not None for card in self._cards)

    def has_remembered(self, name: Knob) -> bool:
        """True where a quantity was set before on a card and is remembered still."""
        entries = [self._book.find(card.uuid) for card in self._cards]
        return any(entry is not None and name in entry.before for entry in entries)

    def with_remembered(self, gpus: Sequence[GpuPower]) -> list[GpuPower]:
        """The records with what stood before this attempt, where a watcher of it died."""
        found = []
        for gpu in gpus:
            settings = dict(gpu.settings)
            entry = self._book.find(gpu.uuid)
            for name, value in () if entry is None else entry.before.items():
                if entry is not None and value is not None:
                    before = ReadValue(value=value, t_us=entry.t_us)
                    settings[name] = dataclasses.replace(settings[name], before=before)
            found.append(dataclasses.replace(gpu, settings=settings))
        return found

    def set(self, gpus: Sequence[GpuPower], attempt: Path, host: str) -> list[GpuPower]:
        """Set all that is asked on all cards, each read back; the records of what stands.

        Raises:
            UnsetError: a card refuses or does not hold a value: all stand as before again.
        """
        done: list[GpuPower] = list(gpus)
        for place, card in enumerate(self._cards):
            settings = dict(done[place].settings)
            asked = {name: one.asked for name, one in settings.items() if one.asked is not None}
            fault = None
            try:
                self._book.remember(self._entry(card, settings, asked, attempt, host))
            except RuntimeError as error:
                fault = str(error)
            for name, value in asked.items():
                if fault is not None:
                    break
                settings[name] = _set_one(card, name, value, settings[name])
                fault = _fault(card, name, settings[name])
            done[place] = dataclasses.replace(done[place], settings=settings)
            if fault is not None:
                back = self.restore(done, by="watcher")
                raise UnsetError(fault, back)
        return done

    def restore(self, gpus: Sequence[GpuPower], *, by: str) -> list[GpuPower]:
        """Put back what stood before on every card that was set; the records with what stands."""
        return [
            restored(card, gpu, self._book, by=by)
            for card, gpu in zip(self._cards, gpus, strict=True)
        ]

    def let_go(self) -> None:
        """Give the cards to whoever comes next."""
        self._held.close()

    def _entry(
        self,
        card: SettableCard,
        settings: Mapping[Knob, Setting],
        asked: Mapping[Knob, float],
        attempt: Path,
        host: str,
    ) -> Entry:
        before = {name: settings[name].before.value for name in asked}
        if before.get(Knob.SM_CLOCK, 0.0) is None and self._lock_before_mhz is not None:
            before[Knob.SM_CLOCK] = float(self._lock_before_mhz)
        return Entry(
            uuid=card.uuid,
            boot_id=boot_id(),
            attempt=str(attempt),
            host=host,
            t_us=wall_us(),
            before=before,
            asked=asked,
            dcgm_bindings=self._dcgm[0],
            dcgm_address=self._dcgm[1],
        )


def put_back(
    card: SettableCard, entry: Entry, book: Book, names: Collection[Knob] | None = None
) -> list[str]:
    """Put back what an entry says; what did not come back, a line each.

    The entry is dropped when all stands again, and kept while it does not. `names` are the
    quantities that were set; None, where nobody knows, puts back all that may have been.
    """
    faults = []
    for name, value in entry.before.items():
        if names is not None and name not in names:
            continue
        stands = read_back(card, name)
        if value is not None and stands.value is not None and _same(stands.value, value):
            continue
        refusal = card.unlock(name) if value is None else card.set(name, value)
        if refusal is None and value is not None:
            _acts(card, name, value)
        stands = read_back(card, name)
        if refusal is not None:
            faults.append(f"`{name}` must be {_words(value)} again, but: {refusal}")
        elif value is not None and stands.value is not None and not _same(stands.value, value):
            faults.append(f"`{name}` must be {value:g} again, but is {stands.value:g} instead")
    if not faults:
        book.forget(entry.uuid)
    return faults


def restored(card: SettableCard, gpu: GpuPower, book: Book, *, by: str) -> GpuPower:
    """The record of a GPU whose old values were put back, as the book has them."""
    entry = book.find(gpu.uuid)
    if entry is None:
        return gpu
    settings = dict(gpu.settings)
    names = [name for name in entry.before if settings[name].set_us is not None]
    faults = put_back(card, entry, book, names)
    for name in names:
        one = settings[name]
        settings[name] = dataclasses.replace(
            one,
            restored=read_back(card, name),
            restored_by=by,
            refusal=one.refusal
            or "; ".join(told for told in faults if f"`{name}`" in told)
            or None,
        )
    return dataclasses.replace(gpu, settings=settings)


def _set_one(card: SettableCard, name: Knob, value: float, one: Setting) -> Setting:
    if refusal := bounds_fault(card, name, value):
        return dataclasses.replace(one, refusal=refusal)
    begun_us = wall_us()
    if refusal := card.set(name, value):
        return dataclasses.replace(one, refusal=refusal)
    acts = _acts(card, name, value)
    enforced = read_back(card, name)
    if acts is not None and enforced.value is not None and _same(enforced.value, value):
        # What is told at once may act later, or never.
        enforced = dataclasses.replace(enforced, value=acts)
    return dataclasses.replace(
        one,
        set_us=begun_us,
        took_us=max(0, wall_us() - begun_us),
        enforced=enforced,
        restored=NOT_YET,
    )


def _acts(card: SettableCard, name: Knob, value: float) -> float | None:
    """What is in force of a quantity that was set, once it is as set or has had its time.

    None where no driver tells. A sensor that opens before would read what stood.
    """
    end_s = time.monotonic() + _IN_FORCE_S
    while True:
        acts, _ = card.in_force(name)
        told, _ = card.read(name)
        if acts is None or _same(acts, value) or told is None or not _same(told, value):
            return acts
        if time.monotonic() >= end_s:
            return acts
        time.sleep(_LOOK_S)


def _fault(card: SettableCard, name: Knob, one: Setting) -> str | None:
    """Why a quantity is not as asked, in one line; None where it is or no driver tells."""
    assert one.asked is not None
    if one.refusal is not None:
        told = one.refusal if one.refusal.startswith("`") else f"{card.uuid}: {one.refusal}"
        return f"`{name}` of {one.asked:g} cannot be set: {told}"
    return unlike(card.uuid, name, one.asked, one.enforced)


def unlike(uuid: str, name: Knob, asked: float, stands: ReadValue) -> str | None:
    """Why a value that was read back is not the one asked for; None where it is or is not told."""
    if stands.value is None or _same(stands.value, asked):
        return None
    return f"`{name}` must be {asked:g} on {uuid}, but reads {stands.value:g} instead"


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _SAME


def _words(value: float | None) -> str:
    return "unlocked" if value is None else f"{value:g}"
