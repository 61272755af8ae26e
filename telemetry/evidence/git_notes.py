"""Git notes: a root lodged as a note on a commit, where all who fetch it have it.

Notes of a namespace of their own, `refs/notes/joulegrid`, so that they are in nobody's way. A note
that was not pushed lies with its owner, who can take it back: it rules out as much as others have
fetched.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from telemetry.evidence.program import NoAnswerError, asked

REF: Final = "refs/notes/joulegrid"
"""Where the notes lie; `git push REMOTE refs/notes/joulegrid` gives them to others."""
MARK: Final = "joulegrid-root:"
"""What stands before a root wherever one is lodged; lower case, as Slurm's books have no other."""
ROOT: Final = re.compile(rf"{MARK}([0-9a-f]{{64}})")
"""A lodged root in a text."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_AFTER: Final = ", after "
# Our notes have a line of some hundred bytes for each root.
_MOST_NOTE_BYTES: Final = 1 << 20
_MOST_NOTES: Final = 10_000
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# A foreign repository's own configuration may name programs: none of those that reading calls.
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


def commit_of(repository: Path, wanted: str | None) -> str:
    """The commit to put a note on: `wanted` where the repository has it, else its HEAD.

    Raises:
        NoAnswerError: it is no repository, or has no commit.
    """
    if wanted is not None and _COMMIT.fullmatch(wanted):
        try:
            return _git(repository, "rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}")
        except NoAnswerError:
            # It was made from elsewhere.
            pass
    return _git(repository, "rev-parse", "--verify", "HEAD^{commit}")


def line_of(root: str, told: str, after: str | None) -> str:
    """What a note says of a root.

    Args:
        root: the root, 64 hex digits.
        told: more of it, for whoever reads the note.
        after: the root that was taken of the same folder before; None for the first.
    """
    return f"{MARK}{root} {told}" + ("" if after is None else f"{_AFTER}{after}")


def lodge(repository: Path, commit: str, line: str) -> str:
    """Append a line to a commit's note; the notes' commit, which holds it now.

    Raises:
        NoAnswerError: git refuses, such as where it knows nobody's name.
    """
    _git(repository, "notes", f"--ref={REF}", "append", "-m", line, commit)
    return _git(repository, "rev-parse", "--verify", REF)


def lodged(repository: Path) -> dict[str, str]:
    """The commit whose note tells of it, by each lodged root.

    Raises:
        NoAnswerError: it is no repository, or holds more notes than anybody wrote.
    """
    found: dict[str, str] = {}
    for commit, text in _texts(repository):
        for match in ROOT.finditer(text):
            found.setdefault(match[1], commit)
    return found


def followed(repository: Path) -> dict[str, str]:
    """By each lodged root that says so the one that was taken of the same folder before it.

    Raises:
        NoAnswerError: it is no repository, or holds more notes than anybody wrote.
    """
    found: dict[str, str] = {}
    for _, text in _texts(repository):
        for line in text.splitlines():
            root, (_, between, after) = ROOT.match(line), line.rpartition(_AFTER)
            if root is not None and between and _SHA256.fullmatch(after.strip()):
                found.setdefault(root[1], after.strip())
    return found


def _texts(repository: Path) -> Iterator[tuple[str, str]]:
    """Each annotated commit with its note; none where nothing was ever lodged."""
    try:
        _git(repository, "rev-parse", "--verify", "--quiet", REF)
    except NoAnswerError:
        # It must be a repository all the same.
        _git(repository, "rev-parse", "--git-dir")
        return
    for commit, blob in _notes(repository):
        yield commit, _git(repository, "cat-file", "blob", blob)


def _notes(repository: Path) -> Iterator[tuple[str, str]]:
    """Each annotated commit with the blob of its note."""
    entries = _git(repository, "ls-tree", "-r", "-l", REF).splitlines()
    if len(entries) > _MOST_NOTES:
        raise NoAnswerError(f"{REF} must hold at most {_MOST_NOTES} notes, but holds more")
    for entry in entries:
        meta, _, path = entry.partition("\t")
        _, kind, blob, size = meta.split()
        # A note's path is its commit, in folders of two digits.
        commit = path.replace("/", "")
        if kind == "blob" and _COMMIT.fullmatch(commit) and int(size) <= _MOST_NOTE_BYTES:
            yield commit, blob


def _git(repository: Path, *words: str) -> str:
    done = asked(["git", *_SAFE, "-C", str(repository), *words])
    return done.decode(errors="replace").strip()
