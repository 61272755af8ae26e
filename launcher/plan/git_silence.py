"""Git silence: a results folder in the project's own checkout is no uncommitted change of it."""

from pathlib import Path
from typing import Final

# The source tree, or site-packages once installed.
_PROJECT: Final = Path(__file__).resolve().parents[2]


def keep_from_git(results: Path) -> None:
    """Tell git to leave a results folder in the project's own folder alone; others stay as is.

    The next call of the launcher would take it for uncommitted changes. Whatever writes first into
    the folder says so, the plan's digests of a checkpoint too.

    Raises:
        OSError: the folder cannot be written.
    """
    ignored = results / ".gitignore"
    if results.resolve().is_relative_to(_PROJECT) and not ignored.exists():
        ignored.write_text("*\n")
