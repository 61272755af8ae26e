"""Command: what all commands have in common: exit codes, one line for a fault, no traceback."""

import argparse
import contextlib
import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, NoReturn, Protocol

from telemetry.damage import DamagedError
from telemetry.document import JSON_WORD, Document, due, owed
from telemetry.lasting import is_own, lasting, make_own, spare_pandas
from telemetry.next_line import VERBS, spoken, typed
from telemetry.terminal import printable, replace_unencodable

_TERM: Final = re.compile(r" +\S+ {2,}(?=\S)")
# Longer lines are hard to read, whatever a terminal has.
_MOST_COLUMNS: Final = 100
# A run's name has up to 80 characters and a hash 64: a longer word, which is no path, is read by
# nobody.
_ENDLESS: Final = re.compile(r"[^\s/]{101,}")
_BEGINNING: Final = 60
_OWN_PACKAGES: Final = ("analysis", "conf", "launcher", "telemetry", "workers")


class ExitCode(IntEnum):
    """What a command's exit status says: docs/grid.md has the table in words."""

    DONE = 0
    """All was done, or all is well so far."""
    FAILED = 1
    """A point, a check, a file or a job failed; the rest was done."""
    BAD_INPUT = 2
    """The command, a value or a folder is not what it must be; nothing was begun."""
    NOTHING_DONE = 3
    """Nothing could run or be read: no point of the grid, no run of the folder."""
    UNSEEN = 4
    """Asked to be strict: no check failed, but some could not be looked at."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C: 128 and the signal's number, as shells count."""


_EXITS: Final[Mapping[ExitCode, str]] = {
    ExitCode.DONE: "done, and all is well",
    ExitCode.FAILED: "a check, a claim, a point or the machine failed",
    ExitCode.BAD_INPUT: "the command, a value or a folder will not do; nothing was begun",
    ExitCode.NOTHING_DONE: "nothing could run or be read",
    ExitCode.UNSEEN: "--strict: no check failed, but some could not be looked at",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
}


def exit_codes(meanings: Mapping[ExitCode, str] | None = None) -> str:
    """The exit codes as a help shows them, a line each.

    Args:
        meanings: those of one command, beside a bad input and an interruption, which all have;
            None tells all there are.
    """
    every = {code: _EXITS[code] for code in (ExitCode.BAD_INPUT, ExitCode.INTERRUPTED)}
    said = _EXITS if meanings is None else {**every, **meanings}
    lines = [f"  {int(code):<3}  {said[code]}" for code in sorted(said)]
    return "\n".join(["exit codes:", *lines])


class CommandError(ValueError):
    """What was asked for cannot be done: the line of error, and what to type instead.

    Args:
        text: the line.
        code: what the command ends with.
        lines: commands to choose from, for standard output: one line each.
        reasons: sentences for standard output, as wide as the terminal.
    """

    def __init__(
        self,
        text: str,
        code: ExitCode = ExitCode.BAD_INPUT,
        lines: Sequence[str] = (),
        *,
        reasons: Sequence[str] = (),
    ) -> None:
        super().__init__(text)
        self.code = code
        self.lines = tuple(lines)
        self.reasons = tuple(reasons)


