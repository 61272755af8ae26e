"""Leftovers: what dead runs left set is put back before a run measures that asks for nothing."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from telemetry.clock import wall_us
from telemetry.power.book import Book, remembered
from telemetry.power.card import SettableCard, described
from telemetry.power.dead_run import NEXT_RUN
from telemetry.power.record import NodePower, Way
from telemetry.power.restoring import restore_left
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths

_RULE: Final = "nothing is asked for; what a dead run had left was put back before the sensors open"


def put_back_leftovers(
    attempt: AttemptPaths,
    asked_way: str,
    host: str,
    cards: Sequence[SettableCard],
    tell: Callable[[str], None],
) -> None:
    """Put back what dead runs left on a job's cards, and say so in its record and in theirs.

    A run without caps would else be measured under a dead one's. What cannot be put back is told
    and on record, and the run goes on: its samples have the limit that stood.
    """
    left = remembered()
    mine = [card for card in cards if card.uuid in left]
    if not mine:
        return
    try:
        book = Book()
    except RuntimeError as error:
        # Anybody may put a folder there: what it says is nobody's word, and no run's end.
        tell(str(error))
        return
    done = restore_left(mine, book, by=NEXT_RUN, only=[card.uuid for card in mine])
    for line in done.lines:
        tell(line)
    record = NodePower(
        host=host,
        asked_way=asked_way,
        way=Way.NONE,
        means=None,
        rule=_RULE,
        gpus=tuple(described(card, {}) for card in cards),
        leftovers=done.lines,
        ended_us=wall_us(),
    )
    # The cards stand as before, whatever the disk does.
    with contextlib.suppress(OSError):
        attempt.power.mkdir(exist_ok=True)
        write_json(attempt.host_power(host), record.to_mapping())
