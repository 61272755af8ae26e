"""Written: the files of an audit: JSON and a page beside the report, and what was asked for."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from analysis.audit.junit import junit
from analysis.audit.run import Audit, to_mapping
from telemetry.command import lacks
from telemetry.named_paths import named_path
from telemetry.record.files import write_bytes, write_json
from telemetry.record.folders import require_no_link
from telemetry.record.paths import report_folder
from telemetry.record.place import runs_above
from telemetry.record.way_on import AUDIT

PAGE: Final = "audit.html"
"""File of a report's folder: the verdict of the last audit."""
# What the page is filled in by.
_MAKES_PAGES: Final = "jinja2"


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
            ValueError: one is a folder, lies in none, or would lie in a run's record; both are
                one file; or what makes the page is not installed.
        """
        xml, page = _file("--junit", junit_file), _file("--html", html_file)
        if xml is not None and xml == page:
            raise ValueError(f"`--junit` and `--html` must be two files, but both are {xml}")
        if page is not None and (lacking := no_page()):
            raise ValueError(lacking)
        return cls(junit=xml, html=page)


def write_audit(
    audit: Audit, asked: Asked, *, whole: bool, strict: bool
) -> tuple[list[Path], list[str]]:
    """Write the audit, each file that can be.

    Args:
        audit: what was seen.
        asked: what is to be written, too.
        whole: whether it is of a whole results folder, whose report it then stands beside.
        strict: whether what could not be looked at counts as an error.

    Returns:
        The files that were written, and for each that was not, and is as it was, why.
    """
    folder = report_folder(audit.results)
    acts: list[tuple[Path, Callable[[Path], None]]] = []
    # First: they may be asked for because the folder is somebody else's.
    if asked.junit is not None:
        acts.append((asked.junit, lambda path: write_bytes(path, junit(audit, strict=strict))))
    pages = [] if asked.html is None else [asked.html]
    if whole:
        acts.append((folder / AUDIT, lambda path: write_json(path, to_mapping(audit))))
        # An auditor without what makes pages gets every finding all the same.
        if no_page() is None:
            pages.append(folder / PAGE)
        else:
            # One of an earlier audit would be taken for this one's.
            acts.append((folder / PAGE, lambda path: path.unlink(missing_ok=True)))
    if pages:
        from analysis.audit.verdict_page import verdict_page  # noqa: PLC0415

        page = verdict_page(audit).encode()
        acts += [(path, lambda path: write_bytes(path, page)) for path in pages]
    written: list[Path] = []
    refused: list[str] = []
    for path, write in acts:
        try:
            if path.parent == folder:
                require_no_link(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path)
        except OSError as error:
            refused.append(f"{path}: {error.strerror or error}")
        else:
            written += [path] if path.exists() else []
    return written, refused


def no_page() -> str | None:
    """Why no page of the verdict can be made here; None where one can."""
    return (
        lacks(_MAKES_PAGES, "analysis") if importlib.util.find_spec(_MAKES_PAGES) is None else None
    )


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