class Main(Protocol):
    """A command's `main`."""

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command line; the exit status."""
        ...


def complain(who: str, text: str) -> None:
    """One line on standard error, whatever is in `text`; among the errors of a document, too.

    Of a word without end it has the beginning.
    """
    if (document := due()) is not None:
        document.errors.append(text.strip())
    told = _ENDLESS.sub(lambda word: f"{word[0][:_BEGINNING]}…", text.strip())
    sys.stderr.write(f"{spoken(who)}: {printable(told)}\n")


def command(who: str) -> Callable[[Main], Main]:
    """What every `main` is wrapped in; `who` begins its lines of error.

    A stream of any encoding is written to; what the machine does (a disk is full, the reader of
    the output is gone, somebody presses Ctrl-C) ends it with one line and a code of `ExitCode`.
    Where `--json` is among its words its document is written last, also when it was refused.
    """

    def wrap(main: Main) -> Main:
        @functools.wraps(main)
        def run(arguments: Sequence[str] | None = None) -> int:
            if arguments is None:
                make_own()
            if is_own():
                spare_pandas()
            replace_unencodable()
            _silence_matplotlib()
            with owed(sys.argv[1:] if arguments is None else arguments) as document:
                if document is None:
                    return _guarded(who, lambda: main(arguments))
                status = _guarded(who, lambda: _ended(main, arguments))
            # Outside: standard output is itself again.
            return _guarded(who, lambda: _closed(document, status))

        return run

    return wrap


def _guarded(who: str, act: Callable[[], int]) -> int:
    """What `act` gives, or the code of what kept it from its end, with one line of error."""
    try:
        status = act()
        sys.stdout.flush()
    except BrokenPipeError:
        # `head` has seen enough. The interpreter would write what is left at its end.
        _silence_output()
        return ExitCode.FAILED
    except CommandError as error:
        complain(who, str(error))
        if (document := due()) is not None:
            document.notes += [*error.reasons, *error.lines]
            return error.code
        for reason in error.reasons:
            # What it prints by is loaded where there is something to print.
            from telemetry.paragraph import say  # noqa: PLC0415

            say(reason)
        sys.stdout.writelines(f"{printable(line)}\n" for line in error.lines)
        return error.code
    except DamagedError as error:
        complain(who, str(error))
        return ExitCode.FAILED
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        complain(who, f"the machine refuses{where}: {error.strerror or error}")
        return ExitCode.FAILED
    except KeyboardInterrupt:
        complain(who, "stopped")
        return ExitCode.INTERRUPTED
    return status


def _ended(main: Main, arguments: Sequence[str] | None) -> int:
    """A parser's own end is a status too: there is a document to write after it."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _closed(document: Document, status: int) -> int:
    document.close(status)
    return status


class _ProseFormatter(argparse.HelpFormatter):
    """Paragraphs as wide as the terminal; an indented line stays one of its own."""

    def __init__(self, prog: str) -> None:
        # Every argument makes one; and a bare Python, to which `doctor` tells what it lacks, has
        # nothing that knows how wide letters are.
        try:
            # What it prints by is loaded for help alone.
            from telemetry.paragraph import columns  # noqa: PLC0415
        except ModuleNotFoundError:
            super().__init__(prog, width=_MOST_COLUMNS)
        else:
            super().__init__(prog, width=min(columns(), _MOST_COLUMNS))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        try:
            from telemetry.paragraph import wrapped  # noqa: PLC0415
        except ModuleNotFoundError:
            return "".join(f"{indent}{line}\n" for line in text.splitlines())

        paragraphs: list[str] = []
        joins = False
        for line in text.strip().splitlines():
            if joins and line[:1].strip():
                paragraphs[-1] += f" {line}"
            else:
                paragraphs.append(line.rstrip())
            # A line that ends in a colon heads a list.
            joins = bool(line[:1].strip()) and not line.endswith(":")
        lines: list[str] = []
        for paragraph in paragraphs:
            start = len(paragraph) - len(paragraph.lstrip())
            # What stands behind a name or a number goes on below its own beginning.
            term = _TERM.match(paragraph)
            hang = term.end() - start if term else 2 * bool(start)
            lines += wrapped(paragraph.lstrip(), width=width, indent=start, hang=hang)
        return "".join(f"{indent}{line}\n" for line in lines)


