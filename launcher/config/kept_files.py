"""Kept files: the configuration's files, parsed once a process however often Hydra composes them.

Hydra parses the same dozen files for every composition, a third of what it takes. What is composed
is written to, so that each composition gets a copy of its own. A file that has changed since, by
its size and its time, is read again; what is no file of `conf/` or Hydra's is never kept.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Self

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.config_source import ConfigResult

from launcher.config.listing import CONF

_HYDRA_S: Final = "hydra/"

_KEPT: Final[dict[str, tuple[tuple[int, int], ConfigResult]]] = {}


class KeptFiles(ConfigRepository):
    """Hydra's repository of configurations, which asks the disk for what it has not read."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self._keeps = True

    def __deepcopy__(self, _: Mapping[int, object]) -> Self:
        """Another one of the same sources, which are written to by nobody.

        Hydra takes one for each composition, and a copy of all that sources hold is a seventh of
        what that takes.
        """
        return copy.copy(self)

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        """Look where a search path says; of one that a line brings nothing is kept."""
        super().initialize_sources(config_search_path)
        self._keeps = False

    def load_config(self, config_path: str) -> ConfigResult | None:
        """A configuration by its path below the sources, without its ending; a copy of its own."""
        stamp = self._stamp(config_path)
        if stamp is None:
            return super().load_config(config_path)
        if config_path not in _KEPT or _KEPT[config_path][0] != stamp:
            loaded = super().load_config(config_path)
            if loaded is None:
                return None
            _KEPT[config_path] = (stamp, loaded)
        kept = _KEPT[config_path][1]
        # Hydra copies a file's list of defaults itself before it writes to it.
        return replace(kept, header=dict(kept.header), config=copy.deepcopy(kept.config))

    def _stamp(self, config_path: str) -> tuple[int, int] | None:
        """What tells a file's content from another that it had; None where nothing is kept."""
        if not self._keeps:
            return None
        try:
            found = (CONF / f"{config_path}.yaml").stat()
        except OSError:
            # Hydra's own do not change while a process runs.
            return (0, 0) if config_path.startswith(_HYDRA_S) else None
        return found.st_size, found.st_mtime_ns
