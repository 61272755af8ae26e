"""Dead run: what its record says once somebody else has put back what it left set.

And a dead watcher, whose follower goes on with what it had set.
"""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.clock import wall_us
from telemetry.power.book import Entry
from telemetry.power.card import SettableCard, read_back
from telemetry.power.giving_back import GivenBack
from telemetry.power.record import GpuPower, NodePower
from telemetry.record.files import json_bytes, read_at, write_at
from telemetry.record.json_text import parse_json
from telemetry.record.limits import JSON_BYTES
from telemetry.record.paths import AttemptPaths
from telemetry.record.plain_file import open_folder

NEXT_RUN: Final = "next run"
"""Who put back, where the run that followed on the GPU did."""
BOOT: Final = "boot"
"""The same, where the node was started anew: the card has its default, whatever was there."""
# As `AttemptPaths` names them.
_SEAL: Final = "seal.json"
_POWER: Final = "power"


def note_put_back(
    card: SettableCard, entry: Entry, *, by: str, back: GivenBack | None = None
) -> str | None:
    """Write into the dead attempt's record what stands on a GPU now, and who saw to it.

    What is sealed stays as it is, and a record that is gone or no record is nobody's to mend. Its
    folder may be another user's by now: nothing is read or written but in the very folder that was
    remembered, in a file of this user alone, and no link is followed.

    Why nothing was written there, in words; None where it was, or there was nothing to mend.
    `back` is what does not stand as before; None where all does.
    """
    name = AttemptPaths(folder=Path(entry.attempt)).host_power(entry.host).name
    try:
        with open_folder(Path(entry.attempt)) as folder:
            if entry.folder is not None and os.fstat(folder).st_ino != entry.folder:
                return "its record is not written: another folder is in the place of its own"
            if _is_there(_SEAL, folder):
                return None
            with open_folder(_POWER, folder) as above:
                if not _is_own(name, above):
                    return "its record is not written: it is not this user's alone"
                text = read_at(name, above, most_bytes=JSON_BYTES.most)
                node = NodePower.from_mapping(parse_json(text, name))
                noted = _noted(node, card, entry, by=by, back=back or GivenBack())
                write_at(name, json_bytes(noted.to_mapping()), above)
    except FileNotFoundError:
        return None
    except OSError as error:
        # The GPU stands as it does; a disk without room for saying so is no reason to fail.
        return f"its record is not written: {error.strerror}"
    except ValueError as error:
        return f"its record is not written: it is none, {error}"
    return None


def _noted(
    node: NodePower, card: SettableCard, entry: Entry, *, by: str, back: GivenBack
) -> NodePower:
    """A dead run's record with what stands now."""
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
    return noted


def _is_there(name: str, above: int) -> bool:
    try:
        os.stat(name, dir_fd=above, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_own(name: str, above: int) -> bool:
    """True of a file of this user that nobody has under another name."""
    about = os.stat(name, dir_fd=above, follow_symlinks=False)
    return about.st_uid == os.geteuid() and about.st_nlink == 1


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


def needs_restore(path: Path) -> bool:
    """True of a power record that says that something is set still."""
    try:
        record = NodePower.read(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        # What it says cannot be read: who restores looks into the book.
        return True
    return record.ended_us is None
