"""Written by: which code and which drawing libraries made a report, so that it can be made again.

The same sealed runs give the same page to the byte only by the same code and the same release of
what draws.
"""

import hashlib
import zlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

KEY: Final = "written_by"
"""Where it stands in report.json."""
_ROOM: Final = Path(__file__).resolve().parents[1]
_KINDS: Final = frozenset({".py", ".html", ".css", ".js"})
# What figures are drawn by; what is computed by others stands in the tables.
_DRAWS: Final = ("matplotlib", "plotly")


@cache
def written_by() -> dict[str, Any]:
    """A digest of all that analysis is made of, and the releases of what draws and packs."""
    digest = hashlib.sha256()
    for path in sorted(_ROOM.rglob("*")):
        if path.suffix in _KINDS and path.is_file():
            name = path.relative_to(_ROOM).as_posix().encode()
            data = path.read_bytes()
            digest.update(b"%d %b %d " % (len(name), name, len(data)) + data)
    draws: dict[str, str | None] = {}
    for library in _DRAWS:
        try:
            draws[library] = version(library)
        except PackageNotFoundError:
            draws[library] = None
    # What is packed comes out the same by one release of zlib.
    return {"analysis_sha256": digest.hexdigest(), **draws, "zlib": zlib.ZLIB_RUNTIME_VERSION}
