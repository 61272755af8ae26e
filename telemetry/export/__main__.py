"""Export: a results folder without names, sealed anew, for who may not see them.

    python -m telemetry.export RESULTS --pseudonymise --key FILE --out FOLDER
    python -m telemetry.export RESULTS --prove FOLDER

Users, hosts, serials, UUIDs, addresses, Slurm's names and paths become pseudonyms by the key, the
same in every export of that key, which is in none. Each run is sealed anew and says of which seal
it is; --prove shows that of the originals. Prompts and answers stay as they are.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from telemetry.command import CommandError, CommandParser, ExitCode, command, complain
from telemetry.export.exporting import ExportTold, export, proof
from telemetry.export.pseudonyms import Pseudonyms
from telemetry.named_paths import named_path
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.place import RecordPlace, named_place, shown

_WHO: Final = "export"
_MODULE: Final = "telemetry.export"
_MOST_TOLD: Final = 8
_EXITS: Final = {
    ExitCode.DONE: "all that is sealed is exported; --prove: all is of the originals here",
    ExitCode.FAILED: "a sealed run could not be exported, or is of no original here",
    ExitCode.BAD_INPUT: "the command, the folder or the key will not do; nothing was written",
    ExitCode.NOTHING_DONE: "nothing is sealed",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Export a results folder, or prove of which an export is; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument("results", help="the results folder")
    parser.add_argument("--pseudonymise", action="store_true", help="replace every name")
    parser.add_argument("--key", help="file of 16 bytes or more that decides the pseudonyms")
    parser.add_argument("--out", help="the new folder")
    parser.add_argument("--prove", metavar="FOLDER", help="an export, to be held against this")
    given = parser.parse_args(arguments)
    place = named_place(given.results, _MODULE)
    if place.run is not None:
        raise CommandError(f"`results` must be a results folder, but {place.folder} is of one")
    try:
        if given.prove is not None:
            if given.pseudonymise or given.key is not None or given.out is not None:
                raise ValueError(
                    "`--prove` must stand without `--pseudonymise`, `--key` and `--out`, "
                    "but does not"
                )
            exported = named_path("--prove", given.prove, "an export's folder")
            if not exported.is_dir():
                raise ValueError(f"`--prove` must be an export's folder, but {exported} is none")
            return _prove(place, exported)
        # Never by a forgotten word: an export with names is a copy, for which there is cp.
        if not given.pseudonymise or given.key is None or given.out is None:
            raise ValueError("`--pseudonymise`, `--key` and `--out` must be given together")
        key = named_path("--key", given.key, "a key's file")
        if not key.is_file():
            raise ValueError(f"`--key` must be a file, but {key} is not")
        out = named_path("--out", given.out)
        _require_apart(place.results, out, key)
        return _export(place, out, Pseudonyms.read(key))
    except ValueError as error:
        raise CommandError(str(error)) from error


def _require_apart(results: Path, out: Path, key: Path) -> None:
    if out.exists():
        raise ValueError(f"`--out` must be a new folder, but {out} is there")
    if not out.parent.is_dir():
        raise ValueError(f"`--out` must lie in a folder that is there, but {out.parent} is not")
    if out.is_relative_to(results):
        raise ValueError(f"`--out` must lie outside of {results}, but {out} does not")
    if key.is_relative_to(results):
        raise ValueError(f"`--key` must lie outside of {results}, but {key} does not")


def _export(place: RecordPlace, out: Path, pseudonyms: Pseudonyms) -> int:
    told = export(place.results, out, pseudonyms)
    for run_id, reason in list(told.refused.items())[:_MOST_TOLD]:
        complain(_WHO, f"{run_id} is not exported: {reason}")
    if not told.runs:
        if not told.refused:
            complain(_WHO, f"{place.results} holds no sealed run")
        return ExitCode.FAILED if told.refused else ExitCode.NOTHING_DONE
    _tell(told, out)
    return ExitCode.FAILED if told.refused else ExitCode.DONE


def _tell(told: ExportTold, out: Path) -> None:
    output = Output()
    names = ", ".join(f"{count} {kind}" for kind, count in sorted(told.names.items()))
    output.say(f"{told_count(told.runs, 'run')} exported and sealed anew; replaced names: {names}")
    output.say("none of them is left in any text, column, name of a file or byte of the export")
    if told.left_out:
        output.note(
            f"{told_count(len(told.left_out), 'file')} left out, which hold digests or bytes of "
            f"the originals: {told.left_out[0]}"
        )
    if told.fields_only:
        output.note(
            f"a name of {', '.join(told.fields_only)} is a word of the record too: it was replaced "
            "in its own fields alone"
        )
    if told.in_answers:
        output.note(
            f"prompts and answers stay as they are, and spell a name at {told.in_answers} places"
        )
    output.note("signatures and roots were of the originals: sign the export anew")
    output.exact(f"wrote {out}")
    output.next(typed("analysis.audit", shown(out)))


def _prove(place: RecordPlace, folder: Path) -> int:
    found = proof(place.results, folder)
    if not found:
        complain(_WHO, f"{folder} holds no sealed run")
        return ExitCode.NOTHING_DONE
    output = Output()
    shown_of = sum(found.values())
    output.say(f"{shown_of} of {told_count(len(found), 'run')} are of a seal that lies here")
    for run_id, is_of in sorted(found.items()):
        if not is_of:
            complain(_WHO, f"{run_id} is of no seal that lies here")
    output.next(typed("analysis.audit", shown(place.results)))
    return ExitCode.DONE if shown_of == len(found) else ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main())
