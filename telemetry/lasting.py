"""Lasting: what a process loads stays to its end, so it loads no more than it needs.

Nobody looks through it for garbage, and Arrow goes without pandas.
"""

import functools
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType


@contextmanager
def lasting() -> Iterator[None]:
    """Within it libraries are loaded: no pass for garbage looks at what they make.

    They leave next to none, and each pass walks all that came before.
    """
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


@functools.cache
def make_own() -> None:
    """Have this process count as a program of this project, which nobody else's code shares."""


def is_own() -> bool:
    """Whether this process is a program of this project."""
    return bool(make_own.cache_info().currsize)


def spare_pandas() -> None:
    """Have Arrow look for pandas now, and find none.

    At its first list Arrow imports pandas, where there is one, to ask whether the list is one of
    its: 0.27 s, and 40 MB. A program of this project has no such list, and what turns a table into
    one of pandas still finds it. Nothing is done where pandas or no Arrow is loaded.
    """
    if "pandas" in sys.modules or (arrow := sys.modules.get("pyarrow")) is None:
        return
    hiding = _WithoutPandas()
    sys.meta_path.insert(0, hiding)
    try:
        arrow.array([])
    finally:
        sys.meta_path.remove(hiding)


class _WithoutPandas(MetaPathFinder):
    """Hides pandas from whoever looks for it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)
