"""Places: what of a point's configuration names a file, a folder or a thing."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launcher.config.errors import BadInputError
from telemetry.named_paths import named_path
from telemetry.record.paths import holds_results
from telemetry.record.signature import sign
from telemetry.record.signer import SigningError


def results_folder(config: Mapping[str, Any]) -> Path:
    """The results folder that a point's configuration names.

    Raises:
        BadInputError: it names none, or one whose name a batch system would read otherwise.
    """
    given = config["results"]
    # Slurm, and submitit on this machine too, fill in %-patterns in the names of logs below it.
    if isinstance(given, str) and ("%" in given or not given.isprintable()):
        raise BadInputError(
            "`results` must be a path without line breaks, % (as in %j, which is filled in in the "
            f"names of logs) and characters that cannot be seen, but is {given!r} instead"
        )
    try:
        results = named_path("results", given)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    if "%" in str(results):
        raise BadInputError(f"`results` must be a path without %, but is {str(results)!r} instead")
    return results


def history_folder(config: Mapping[str, Any]) -> Path | None:
    """The other results folder whose sealed runs teach what points take.

    Raises:
        BadInputError: it is none.
    """
    try:
        history = path_or_none("history", config["history"], "a results folder or null")
        if history is not None and not (history.is_dir() and holds_results(history)):
            raise BadInputError(
                f"`history` must be a results folder or null, but {history} holds neither a run "
                "nor a campaign"
            )
    except (ValueError, OSError) as error:
        raise BadInputError(str(error)) from error
    return history


def path_or_none(key: str, asked: object, what: str = "a file or null") -> Path | None:
    """The path that a key names, or None where it is null.

    Raises:
        ValueError: it names none.
    """
    return None if asked is None else named_path(key, asked, what)


@functools.cache
def key_or_none(key: Path | None) -> str | None:
    """The file of a key that signs: found out before a job is over, and once for a grid.

    Raises:
        BadInputError: it does not sign.
    """
    if key is None:
        return None
    try:
        sign(b"", key)
    except SigningError as error:
        raise BadInputError(str(error)) from error
    return str(key.absolute())


def name_of(key: str, asked: object) -> str:
    """The name that a key gives, such as a data set's.

    Raises:
        BadInputError: it is no text.
    """
    if not isinstance(asked, str):
        raise BadInputError(f"`{key}` must be a name, but is {asked!r} instead")
    return asked
