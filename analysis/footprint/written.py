"""Written: a footprint as JSON, CSV, Markdown and LaTeX; each says what its numbers are not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from analysis.footprint.amount import FootprintAmount
from analysis.footprint.footprint import GAIN, SIMULATED, Footprint, Footprints, totals
from analysis.footprint.forms import eu_form, sci
from analysis.footprint.operations import METHOD
from analysis.footprint.subject import CAMPAIGN
from analysis.footprint.table import table_of
from analysis.report.formatting import number_text
from analysis.report.latex import latex
from telemetry.command import own_version
from telemetry.document import strict
from telemetry.record.files import write_bytes
from telemetry.terminal import printable

_NONE: Final = "\N{EN DASH}"
_NAME: Final = "footprint"


def to_mapping(found: Footprints) -> dict[str, Any]:
    """The JSON form: all numbers in full, both forms' lines of the whole, points and runs."""
    return {
        "schema": "joulegrid.footprint",
        "version": 1,
        "made_with": own_version(),
        "simulated": found.simulated,
        "labels": [SIMULATED] if found.simulated else [],
        "boundary": found.boundary,
        "gain": GAIN if found.gain else None,
        "factors": {one.name: one.to_mapping() for one in found.factors.stated},
        "currency": found.currency,
        "not_counted": found.not_counted,
        "footprints": [_one(one, found) for one in found.of],
    }


