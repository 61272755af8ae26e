"""Mix written: what a center's mix would save, as JSON, CSV and Markdown, and as lines."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from analysis.footprint.footprint import SIMULATED
from analysis.footprint.mix import Mix, Saving
from telemetry.command import own_version
from telemetry.document import strict
from telemetry.record.files import write_bytes
from telemetry.terminal import printable

_NAME: Final = "mix"
BOUNDARY: Final = (
    "GPUs alone, at work all the time, for the same tokens: they take longer by the bound at most"
)
"""What a saving is of."""


def to_mapping(mix: Mix, found: Sequence[Saving]) -> dict[str, Any]:
    """The JSON form."""
    return {
        "schema": "joulegrid.mix",
        "version": 1,
        "made_with": own_version(),
        "source": mix.source,
        "when": mix.when,
        "slower": mix.slower,
        "boundary": BOUNDARY,
        "savings": [one.to_mapping() for one in found],
    }


def write_mix(mix: Mix, found: Sequence[Saving], folder: Path) -> list[Path]:
    """Write mix.json, .csv and .md to `folder`.

    Raises:
        OSError: the machine refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = to_mapping(mix, found)
    table = io.StringIO()
    rows = csv.DictWriter(table, list(told["savings"][0]), lineterminator="\n")
    rows.writeheader()
    rows.writerows(told["savings"])
    contents = {
        "json": f"{json.dumps(strict(told), indent=1)}\n",
        "csv": table.getvalue(),
        "md": "".join(f"{line}\n" for line in _markdown(mix, found)),
    }
    for ending, text in contents.items():
        write_bytes(folder / f"{_NAME}.{ending}", text.encode())
    return [folder / f"{_NAME}.{ending}" for ending in contents]


def saving_lines(mix: Mix, found: Sequence[Saving]) -> Iterator[str]:
    """What people read: one line a share, and the whole last."""
    yield f"mix, at most {mix.slower:.0%} slower: {mix.source}, {mix.when}"
    for one in found:
        yield f"{one.name} ({one.share:.0%}): {_saved(one)}"
    yield f"boundary: {BOUNDARY}"


def _saved(one: Saving) -> str:
    if one.kwh is None:
        return f"not known: {one.reason}"
    marks = "" if not one.simulated else f"; {SIMULATED}"
    labels = f"; {one.labels}" if one.labels else ""
    setting = f" by {one.setting}" if one.setting else ""
    if one.kwh_half is None:
        wide = f", no interval: {one.reason}"
        return f"{one.kwh:.4g} kWh a GPU-year, {one.percent:.3g} %{setting}{wide}{labels}{marks}"
    return (
        f"{one.kwh:.4g} \N{PLUS-MINUS SIGN} {one.kwh_half:.2g} kWh a GPU-year, "
        f"{one.percent:.3g} \N{PLUS-MINUS SIGN} {one.percent_half:.2g} %{setting}{labels}{marks}"
    )


def _markdown(mix: Mix, found: Sequence[Saving]) -> Iterator[str]:
    yield "# What this mix would save a GPU-year"
    yield ""
    if any(one.simulated for one in found):
        yield f"**{SIMULATED}.**"
        yield ""
    yield f"A token may take at most {mix.slower:.0%} longer. {BOUNDARY}."
    yield ""
    yield f"Shares of GPU-hours: {_cell(mix.source)}, {_cell(mix.when)}."
    yield ""
    yield "| share of GPU-hours | of | saved |"
    yield "|---|---|---|"
    for one in found:
        yield f"| {one.share:.1%} | {_cell(one.name)} | {_cell(_saved(one))} |"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")
