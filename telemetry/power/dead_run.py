"""Dead run: what its record says once somebody else has put back what it left set.

And a dead watcher, whose follower goes on with what it had set.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.clock import wall_us
from telemetry.power.book import Entry
from telemetry.power.card import SettableCard, read_back
from telemetry.power.giving_back import GivenBack
from telemetry.power.record import GpuPower, NodePower
from telemetry.record.files import write_json
from telemetry.record.paths import AttemptPaths

NEXT_RUN: Final = "next run"
"""Who put back, where the run that followed on the GPU did."""
BOOT: Final = "boot"
"""The same, where the node was started anew: the card has its default, whatever was there."""


def note_put_back(
    card: SettableCard, entry: Entry, *, by: str, back: GivenBack | None = None
) -> None:
    """Write into the dead attempt's record what stands on a GPU now, and who saw to it.

    What is sealed stays as it is, and a record that is gone or no record is nobody's to mend.
    `back` is what does not stand as before; None where all does.
    """
    back = back or GivenBack()
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
            if name not in settings:
                continue
            told, left = back.fault(name), back.left.get(name)
            settings[name] = dataclasses.replace(
                settings[name],
                # One that was killed between the change and its note had it set all the same.
                set_us=settings[name].set_us or entry.t_us,
                restored=read_back(card, name),
                restored_by=None if told or left else by,
                left=left,
                refusal=settings[name].refusal or told,
            )
        gpus.append(dataclasses.replace(gpu, settings=settings))
    noted = dataclasses.replace(node, gpus=tuple(gpus))
    if not back.faults and not noted.unrestored:
        noted = dataclasses.replace(noted, ended_us=wall_us())
    # The GPU stands as it does; a disk without room for saying so is no reason to fail.
    with contextlib.suppress(OSError):
        write_json(path, noted.to_mapping())


def earlier_record(path: Path) -> NodePower | None:
    """What a watcher of the same attempt that died had on record; None where nothing can be read.

    Its follower begins a record of its own: without this, all that was read before is gone.
    """
    try:
        return NodePower.read(path)
    except (OSError, ValueError):
        return None


def gone_on_with(gpus: Sequence[GpuPower], earlier: NodePower | None) -> list[GpuPower]:
    """The records of a follower with what was first set and read back, where that stood as asked.

    The cards kept it while nobody watched, as the samples before and after tell: that a follower
    sets it once more is no later begin of it.
    """
    before = {} if earlier is None else {gpu.uuid: gpu.settings for gpu in earlier.gpus}
    found = []
    for gpu in gpus:
        settings = dict(gpu.settings)
        for name, one in settings.items():
            first = before.get(gpu.uuid, {}).get(name)
            if first is None or first.set_us is None or one.set_us is None:
                continue
            if first.asked == one.asked and first.enforced.value == one.enforced.value:
                settings[name] = dataclasses.replace(
                    one, set_us=first.set_us, took_us=first.took_us, enforced=first.enforced
                )
        found.append(dataclasses.replace(gpu, settings=settings))
    return found
