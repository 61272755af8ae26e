"""Library: what draws on the page in a browser, carried by the page itself.

It is packed, so that a page of three megabytes less opens at once, and unpacked where something is
to be drawn by it.
"""

import importlib.util
import zlib
from functools import cache
from pathlib import Path
from typing import Final

_LIBRARY: Final = "plotly"
_SCRIPT: Final = "package_data/plotly.min.js"


@cache
def library() -> bytes | None:
    """Plotly's script as a zlib stream, as its own package ships it; None where it is not there."""
    # Importing the package takes a second, and nothing of it is needed.
    found = importlib.util.find_spec(_LIBRARY)
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / _SCRIPT
    return zlib.compress(path.read_bytes(), 9) if path.is_file() else None
