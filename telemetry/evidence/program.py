"""Program: how git and Slurm's clients are asked: by a list of words, within a bound of time."""

import os
import subprocess
from collections.abc import Sequence
from typing import Final


class NoAnswerError(RuntimeError):
    """A program that is not there, refused, or did not answer in time."""


# A controller under load answers within seconds; a repository on a slow disk, too.
_PATIENCE_S: Final = 60.0

# What would lead git to another repository than the one that is named, such as within a hook.
_ELSEWHERE: Final = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NOTES_REF"}
)


def asked(words: Sequence[str], *, data: bytes = b"") -> bytes:
    """What a program says on its standard output.

    Raises:
        NoAnswerError: it is not installed, fails, or does not answer in time; with its last word.
    """
    quiet = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    quiet |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            list(words),
            input=data,
            capture_output=True,
            timeout=_PATIENCE_S,
            env=quiet,
            start_new_session=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise NoAnswerError(f"{words[0]} must be installed, but is not") from error
    except OSError as error:
        raise NoAnswerError(f"{words[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(
            f"{words[0]} must answer within {_PATIENCE_S:g} s, but did not"
        ) from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = lines[-1].strip() if lines else f"exit code {done.returncode}"
        raise NoAnswerError(f"{words[0]} refuses: {said}")
    return done.stdout
