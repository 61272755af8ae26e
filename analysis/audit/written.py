"""Written: the files of an audit: JSON and a page beside the report, and what was asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from analysis.audit.junit import junit
from analysis.audit.run import Audit, to_mapping
from analysis.audit.verdict_page import PAGE, verdict_page
from telemetry.named_paths import named_path
from telemetry.record.files import write_bytes, write_json
from telemetry.record.paths import report_folder
from telemetry.record.place import runs_above
from telemetry.record.way_on import AUDIT


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be written beside what every audit of a results folder writes."""

    junit: Path | None = None
    """File for JUnit XML; None for none."""
    html: Path | None = None
    """File for the verdict on one page; None for none."""

    @classmethod
    def named(cls, junit_file: str | None, html_file: str | None) -> Self:
        """What the words of a command line name.

        Raises:
            ValueError: one is a folder, lies in none, or would lie in a run's record; or both are
                one file.
        """
        xml, page = _file("--junit", junit_file), _file("--html", html_file)
        if xml is not None and xml == page:
            raise ValueError(f"`--junit` and `--html` must be two files, but both are {xml}")
        return cls(junit=xml, html=page)


def write_audit(audit: Audit, asked: Asked, *, whole: bool, strict: bool) -> list[Path]:
    """Write the audit; every file that was written.

    Args:
        audit: what was seen.
        asked: what is to be written, too.
        whole: whether it is of a whole results folder, whose report it then stands beside.
        strict: whether what could not be looked at counts as an error.

    Raises:
        OSError: one cannot be written; it is then as it was.
    """
    written = []
    page = verdict_page(audit).encode()
    if whole:
        folder = report_folder(audit.results)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / AUDIT, to_mapping(audit))
        write_bytes(folder / PAGE, page)
        written += [folder / AUDIT, folder / PAGE]
    if asked.junit is not None:
        write_bytes(asked.junit, junit(audit, strict=strict))
        written.append(asked.junit)
    if asked.html is not None:
        write_bytes(asked.html, page)
        written.append(asked.html)
    return written


def _file(name: str, given: str | None) -> Path | None:
    if given is None:
        return None
    path = named_path(name, given, "a file")
    if path.is_dir():
        raise ValueError(f"`{name}` must be a file, but {path} is a folder")
    if not path.parent.is_dir():
        raise ValueError(f"`{name}` must be a file in a folder, but {path.parent} is none")
    # The seal of a run does not hold what is put there later.
    if above := runs_above(path.parent):
        raise ValueError(
            f"`{name}` must not lie in a run's record, but {path} lies in {above[0].run_id}"
        )
    return path
