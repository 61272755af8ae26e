"""Headline: what a campaign on this machine measured, a line a point, and where its report lies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.command import lacks
from telemetry.output import Output
from telemetry.record.differing import LABELS, differing, field_value, short_text
from telemetry.record.spec import RunSpec
from telemetry.record.way_on import WayOn
from telemetry.waiting import waiting

# A screen of lines: the report has all.
_MOST_LINES: Final = 20
# What begins a line; repeats share one.
_WHERE: Final = frozenset({"model", "gpu", "gpus", "gpus_per_node", "repeat"})
_SETTINGS: Final = ("dtype", "quantization", "batch_size", "engine")
# Their values say what they are of.
_BARE: Final = frozenset({"dtype", "quantization", "engine", "dataset", "model"})


def report_campaign(results: Path, specs: Sequence[RunSpec], out: Output) -> bool:
    """Print J per token of each of these points that is sealed, and write the report.

    False where the report could not be written: what it needs comes with the extra `analysis`, and
    a line says so.

    Raises:
        OSError: the disk is full or the report's folder cannot be written.
    """
    try:
        with waiting("writing the report", aside=False):
            # Who only measures need not have what draws, and who looks again does not wait for it.
            from analysis.runs.sealed_runs import load  # noqa: PLC0415
            from analysis.workbook.build import GRID_POINTS, build_tables  # noqa: PLC0415

            way = WayOn.of(results)
            loaded = load(results)
            if way.reported:
                # The same command again changes no file: the page is of these seals already.
                tables = build_tables(loaded, kinds=GRID_POINTS)
            else:
                from analysis.report.page import write_report  # noqa: PLC0415

                tables = write_report(loaded).tables
    except ModuleNotFoundError as error:
        out.note(f"no J per token here: {lacks(error.name or 'it draws by', 'analysis')}")
        return False
    except ValueError as error:
        out.note(f"no report: {error}")
        return False
    lines = _lines(tables.groups.rows, specs)
    for line in lines[:_MOST_LINES]:
        out.say(line.lstrip(), indent=len(line) - len(line.lstrip()))
    if len(lines) > _MOST_LINES:
        out.say(f"and {len(lines) - _MOST_LINES} lines more, in the report")
    page = way.page
    # As one would type it here.
    page = page.relative_to(Path.cwd()) if page.is_relative_to(Path.cwd()) else page
    out.exact(f"report: {page}")
    return True


def _lines(rows: Sequence[dict[str, Any]], specs: Sequence[RunSpec]) -> list[str]:
    """A line a point; of several what they have in common is said once, above them."""
    by_run = {spec.run_id: spec for spec in specs}
    found: list[tuple[RunSpec, str]] = []
    for row in rows:
        name = next((name for name in str(row["runs"]).split() if name in by_run), None)
        if name is not None:
            found.append((by_run[name], _measured(row)))
    mappings = [spec.to_mapping() for spec, _ in found]
    names = [name for name in differing(mappings) if name not in _WHERE]
    alike = (
        _settings(found[0][0], [name for name in _SETTINGS if name not in names]) if found else ""
    )
    if len(found) == 1:
        spec, measured = found[0]
        return [f"{_place(spec)}: {measured} J per generated token ({alike})"]
    lines = [f"J per generated token{f' ({alike})' if alike else ''}:"] if found else []
    for spec, measured in found:
        own = _settings(spec, names)
        lines.append(f"  {_place(spec)}{f', {own}' if own else ''}: {measured}")
    return lines


def _place(spec: RunSpec) -> str:
    where = "CPU" if spec.gpu == "cpu" else spec.gpu
    # The word stands before the number: whoever copies the line copies it too.
    return f"{'SIMULATED: ' if spec.simulated else ''}{spec.model} on {spec.gpus} {where}"


def _settings(spec: RunSpec, names: Sequence[str]) -> str:
    fields = spec.to_mapping()
    told = []
    for name in names:
        if name in _BARE:
            if fields[name] != "none":
                told.append(str(fields[name]))
        else:
            told.append(f"{LABELS[name]} {short_text(field_value(fields, name))}")
    return ", ".join(told)


def _measured(row: dict[str, Any]) -> str:
    from analysis.report.formatting import measured_text, number_text  # noqa: PLC0415
    from analysis.tables.contrast import half_width  # noqa: PLC0415

    value, width = row["energy_per_token_j_mean"], half_width(row)
    if value is None:
        return f"none, {row['interval_reason'] or 'the report says why'};"
    if width is None:
        return f"{number_text(float(value))} (± not known)"
    return measured_text(float(value), width)
