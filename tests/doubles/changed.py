"""Changed: modules of the program that a double changes once they are loaded."""

import importlib.abc
import importlib.machinery
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType


class Changed(importlib.abc.MetaPathFinder):
    """Finds the modules that are to be changed where they lie, with what changes each."""

    def __init__(self, changes: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self._changes = changes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module where it lies, with what changes it."""
        if fullname not in self._changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin, self._changes[fullname])
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, change: Callable[[ModuleType], None]) -> None:
        super().__init__(fullname, path)
        self._change = change

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        self._change(module)
