"""Restoring: what dead runs left set on this node is put back, from what was remembered before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telemetry.power.book import Book, Entry, HeldError
from telemetry.power.card import SettableCard
from telemetry.power.dcgm_card import by_entry
from telemetry.power.dead_run import BOOT, note_put_back
from telemetry.power.giving_back import GivenBack, put_back


@dataclass(frozen=True, kw_only=True)
class Restoring:
    """What became of the GPUs of which something was remembered."""

    lines: tuple[str, ...]
    """A line each GPU."""
    failed: int
    """How many do not stand as before."""


def restore_left(
    cards: Sequence[SettableCard],
    book: Book,
    *,
    by: str,
    attempt: Path | None = None,
    only: Sequence[str] = (),
) -> Restoring:
    """Put back what is remembered of `cards`.

    Args:
        cards: the GPUs that are there.
        book: what is remembered.
        by: who puts it back, for the record.
        attempt: its GPUs alone; None takes all.
        only: UUIDs, those GPUs alone; none takes all.
    """
    lines: list[str] = []
    failed = 0
    by_uuid = {card.uuid: card for card in cards}
    for uuid in only or book.uuids():
        try:
            entry = book.find(uuid)
            if entry is None:
                lines.append(f"{uuid}: nothing is remembered")
                continue
            if attempt is not None and Path(entry.attempt) != attempt:
                continue
            with book.hold(uuid):
                # Whoever held it meanwhile may have put it back and remembered another's.
                if book.find(uuid) != entry:
                    lines.append(f"{uuid}: another run put it back meanwhile")
                    continue
                if entry.forgotten:
                    lines.append(_drop(by_uuid.get(uuid), entry, book))
                    continue
                back, unsaid = _put_back(by_uuid.get(uuid), entry, book, by)
        except HeldError as error:
            lines.append(str(error))
            continue
        except RuntimeError as error:
            lines.append(str(error))
            failed += 1
            continue
        failed += bool(back.faults)
        told = back.told or f"as before the run in {entry.attempt}"
        lines.append(f"{uuid}: {'; '.join(filter(None, (told, unsaid)))}")
    return Restoring(lines=tuple(lines), failed=failed)


def _put_back(
    card: SettableCard | None, entry: Entry, book: Book, by: str
) -> tuple[GivenBack, str | None]:
    """Put one GPU back, and say so in the record of the run that had set it; why that is not."""
    if card is None:
        return GivenBack(faults=("it is not there, or not visible here",)), None
    back = put_back(by_entry(card, entry), entry, book)
    return back, note_put_back(card, entry, by=by, back=back)


def _drop(card: SettableCard | None, entry: Entry, book: Book) -> str:
    """Forget what was remembered before the node was started anew; the line that says so."""
    book.forget(entry.uuid)
    if card is not None:
        note_put_back(card, entry, by=BOOT)
    return f"{entry.uuid}: of an earlier boot, so the card has forgotten what it was set to"
