"""Footprint: carbon and cost by what you state of grid and price, and two forms that ask for them.

    python -m analysis.footprint RESULTS [--factors FILE] [--mix FILE] [--out FOLDER]

FILE is YAML or JSON: grid_intensity_g_per_kwh, price_per_kwh, pue, embodied_g_per_gpu_hour, each
with value, source and date or period. None is built in: without one its numbers are null. Written
are footprint.json, .csv, .md and .tex, with the line of SCI for AI and that of the EU's model
documentation form. --mix states shares of GPU-hours by model and engine, and adds mix.json, .csv
and .md: what the best caps and clocks on record would save a GPU-year.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from telemetry.command import CommandError, CommandParser, ExitCode, command, needs_extra
from telemetry.document import due
from telemetry.named_paths import named_path
from telemetry.nearest import told_count
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.record.paths import report_folder
from telemetry.record.place import RecordPlace, named_out, named_place, shown
from telemetry.waiting import waiting

if TYPE_CHECKING:
    from analysis.footprint.factors import Factors
    from analysis.footprint.footprint import Footprints
    from analysis.footprint.mix import Mix
    from analysis.tables.column import Row

_WHO: Final = "footprint"
_MODULE: Final = "analysis.footprint"
_EXITS: Final = {
    ExitCode.DONE: "written",
    ExitCode.FAILED: "the machine refuses",
    ExitCode.BAD_INPUT: "the command, the folder or a factor will not do",
    ExitCode.NOTHING_DONE: "there is no sealed run",
}


@command(_WHO)
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the footprint of a results folder, or of one run of it; the exit code."""
    parser = CommandParser(module=_MODULE, description=__doc__, exits=_EXITS)
    parser.add_argument(
        "results", help="the results folder, or the folder of one run or attempt in it"
    )
    parser.add_argument(
        "--factors", metavar="FILE", help="YAML or JSON of what you state; else there is no carbon"
    )
    parser.add_argument(
        "--mix", metavar="FILE", help="YAML or JSON of shares of GPU-hours: what caps would save"
    )
    parser.add_argument("--out", help="folder to write to, else RESULTS/report/footprint")
    parser.add_json(
        "factors, boundary, and of each run, point and all: energy, carbon, cost, forms"
    )
    given = parser.parse_args(arguments)
    place = named_place(given.results, _MODULE)
    out = named_out(given.out)
    # A bare installation lacks what it imports.
    with needs_extra(_WHO, "analysis"), waiting("loading what makes footprints"):
        from analysis.footprint.mix import savings  # noqa: PLC0415
        from analysis.footprint.mix_written import saving_lines, write_mix  # noqa: PLC0415
        from analysis.footprint.written import to_mapping, write  # noqa: PLC0415

        factors = _factors(given.factors)
        mix = _mix(given.mix)
    with waiting("footprint"):
        found, best = _gathered(place, factors)
        if out is None:
            out = report_folder(place.results) / _WHO
            out = out if place.run is None else out / place.run.run_id
        written = write(found, out)
        saved = () if mix is None else savings(mix, best)
        written += [] if mix is None else write_mix(mix, saved, out)
    screen = Output()
    _print(found, screen)
    for line in () if mix is None else saving_lines(mix, saved):
        screen.say(line, hang=2)
    for path in written:
        screen.exact(f"written: {shown(path)}")
    if (document := due()) is not None:
        told = {} if mix is None else {"mix": [one.to_mapping() for one in saved]}
        files = [str(path) for path in written]
        document.fill(_WHO, {**to_mapping(found), **told, "files": files})
    if given.factors is None:
        screen.note("no factor was stated: --factors FILE states grid, price and PUE")
    screen.next(typed("analysis.audit", shown(place.results)))
    return ExitCode.DONE


def _gathered(place: RecordPlace, factors: "Factors") -> tuple["Footprints", Sequence["Row"]]:
    from analysis.footprint.footprint import footprints  # noqa: PLC0415
    from analysis.footprint.subject import subjects_of  # noqa: PLC0415
    from analysis.runs.sealed_runs import load  # noqa: PLC0415
    from analysis.workbook.build import build_tables  # noqa: PLC0415

    loaded = load(place.results, only=place.run)
    if not loaded.runs:
        why = typed("launcher.status", shown(place.results))
        raise CommandError(
            f"{shown(place.folder)} holds no sealed run; {why} says why", ExitCode.NOTHING_DONE
        )
    tables = build_tables(loaded)
    left = len(tables.not_counted.rows)
    found = footprints(subjects_of(loaded, tables), factors, not_counted=left)
    return found, tables.best_caps.rows


def _print(found: "Footprints", screen: Output) -> None:
    from analysis.footprint.footprint import GAIN, SIMULATED, totals  # noqa: PLC0415
    from analysis.footprint.written import amount_text, cost_text  # noqa: PLC0415

    for one in totals(found):
        subject = one.subject
        screen.say(
            f"{subject.name} ({told_count(len(subject.runs), 'run')}): "
            f"{amount_text(subject.energy_j)} J, {amount_text(one.energy_kwh)} kWh, "
            f"{subject.tokens} tokens"
        )
        screen.say(f"carbon: {amount_text(one.carbon_g)} g CO2e".replace(") g CO2e", ")"), indent=2)
        screen.say(f"cost: {cost_text(one, found)}", indent=2)
        for mark in one.marks:
            screen.say(mark, indent=2)
    if found.simulated:
        screen.say(f"{SIMULATED}; every file says so")
    screen.say(f"boundary: {found.boundary}")
    if found.gain:
        screen.say(GAIN)
    for factor in found.factors.stated:
        screen.say(f"{factor.name}: {factor.text}, {factor.source}, {factor.when}", hang=2)


def _factors(given: str | None) -> "Factors":
    from analysis.footprint.factors import Factors  # noqa: PLC0415

    if given is None:
        return Factors()
    try:
        return Factors.read(named_path("--factors", given, "a file"))
    except ValueError as error:
        raise CommandError(str(error)) from error


def _mix(given: str | None) -> "Mix | None":
    from analysis.findings.best import SLOWER  # noqa: PLC0415
    from analysis.footprint.mix import NAME, Mix  # noqa: PLC0415

    if given is None:
        return None
    try:
        return Mix.read(named_path(NAME, given, "a file"), SLOWER)
    except ValueError as error:
        raise CommandError(str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main())
