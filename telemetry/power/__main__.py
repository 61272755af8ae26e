"""Power: what this node's GPUs are set to, and old values put back that a crash left changed.

    python -m telemetry.power show
    python -m telemetry.power restore [UUID ...]

What a GPU was set to before a run changed it is remembered on the node's disk before the change;
`restore` sets that, never the board's default, and leaves GPUs of runs that are at work.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.power.book import Book
from telemetry.power.card import described
from telemetry.power.record import GpuPower, Knob, ReadValue
from telemetry.power.restoring import restore_left

_WHO: Final = "power"
_MODULE: Final = "telemetry.power"
_EXITS: Final = {
    ExitCode.DONE: "all stands as before, or nothing was remembered",
    ExitCode.FAILED: "a GPU does not stand as before; it stays remembered",
    ExitCode.NOTHING_DONE: "there is no driver, or no GPU",
}
_BY: Final = ("restore", "guard")


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Show or restore; the exit status."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument("do", choices=("show", "restore"), help="what to do")
    parser.add_argument("uuid", nargs="*", help="GPUs to restore; all that are remembered")
    parser.add_argument("--attempt", type=Path, help="restore what this attempt's folder had set")
    parser.add_argument("--by", choices=_BY, default=_BY[0], help="who restores, for the record")
    given = parser.parse_args(arguments)
    try:
        book = Book()
    except RuntimeError as error:
        complain(_WHO, str(error))
        return ExitCode.BAD_INPUT
    return _show(book) if given.do == "show" else _restore(book, given)


def _restore(book: Book, given: argparse.Namespace) -> int:
    out = Output()
    if not given.uuid and not book.uuids():
        out.say("nothing is remembered: no run left a GPU of this node changed")
        out.next(typed(_MODULE, "show"))
        return ExitCode.DONE
    from telemetry.sources.nvml.library import Driver  # noqa: PLC0415
    from telemetry.sources.nvml.settings import Card  # noqa: PLC0415
    from telemetry.sources.nvml.visible_gpus import read_visible_gpus  # noqa: PLC0415

    try:
        with Driver() as driver:
            # Whatever this process was told to use: a left-over may be any GPU's.
            visible = read_visible_gpus(driver, {}, incomplete=True)
            done = restore_left(
                [Card(gpu) for gpu in visible.gpus],
                book,
                by=given.by,
                attempt=None if given.attempt is None else given.attempt.absolute(),
                only=given.uuid,
            )
    except RuntimeError as error:
        complain(_WHO, str(error))
        return ExitCode.NOTHING_DONE
    for line in done.lines:
        out.say(line)
    out.next(typed(_MODULE, "show"))
    return ExitCode.FAILED if done.failed else ExitCode.DONE


def _show(book: Book) -> int:
    out = Output()
    from telemetry.sources.nvml.library import Driver  # noqa: PLC0415
    from telemetry.sources.nvml.settings import Card  # noqa: PLC0415
    from telemetry.sources.nvml.visible_gpus import read_visible_gpus  # noqa: PLC0415

    try:
        with Driver() as driver:
            visible = read_visible_gpus(driver, {})
            gpus = [described(Card(gpu), {}) for gpu in visible.gpus]
    except RuntimeError as error:
        complain(_WHO, str(error))
        return ExitCode.NOTHING_DONE
    for gpu in gpus:
        for line in _lines(gpu):
            out.say(line)
    left = book.uuids()
    for uuid in left:
        out.say(f"{uuid}: old values are remembered, by a run at work or one that died")
    out.next(typed(_MODULE, "restore") if left else typed("launcher.doctor"))
    return ExitCode.DONE


def _lines(gpu: GpuPower) -> list[str]:
    lines = [f"GPU {gpu.index} {gpu.uuid}"]
    for name in Knob:
        one = gpu.settings[name]
        lines.append(
            f"  {name}: now {_value(one.before)}, from {_value(one.least)} to "
            f"{_value(one.most)}, default {_value(one.default)}"
        )
    if gpu.profiles is None:
        lines.append(f"  workload power profiles: {gpu.profiles_reason}")
        return lines
    asked, enforced = gpu.profiles_asked or (), gpu.profiles_enforced or ()
    lines.append(
        f"  workload power profiles: {', '.join(gpu.profiles) or 'none'}; asked "
        f"{', '.join(asked) or 'none'}; enforced {', '.join(enforced) or 'none'}"
    )
    return lines


def _value(told: ReadValue) -> str:
    return f"{told.value:g}" if told.value is not None else f"not told ({told.reason})"


if __name__ == "__main__":
    sys.exit(main())
