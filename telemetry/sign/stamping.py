"""Stamping: an authority's answer over the root, and over seals, asked from here or elsewhere."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from telemetry.evidence.authority import NoStampError, ask
from telemetry.evidence.time_stamp import BadStampError, Stamp, StampQuery, read_answer, read_stamp
from telemetry.record.beside import QUERY, STAMP, beside
from telemetry.record.files import write_bytes


@dataclass(frozen=True, kw_only=True)
class Stamped:
    """What came of one file."""

    of: Path
    """The file: a root or a seal."""
    stamp: Stamp | None = None
    """What the authority says; None where there is no answer."""
    fault: str | None = None
    """Why there is none; None where there is one, or where only a query was to be written."""


def ask_authority(files: Sequence[Path], url: str) -> list[Stamped]:
    """Ask for a stamp of each file that has none; one that does not answer is asked no more.

    A query of what has no answer lies beside it, to be asked from elsewhere.

    Raises:
        OSError: an answer cannot be written.
        SigningError: rfc3161-client is not installed.
    """
    done: list[Stamped] = []
    silent: str | None = None
    for file in files:
        if (there := _there(file)) is not None:
            done.append(there)
            continue
        data = file.read_bytes()
        query = StampQuery.of(data)
        try:
            answer = ask(url, query.der) if silent is None else _silent(silent)
            stamp = read_stamp(answer, data, query.nonce)
        except (NoStampError, BadStampError) as error:
            silent = str(error)
            write_bytes(beside(file, QUERY), query.der)
            done.append(Stamped(of=file, fault=f"no time stamp: {error}"))
            continue
        write_bytes(beside(file, STAMP), answer)
        beside(file, QUERY).unlink(missing_ok=True)
        done.append(Stamped(of=file, stamp=stamp))
    return done


def write_queries(files: Sequence[Path]) -> list[Path]:
    """Write what an authority is to be asked, of each file that has no answer; where.

    Raises:
        OSError: it cannot be written.
        SigningError: rfc3161-client is not installed.
    """
    written: list[Path] = []
    for file in files:
        if not beside(file, STAMP).exists():
            write_bytes(beside(file, QUERY), StampQuery.of(file.read_bytes()).der)
            written.append(beside(file, QUERY))
    return written


def take_answers(files: Sequence[Path], answers: Sequence[Path]) -> list[Stamped]:
    """Put answers that were brought back beside the files that they are of.

    Raises:
        OSError: one cannot be read or written.
        SigningError: rfc3161-client is not installed.
        ValueError: one is no answer, or of none of the files; nothing is written then.
    """
    found: list[tuple[Path, bytes, Stamp]] = []
    for path in answers:
        # The user's own may be a link.
        answer = read_answer(Path(os.path.realpath(path)))
        why = "there is nothing to stamp"
        for file in files:
            try:
                found.append((file, answer, read_stamp(answer, file.read_bytes())))
                break
            except BadStampError as error:
                why = str(error)
        else:
            raise ValueError(
                f"`--tsr` must be of one of the {len(files)} roots and seals here, "
                f"but {path} is not: {why}"
            )
    for file, answer, _ in found:
        write_bytes(beside(file, STAMP), answer)
        beside(file, QUERY).unlink(missing_ok=True)
    return [Stamped(of=file, stamp=stamp) for file, _, stamp in found]


def _silent(why: str) -> bytes:
    """Who did not answer once is not asked for every seal of a campaign."""
    raise NoStampError(why)


def _there(file: Path) -> Stamped | None:
    """What lies there already; None where nothing does."""
    path = beside(file, STAMP)
    if not path.exists() and not path.is_symlink():
        return None
    try:
        return Stamped(of=file, stamp=read_stamp(read_answer(path), file.read_bytes()))
    except (OSError, ValueError) as error:
        return Stamped(of=file, fault=f"{path.name}: {error}")
