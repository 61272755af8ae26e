"""Hydra expands the grid and hands all points over at once.

Hydra's own launchers run each point by itself; ours collects the composed points, so that the grid
can be checked as a whole before anything starts.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

import conf

CONF: Final = Path(conf.__path__[0])
"""Folder of the configuration groups, wherever the package is installed."""

_PLUGIN_MODULE: Final = "hydra_plugins.joulegrid"


class Point:
    """One composed grid point: its resolved configuration and the overrides that made it."""

    def __init__(self, config: dict[str, Any], overrides: Sequence[str]) -> None:
        self.config = config
        self.overrides = tuple(overrides)


class CollectingLauncher(Launcher):
    """Composes every point and keeps it; starts nothing."""

    collected: list[Point]

    def __init__(self) -> None:
        self._context: HydraContext | None = None
        self._config: DictConfig | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what composing a point needs; the task function is never called."""
        del task_function
        self._context = hydra_context
        self._config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Compose each point, resolve it, and keep it in `collected`."""
        del initial_job_idx
        assert self._context is not None
        assert self._config is not None
        returns = []
        for overrides in job_overrides:
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            plain = OmegaConf.to_container(_without_hydra(config), resolve=True)
            assert isinstance(plain, dict)
            CollectingLauncher.collected.append(
                Point({str(key): value for key, value in plain.items()}, overrides)
            )
            done = JobReturn(overrides=list(overrides), cfg=config, status=JobStatus.COMPLETED)
            done.return_value = None
            returns.append(done)
        return returns


def register() -> None:
    """Make `hydra/launcher=joulegrid` known to Hydra.

    Hydra 1.3 takes a plugin only from the namespace package `hydra_plugins` and imports it by
    name; the class gets a place there, so that the project needs no folder of that name.
    """
    if "hydra_plugins" not in sys.modules:
        try:
            __import__("hydra_plugins")
        except ModuleNotFoundError:
            namespace = ModuleType("hydra_plugins")
            namespace.__path__ = []
            sys.modules["hydra_plugins"] = namespace
    module = ModuleType(_PLUGIN_MODULE)
    module.CollectingLauncher = CollectingLauncher  # type: ignore[attr-defined]
    sys.modules[_PLUGIN_MODULE] = module
    CollectingLauncher.__module__ = _PLUGIN_MODULE
    Plugins.instance().register(CollectingLauncher)
    ConfigStore.instance().store(
        group="hydra/launcher",
        name="joulegrid",
        node={"_target_": f"{_PLUGIN_MODULE}.CollectingLauncher"},
        provider="joulegrid",
    )


def expand(run_hydra: Callable[[], None]) -> list[Point]:
    """Every point of the grid that `run_hydra` (Hydra's main with our launcher) composes."""
    CollectingLauncher.collected = []
    run_hydra()
    return CollectingLauncher.collected


def _without_hydra(config: DictConfig) -> DictConfig:
    copy = OmegaConf.create({key: config._get_node(key) for key in config if key != "hydra"})
    assert isinstance(copy, DictConfig)
    return copy
