"""Setting: cards are set, all of them or none, read back, and given back what they had."""

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from telemetry.clock import wall_us
from telemetry.power.book import Book, Entry, boot_id
from telemetry.power.card import SettableCard, bounds_fault, read_back, same
from telemetry.power.dcgm_card import DcgmCard, by_entry
from telemetry.power.dead_run import BOOT, NEXT_RUN, note_put_back
from telemetry.power.giving_back import put_back, restored
from telemetry.power.in_force import wait_in_force
from telemetry.power.phase_values import AS_ASKED
from telemetry.power.record import NOT_YET, GpuPower, Knob, ReadValue, Setting


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
        self,
        cards: Sequence[SettableCard],
        book: Book,
        *,
        wishes: Sequence[Mapping[Knob, float]],
        lock_before_mhz: int | None,
    ) -> None:
        """Of `cards`, for one attempt.

        `wishes` are what is asked phase by phase; `lock_before_mhz` is the site's own SM clock
        lock, which no driver tells of.
        """
        self._cards: tuple[SettableCard, ...] = tuple(cards)
        self._driven = self._cards
        self._book = book
        self._wishes = tuple(wishes)
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
                back = put_back(by_entry(card, entry), entry, self._book)
                unsaid = note_put_back(card, entry, by=NEXT_RUN, back=back)
                told = "; ".join(filter(None, (back.told or "put back", unsaid)))
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
        if (other := self._foreign(done)) is not None:
            raise UnsetError(other, self.restore(done, by="watcher"))
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
                # What reads otherwise a moment after it was set is this process's own doing.
                back = self.restore(done, by="watcher", just_set=True)
                raise UnsetError(fault, back)
        return done

    def restore(
        self, gpus: Sequence[GpuPower], *, by: str, just_set: bool = False
    ) -> list[GpuPower]:
        """Put back what stood before on every card that was set; the records with what stands.

        What somebody else has set meanwhile is left, but not where all was `just_set`.
        """
        return [
            restored(card, gpu, self._book, by=by, just_set=just_set)
            for card, gpu in zip(self._cards, gpus, strict=True)
        ]

    def let_go(self) -> None:
        """Give the cards to whoever comes next."""
        self._held.close()

    def _foreign(self, gpus: Sequence[GpuPower]) -> str | None:
        """What somebody else has set since a watcher of this attempt that died had set it."""
        for card, gpu in zip(self._cards, gpus, strict=True):
            entry = self._book.find(card.uuid)
            for name in gpu.settings if entry is not None else ():
                assert entry is not None
                if told := entry.foreign(name, read_back(card, name).value):
                    return f"{card.uuid}: {told}"
        return None

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
            folder=attempt.stat().st_ino if attempt.is_dir() else None,
            before=before,
            asked=asked,
            values={
                name: (asked[name], *(one.get(AS_ASKED.get(name, name)) for one in self._wishes))
                for name in asked
            },
            dcgm_bindings=self._dcgm[0],
            dcgm_address=self._dcgm[1],
        )


def _set_one(card: SettableCard, name: Knob, value: float, one: Setting) -> Setting:
    if refusal := bounds_fault(card, name, value):
        return dataclasses.replace(one, refusal=refusal)
    begun_us = wall_us()
    if refusal := card.set(name, value):
        return dataclasses.replace(one, refusal=refusal)
    acts = wait_in_force(card, name, value).value
    enforced = read_back(card, name)
    if acts is not None and enforced.value is not None and same(enforced.value, value):
        # What is told at once may act later, or never.
        enforced = dataclasses.replace(enforced, value=acts)
    return dataclasses.replace(
        one,
        set_us=begun_us,
        took_us=max(0, wall_us() - begun_us),
        enforced=enforced,
        restored=NOT_YET,
    )


def _fault(card: SettableCard, name: Knob, one: Setting) -> str | None:
    """Why a quantity is not as asked, in one line; None where it is or no driver tells."""
    assert one.asked is not None
    if one.refusal is not None:
        told = one.refusal if one.refusal.startswith("`") else f"{card.uuid}: {one.refusal}"
        return f"`{name}` of {one.asked:g} cannot be set: {told}"
    return unlike(card.uuid, name, one.asked, one.enforced)


def unlike(uuid: str, name: Knob, asked: float, stands: ReadValue) -> str | None:
    """Why a value that was read back is not the one asked for; None where it is or is not told."""
    if stands.value is None or same(stands.value, asked):
        return None
    return f"`{name}` must be {asked:g} on {uuid}, but reads {stands.value:g} instead"