class CommandParser(argparse.ArgumentParser):
    """An argument parser that refuses in one line, knows `--version` and tells the exit codes."""

    def __init__(
        self,
        *,
        module: str,
        description: str | None,
        epilog: str | None = None,
        exits: Mapping[ExitCode, str] | None = None,
    ) -> None:
        prog = typed(module)

        def as_called(text: str | None) -> str | None:
            return text and text.replace(f"python -m {module}", prog)

        if module in VERBS and "exit" not in (epilog or ""):
            general: Mapping[ExitCode, str] = {
                code: _EXITS[code] for code in _EXITS if code is not ExitCode.UNSEEN
            }
            epilog = "\n\n".join(filter(None, [epilog, exit_codes(exits or general)]))
        super().__init__(
            prog=prog,
            description=as_called(description),
            epilog=as_called(epilog),
            formatter_class=_ProseFormatter,
            allow_abbrev=False,
        )
        self._who = module.rpartition(".")[2]
        self._words: list[str] = []
        self.add_argument(
            "--version", action="version", version=own_version(), help="show the version"
        )

    def add_json(self, about: str) -> None:
        """Let the command be asked for its document; `about` is what that holds."""
        self.add_argument(
            JSON_WORD,
            action="store_true",
            help=f"one JSON document on standard output instead of words: {about}",
        )

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """What the words say; a flag that there is not is told with the nearest."""
        self._words = list(sys.argv[1:] if args is None else args)
        given, left = self.parse_known_args(args, namespace)
        if left:
            if not left[0].startswith("-"):
                self.error(f"{left[0]!r} is a word more than it takes")
            self._refuse_flag(left[0])
        return given

    def _refuse_flag(self, word: str) -> NoReturn:
        # It loads a library of distances, which a command that is right needs not wait for.
        from telemetry.nearest import did_you_mean  # noqa: PLC0415

        flag = word.partition("=")[0]
        near = did_you_mean(flag, self._flags)
        ask = f"{self.prog} --help lists them"
        rest = f" ({ask})" if near else f"; {ask}"
        self._refuse(f"`{flag}` must be one of {len(self._flags)} flags, but is none{near}{rest}")

    @property
    def _flags(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings]

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuse a word that is none of those that may stand there."""
        if action.choices is None or value in action.choices:
            return
        from telemetry.nearest import one_of  # noqa: PLC0415

        name = action.option_strings[-1] if action.option_strings else action.dest
        known = [str(each) for each in action.choices]
        self._refuse(one_of(name, known, value, things="words", ask=f"{self.prog} --help"))

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and end with exit code 2."""
        # argparse tells of the words that lack before it tells of a flag that there is not, which
        # may be why they do: `--kye KEY`.
        for word in self._words:
            if word == "--":
                break
            if word.startswith("--") and word.partition("=")[0] not in self._flags:
                self._refuse_flag(word)
        self._refuse(f"{message}; {self.prog} --help tells what there is")

    def _refuse(self, text: str) -> NoReturn:
        complain(self._who, text)
        raise SystemExit(int(ExitCode.BAD_INPUT))


# Each table is told it, and each call reads and parses the installation's metadata.
@functools.cache
def own_version() -> str:
    """The project's name and version, as far as it is installed."""
    try:
        return f"joulegrid {version('joulegrid')}"
    except PackageNotFoundError:
        return "joulegrid, not installed"


@contextlib.contextmanager
def needs_extra(who: str, extra: str) -> Iterator[None]:
    """Within it a package that is not installed ends the command with the line that installs it."""
    try:
        with lasting():
            yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing or missing in _OWN_PACKAGES:
            raise
        complain(who, lacks(missing, extra))
        raise SystemExit(int(ExitCode.BAD_INPUT)) from None


def lacks(package: str, extra: str) -> str:
    """What is said where a package of an extra is not installed."""
    return (
        f"the package {package} must be installed, but is not; "
        f"pip install 'joulegrid[{extra}]', or '.[{extra}]' in a checkout, brings it"
    )


def _silence_matplotlib() -> None:
    """Keep its warnings from standard error: that a home cannot be written is no fault of ours."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def _silence_output() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere: Any = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
