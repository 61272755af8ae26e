"""Named paths: how every command reads a path that somebody typed."""

import errno
import os
from pathlib import Path


def named_path(name: str, given: object, what: str = "a folder") -> Path:
    """The absolute path that `given` names: a leading ~ is a home, all else stands for itself.

    `..` is taken as the file system takes it, through links. A `$` is no variable here: what a
    shell has not filled in would become a folder of that name, so it is refused at the beginning.

    Args:
        name: what is being set, for the message.
        given: what was typed.
        what: what it must be, for the message.

    Raises:
        ValueError: it is no text, empty, begins or ends with a blank, holds a character that is
            not seen, is longer than the system takes, or names a home that there is not.
    """
    if not isinstance(given, str | Path) or not str(given).strip():
        raise ValueError(f"`{name}` must be {what}, but is {given!r} instead")
    text = str(given)
    if text != text.strip():
        raise ValueError(
            f"`{name}` must be {what} whose name neither begins nor ends with a blank, "
            f"but is {text!r} instead"
        )
    if not text.isprintable():
        raise ValueError(
            f"`{name}` must be {what} named by characters that can be seen, but is {text!r} instead"
        )
    if text.startswith("$"):
        raise ValueError(
            f"`{name}` must be {what}, but is {text!r} instead, which no shell has filled in"
        )
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"`{name}` must be {what}, but {text!r} begins with the home of nobody known here"
        ) from error
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError(
                f"`{name}` must be {what} whose name the file system takes, but a name of "
                f"{len(os.fsencode(path))} bytes is too long"
            ) from error
    try:
        return path.resolve() if ".." in path.parts else path.absolute()
    except (OSError, RuntimeError) as error:
        raise ValueError(f"`{name}` must be {what}, but {text!r} leads nowhere: {error}") from error
