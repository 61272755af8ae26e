"""What a command told people: its paragraphs unwrapped, its errors without how far it was."""

import re

# `telemetry.waiting` writes such lines into a log of a step that lasts.
_HOW_FAR = re.compile(r".* \(\d+ s\)")


def unwrapped(text: str) -> str:
    """All of a text in one line, however wide the terminal was."""
    return " ".join(text.split())


def complaints(text: str) -> list[str]:
    """The lines of standard error that are errors: a slow machine is told how far a step is."""
    return [line for line in text.splitlines() if not _HOW_FAR.fullmatch(line)]
