"""Restoring: what dead runs left set on this node is put back, from what was remembered before."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telemetry.clock import wall_us
from telemetry.power.book import Book, Entry, HeldError
from telemetry.power.card import SettableCard, read_back
from telemetry.power.dcgm_card import by_entry
from telemetry.power.record import NodePower, ReadValue
from telemetry.power.setting import put_back
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths


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
                faults = _put_back(by_uuid.get(uuid), entry, book, by)
        except HeldError as error:
            lines.append(str(error))
            continue
        except RuntimeError as error:
            lines.append(str(error))
            failed += 1
            continue
        failed += bool(faults)
        lines.append(f"{uuid}: {'; '.join(faults) or 'as before the run in ' + entry.attempt}")
    return Restoring(lines=tuple(lines), failed=failed)


def _put_back(card: SettableCard | None, entry: Entry, book: Book, by: str) -> list[str]:
    """Put one GPU back, and say so in the record of the run that had set it."""
    if entry.forgotten:
        book.forget(entry.uuid)
        return []
    if card is None:
        return ["it is not there, or not visible here"]
    faults = put_back(by_entry(card, entry), entry, book)
    _note(card, entry, by)
    return faults


def _note(card: SettableCard, entry: Entry, by: str) -> None:
    """Write into the attempt's record what stands again; what is sealed stays as it is."""
    attempt = AttemptPaths(folder=Path(entry.attempt))
    path = attempt.host_power(entry.host)
    if attempt.seal.exists():
        return
    try:
        node = NodePower.read(path)
    except (OSError, ValueError):
        return
    gpus = []
    for gpu in node.gpus:
        settings = dict(gpu.settings)
        for name in entry.before if gpu.uuid == entry.uuid else ():
            stands: ReadValue = read_back(card, name)
            settings[name] = dataclasses.replace(settings[name], restored=stands, restored_by=by)
        gpus.append(dataclasses.replace(gpu, settings=settings))
    ended = dataclasses.replace(node, gpus=tuple(gpus), ended_us=wall_us())
    try:
        write_json(path, ended.to_mapping())
    except OSError:
        # The GPU stands as before; the disk that has no room for saying so is no reason to fail.
        return
