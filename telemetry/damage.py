"""Damage: a file of the record that is not what it should be is named, and hides nothing else."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


class DamagedError(ValueError):
    """A file or folder of the record is not what it should be; the message is one line."""


@contextlib.contextmanager
def damage_told(path: Path, what: str) -> Iterator[None]:
    """Within it `path` is read as `what`; whatever that meets in a foreign file names the path.

    Raises:
        DamagedError: the file is no JSON, lacks a key, or has a value of another kind.
    """
    try:
        yield
    except DamagedError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        # What names the file already needs no second name.
        text = " ".join(str(error).split()) if str(path) in str(error) else f"{path}: {said}"
        raise DamagedError(f"{what} must be whole, but is damaged: {text}") from error