def write(found: Footprints, folder: Path) -> list[Path]:
    """Write footprint.json, .csv, .md and .tex to `folder`.

    Raises:
        OSError: the machine refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = table_of(found)
    contents = {
        "json": f"{json.dumps(strict(to_mapping(found)), indent=1)}\n".encode(),
        "csv": table.to_csv(),
        "md": "".join(f"{line}\n" for line in markdown(found)).encode(),
        "tex": latex(table).encode("ascii"),
    }
    for ending, data in contents.items():
        write_bytes(folder / f"{_NAME}.{ending}", data)
    return [folder / f"{_NAME}.{ending}" for ending in contents]


def markdown(found: Footprints) -> Iterator[str]:
    """The page."""
    yield "# Footprint"
    yield ""
    if found.simulated:
        yield f"**{SIMULATED}.** It is in rows of its own and in no sum of what was measured."
        yield ""
    yield f"Boundary: {found.boundary}."
    yield ""
    yield from _factors(found)
    yield ""
    yield "## Energy, carbon, cost"
    yield ""
    yield "| of | runs | J | kWh | tokens | J / token | g CO2e | cost | to know |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    kinds = ("campaign", "point", "run")
    for one in (each for kind in kinds for each in found.of_kind(kind)):
        subject = one.subject
        yield _row(
            subject.name,
            len(subject.runs),
            amount_text(subject.energy_j),
            amount_text(one.energy_kwh),
            subject.tokens,
            amount_text(subject.energy_per_token_j),
            amount_text(one.carbon_g),
            cost_text(one, found),
            "; ".join(one.marks) or _NONE,
        )
    yield ""
    yield (
        "± is the interval of the energy, carried over: of a run the sensors' timing (k = 2), of a "
        "point 95 % over its repeats. Factors count as exact. A point's joules are the mean of a "
        "repeat, its tokens those of all."
    )
    if found.gain:
        yield ""
        yield f"{GAIN}."
    if found.not_counted:
        yield ""
        yield f"{found.not_counted} attempts or runs are in no number: what they took is not known."
    yield ""
    yield "## SCI for AI"
    for one in (*totals(found), *found.of_kind("point")):
        yield ""
        yield from _sci_lines(sci(one, found))
    yield ""
    yield "## EU model documentation form: computation for inference"
    yield ""
    yield f"Method: {METHOD}."
    for one in found.of_kind("point"):
        yield ""
        yield from _eu_lines(eu_form(one))


def amount_text(amount: FootprintAmount) -> str:
    """A number with half its interval, or a dash and why."""
    if amount.value is None:
        return f"{_NONE} ({amount.reason})"
    text = _plain(amount.value)
    if amount.low is None or amount.high is None:
        return text
    return f"{text} ± {_plain((amount.high - amount.low) / 2)}"


def _plain(value: float) -> str:
    """As the page has it, its thousands apart by a space that every editor shows."""
    return number_text(value).replace("\N{NARROW NO-BREAK SPACE}", " ")


def cost_text(one: Footprint, found: Footprints) -> str:
    """Its cost with the currency, or why there is none."""
    text = amount_text(one.cost)
    return text if one.cost.value is None else f"{text} {found.currency}"


def _one(one: Footprint, found: Footprints) -> dict[str, Any]:
    subject = one.subject
    return {
        "kind": subject.kind,
        "name": subject.name,
        "runs": list(subject.runs),
        "simulated": subject.simulated,
        "labels": list(one.marks),
        "tokens": subject.tokens,
        "gpu_hours": subject.gpu_hours,
        "hardware": subject.hardware,
        "interval": subject.interval,
        "energy_j": subject.energy_j.to_mapping(),
        "energy_gain_j": subject.gain_j,
        "energy_kwh": one.energy_kwh.to_mapping(),
        "energy_per_token_j": subject.energy_per_token_j.to_mapping(),
        "carbon_g": one.carbon_g.to_mapping(),
        "carbon_per_token_g": one.carbon_per_token_g.to_mapping(),
        "embodied_g": one.embodied_g.to_mapping(),
        "cost": {**one.cost.to_mapping(), "currency": found.currency},
        "sci": sci(one, found),
        # Several models have no computation in common.
        "eu_gpai": None if subject.kind == CAMPAIGN else eu_form(one),
    }


def _factors(found: Footprints) -> Iterator[str]:
    if not found.factors.stated:
        yield "No factor was stated: there is no carbon and no cost. None is built in."
        return
    yield "| factor, as its user states it | value | source | when |"
    yield "| --- | --- | --- | --- |"
    for one in found.factors.stated:
        yield _row(one.name, one.text, one.source, one.when)


def _sci_lines(line: dict[str, Any]) -> Iterator[str]:
    yield f"- {_text(line['of'])}: {_labels(line)}R = {line['r']:g} generated tokens"
    yield f"  - operational: {_given(line['operational_g'], 'g CO2e')}"
    yield f"  - operational / R: {_given(line['operational_g_per_r'], 'g CO2e')}"
    yield f"  - embodied: {_given(line['embodied_g'], 'g CO2e')}"
    yield f"  - SCI: {_given(line['sci_g_per_r'], 'g CO2e a generated token')}"
    yield f"  - boundary: GPUs; period: {line['period'] or 'not on record'}"


def _eu_lines(line: dict[str, Any]) -> Iterator[str]:
    yield f"- {_text(line['of'])}: {_labels(line)}".rstrip(": ")
    value = line["operations_two_figures"]
    told = f"null: {_text(line['reason'])}" if value is None else f"{value} FLOP"
    yield f"  - {told}, for {line['task']}"
    yield f"  - hardware: {_text(line['hardware'])}"
    yield f"  - measured beside: {_given(line['energy_j'], 'J')}, boundary GPUs"


def _labels(line: dict[str, Any]) -> str:
    return "".join(f"{_text(label)}; " for label in line["labels"])


def _given(amount: dict[str, Any], unit: str) -> str:
    found = FootprintAmount(**amount)
    if found.value is None:
        return f"null: {_text(found.reason)}"
    return f"{amount_text(found)} {unit}"


def _row(*cells: object) -> str:
    return f"| {' | '.join(_text(cell) for cell in cells)} |"


def _text(value: object) -> str:
    """A record's and a user's words: they open no tag, no link and no second cell."""
    text = printable(str(value))
    for mark in "\\`[]|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
