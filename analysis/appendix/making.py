"""Making: the appendices of a results folder, each as Markdown and as LaTeX."""

from pathlib import Path
from typing import Final

from analysis.appendix.artifact import artifact
from analysis.appendix.badges import badges
from analysis.appendix.boundary import boundary
from analysis.appendix.campaign_facts import CampaignFacts
from analysis.appendix.document import Appendix
from analysis.appendix.markdown import markdown
from analysis.appendix.system import system, to_mapping
from analysis.appendix.tex import latex
from analysis.runs.sealed_runs import load
from analysis.workbook.build import build_tables, unreadable_runs
from telemetry.command import CommandError, ExitCode
from telemetry.next_line import typed
from telemetry.record.files import write_bytes, write_json
from telemetry.record.place import RecordPlace, shown

SYSTEM: Final = "system.json"
"""The system description for programs."""


def gather(place: RecordPlace) -> CampaignFacts:
    """What the record says.

    Raises:
        CommandError: there is no sealed run, or none that can be read.
    """
    loaded = load(place.results, only=place.run)
    if not loaded.runs:
        why = typed("launcher.status", shown(place.results))
        raise CommandError(
            f"{shown(place.folder)} holds no sealed run; {why} says why", ExitCode.NOTHING_DONE
        )
    unreadable = unreadable_runs(loaded)
    if len(unreadable) == len(loaded.runs):
        first = unreadable[0]
        raise CommandError(
            f"no sealed run of {shown(place.folder)} can be read: {first.run_id}: {first.reason}",
            ExitCode.NOTHING_DONE,
        )
    return CampaignFacts(loaded=loaded, tables=build_tables(loaded), unreadable=unreadable)


def documents(facts: CampaignFacts) -> tuple[Appendix, ...]:
    """Every appendix."""
    return artifact(facts), badges(facts), system(facts), boundary(facts)


def write(facts: CampaignFacts, folder: Path) -> list[Path]:
    """Write them all; equal records give equal bytes.

    Raises:
        OSError: the machine refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for document in documents(facts):
        for ending, text in ((".md", markdown(document)), (".tex", latex(document))):
            path = folder / f"{document.name}{ending}"
            write_bytes(path, text.encode())
            written.append(path)
    write_json(folder / SYSTEM, to_mapping(facts))
    return [*written, folder / SYSTEM]
