"""Task files: the tasks that `conf/dataset/` holds as data, by their names."""

from functools import cache
from pathlib import Path
from typing import Final

import conf
from telemetry.record.task import Task

FOLDER: Final = Path(conf.__path__[0]) / "dataset"
"""Where a data set's file with a key `task` makes it one of them."""


@cache
def known_tasks() -> dict[str, tuple[Task, str]]:
    """Each task and what its file says of it in its first line.

    Raises:
        ValueError: a file is no task; the message names it.
    """
    # Ranks read no task, and their machine may lack it.
    import yaml  # noqa: PLC0415

    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
        if "task" not in content:
            continue
        try:
            task = Task.from_mapping(content["task"])
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        found[content["name"]] = (task, text.partition("\n")[0].lstrip("# "))
    return found
