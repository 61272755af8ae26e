"""Choices: what keys with few values may have, and values that are one of them in other letters."""

import re
from collections.abc import Sequence
from typing import Final

from launcher.config.listing import group_options, groups, settable
from telemetry.boards.spellings import board_called
from telemetry.nearest import one_of, settled
from telemetry.next_line import typed

NAMING: Final = frozenset({"model.name", "engine.name", "dataset.name", "telemetry.source"})
"""The keys below a group that say which option it is, as the group itself does."""
_GPU: Final = frozenset({"gpu", "cluster.gpu"})
# What a key's comment in conf/ says of it: [null or one of interrupted, failed].
_ONE_OF: Final = re.compile(r"(?P<null>null or )?one of (?P<names>[\w, -]+)")
_BETWEEN: Final = re.compile(r",? or |, ")
# Values that need no quotes, between commas: a list in brackets or a sweep's function is Hydra's.
_PLAIN: Final = re.compile(r"(?P<key>[\w.]+)=(?P<values>[\w .-]+(?:,[\w .-]+)*)")


def choices(key: str) -> tuple[str, ...]:
    """The values that a key may have, where they are a list of names; none where they are not."""
    if key in groups():
        return tuple(group_options(key))
    if key in NAMING:
        return tuple(group_options(key.partition(".")[0]))
    said = _ONE_OF.fullmatch(settable().get(key, ""))
    if said is None:
        return ()
    return (*(["null"] if said["null"] else []), *_BETWEEN.split(said["names"]))


def settled_word(word: str) -> str:
    """The word with each value that is a choice in other letters as it is written in `conf/`.

    `model=7B,13B` is `model=7b,13b`, and `gpu=RTX-4090` is `gpu=rtx4090`.
    """
    match = _PLAIN.fullmatch(word)
    if match is None:
        return word
    key, given = match["key"], match["values"].split(",")
    found = [_settled(key, value) for value in given]
    return word if found == given else f"{key}={','.join(found)}"


def require_choice(key: str, value: str) -> None:
    """Check a value of a key that has few.

    What says which option a group is may be one that an installed package brings: the plan knows.

    Raises:
        ValueError: it is none of them.
    """
    known = choices(key)
    if known and key not in NAMING and value not in known:
        raise ValueError(not_a_choice(key, value, known))


def not_a_choice(key: str, value: object, known: Sequence[str] | None = None) -> str:
    """The error of a value that is none of a key's."""
    known = choices(key) if known is None else known
    return one_of(key, known, value, things=things_of(key), ask=typed("launcher", "--help", key))


def things_of(key: str) -> str:
    """What the values of a key are, in the plural."""
    return f"{key}s" if key in groups() and key != "telemetry" else "values"


def _settled(key: str, value: str) -> str:
    if key in _GPU:
        return board_called(value) or (value.lower() if value.lower() in ("cpu", "auto") else value)
    known = choices(key)
    return settled(value, known) or value if known else value
