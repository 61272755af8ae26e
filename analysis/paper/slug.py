"""Slug: the column's name of a series of ours, from what people call it."""

import re
from typing import Final

_NO_LETTER: Final = re.compile(r"[^a-z0-9]+")


def slug(name: str) -> str:
    """Small letters and digits joined by `_`."""
    return _NO_LETTER.sub("_", name.lower()).strip("_")
