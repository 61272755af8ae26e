"""Nearest: the valid names that somebody may have meant, and the sentence that offers them."""

import re
from collections.abc import Iterable
from typing import Final

# More than three guesses are a list again.
_MOST: Final = 3
# Held by the cases of tests/telemetry/test_nearest.py: it takes two letters swapped or lost in a
# word of five.
_LEAST_LIKENESS: Final = 0.68
# A guess this much worse than the best is none beside it.
_WORSE: Final = 0.1
# One that holds the other is at least as likely as two letters that are wrong, and likelier than
# one that is as far from it.
_HELD: Final = 0.75
_HELD_MORE: Final = 0.1
# One letter lies in nearly everything, and the letters of two stand in order in most.
_LEAST_HELD: Final = 2
_LEAST_LETTERS: Final = 3
_BETWEEN: Final = re.compile(r"[-_. /]+")
# A line of a terminal has 80 columns, and half of it are for what is wrong: longer lists are
# counted and shown on request.
_LISTED: Final = 48
# As much of a value as tells which one it was.
_VALUE: Final = 60


def folded(name: str) -> str:
    """A name without what is written in many ways: case, and the marks between its words."""
    return _BETWEEN.sub("", name.casefold())


def settled(given: str, known: Iterable[str]) -> str | None:
    """The one name of `known` that `given` is but for case and marks between words, else None."""
    names = list(known)
    if given in names:
        return given
    for alike in (str.casefold, folded):
        found = {name for name in names if alike(name) == alike(given)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def nearest(given: str, known: Iterable[str], most: int = _MOST) -> list[str]:
    """The names of `known` that `given` may be a misspelling of, the likeliest first."""
    rated = [(_likeness(given, name), name) for name in dict.fromkeys(known)]
    rated.sort(key=lambda pair: (-pair[0], pair[1]))
    best = rated[0][0] if rated else 0.0
    least = max(_LEAST_LIKENESS, best - _WORSE)
    return [name for likeness, name in rated if likeness >= least][:most]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`; did you mean 7b?`, or nothing where no name is near."""
    near = nearest(given, known)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def one_of(name: str, known: Iterable[str], given: object, *, things: str, ask: str = "") -> str:
    """The error of a value that is none of those there are: the nearest first, the rest on request.

    A short list is shown whole.

    Args:
        name: what is being set.
        known: the values that there are.
        given: what was set.
        things: what they are, in the plural: `models`.
        ask: the command that lists them; empty where there is none, and all are shown.
    """
    names = list(dict.fromkeys(known))
    listed = ", ".join(names)
    short = len(listed) <= _LISTED or not ask
    which = listed if short else f"{len(names)} {things}"
    text = repr(given)
    text = text if len(text) <= _VALUE else f"{text[:_VALUE]}…"
    guess = did_you_mean(str(given), names)
    rest = "" if short else f" ({ask} lists them)" if guess else f"; {ask} lists them"
    return f"`{name}` must be one of {which}, but is {text} instead{guess}{rest}"


def told_count(count: int, thing: str) -> str:
    """`1 point`, `2 points`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _likeness(given: str, name: str) -> float:
    """From 0 to 1: single letters that differ, and how much of the beginning is the same.

    One that holds the other whole (7b in llama-7b), or all its letters in order from the first on
    (fig4 in figure4_watts), is near too.
    """
    # Loaded where something is misspelt: it takes as long as a command that is right may.
    from rapidfuzz.distance import OSA, JaroWinkler, LCSseq  # noqa: PLC0415

    one, other = folded(given), folded(name)
    likeness = (
        OSA.normalized_similarity(one, other) + JaroWinkler.normalized_similarity(one, other)
    ) / 2
    # Two letters swapped are one slip, though of a short word they are most.
    if sorted(one) == sorted(other) and OSA.distance(one, other) == 1:
        likeness = max(likeness, _HELD)
    short = one[:1] == other[:1] and len(one) >= _LEAST_LETTERS
    letters = LCSseq.similarity(one, other) == len(one)
    held = len(other) >= _LEAST_HELD and other in one
    if held or (len(one) >= _LEAST_LETTERS and one in other) or (short and letters):
        return max(_HELD, likeness + _HELD_MORE)
    return likeness if one and other else 0.0
