"""Hydra expands the grid and hands all points over at once.

Hydra's own launchers run each point by itself; ours collects the composed points, so that the grid
can be checked as a whole before anything starts.
"""

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from launcher.config.composition import compose_all, plain
from launcher.config.kept_files import KeptFiles
from launcher.config.listing import CONF
from workers.planning.engine_facts import engine_names
from workers.planning.families import known_models

# A slip such as prompts=range(1000000) should not take an hour to be refused.
MAX_POINTS: Final = 100_000

# The ways of Hydra that conf/ is written for.
HYDRA_VERSION: Final = "1.3"

_PLUGIN_MODULE: Final = "hydra_plugins.joulegrid"
# A sweeper's keys; an experiment's file sets `params`.
_NODES: Final[dict[str, dict[str, Any]]] = {
    "launcher": {},
    "sweeper": {"max_batch_size": None, "params": None},
}


class Point:
    """One composed grid point: its resolved configuration and the overrides that made it.

    `chosen` is what the plan settled of it, by which rule; empty where nothing was left open.
    `repeat` is the one repeat that is meant; None means all that `repeats` of the configuration
    asks for.
    """

    def __init__(
        self,
        config: dict[str, Any],
        overrides: Sequence[str],
        chosen: Mapping[str, Any] | None = None,
        repeat: int | None = None,
    ) -> None:
        self.config = config
        self.overrides = tuple(overrides)
        self.chosen = dict(chosen or {})
        self.repeat = repeat


class WholeSweeper(Sweeper):
    """Expands the product of all sweeps and hands it to the launcher in one piece.

    Hydra's own sweeper composes every point to validate it, and the launcher once more.
    """

    def __init__(self, max_batch_size: int | None = None, params: Any = None) -> None:
        del max_batch_size
        self._params: dict[str, Any] = dict(params or {})
        self._context: HydraContext | None = None
        self._launcher: Launcher | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Make the launcher that the configuration names."""
        self._context = hydra_context
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        """Launch the product of the configuration's sweeps and the command line's.

        Raises:
            HydraException: an override is malformed, or there are too many points.
        """
        assert self._context is not None
        assert self._launcher is not None
        parser = OverridesParser.create(config_loader=self._context.config_loader)
        if "experiment" in self._params:
            raise HydraException(
                "`experiment` must be given as a word of its own, but is among the keys that "
                "hydra.sweeper.params sweeps"
            )
        words = [f"{key}={value}" for key, value in self._params.items()]
        axes: dict[str, list[str]] = {}
        for override in parser.parse_overrides([*words, *arguments]):
            key = override.get_key_element()
            if not override.is_sweep_override():
                axes[key] = [f"{key}={override.get_value_element_as_str()}"]
            elif override.is_discrete_sweep():
                axes[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
            else:
                raise HydraException(f"`{key}` must be a list of values, but is an interval")
        if (points := math.prod(len(axis) for axis in axes.values())) > MAX_POINTS:
            raise HydraException(
                f"the grid must have at most {MAX_POINTS} points, but has {points} instead"
            )
        return [self._launcher.launch(list(itertools.product(*axes.values())), 0)]


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
        """Compose all points, resolve them, and keep them in `collected`."""
        del initial_job_idx
        assert self._context is not None
        assert self._config is not None
        points = [tuple(overrides) for overrides in job_overrides]
        by_hydra = self._config.get("compose") == "hydra"
        configs = (
            [plain(self._load(words)) for words in points]
            if by_hydra
            else compose_all(points, self._load, self._is_group)
        )
        CollectingLauncher.collected += [
            Point(config, words) for config, words in zip(configs, points, strict=True)
        ]
        return []

    def _load(self, words: Sequence[str]) -> DictConfig:
        assert self._context is not None
        assert self._config is not None
        if list(words) == self._config.hydra.overrides.task:
            # Of a line that sweeps nothing Hydra has composed the one point already.
            return self._config
        return self._context.config_loader.load_sweep_config(self._config, list(words))

    def _is_group(self, key: str) -> bool:
        return (CONF / key).is_dir()


def register() -> None:
    """Make `hydra/launcher=joulegrid`, every engine and every model known to Hydra.

    An engine or a model that is registered elsewhere needs no file of its own.

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
    for group, plugin in (("launcher", CollectingLauncher), ("sweeper", WholeSweeper)):
        setattr(module, plugin.__name__, plugin)
        plugin.__module__ = _PLUGIN_MODULE
        Plugins.instance().register(plugin)
        ConfigStore.instance().store(
            group=f"hydra/{group}",
            name="joulegrid",
            node={"_target_": f"{_PLUGIN_MODULE}.{plugin.__name__}", **_NODES[group]},
            provider="joulegrid",
        )
    sys.modules[_PLUGIN_MODULE] = module
    for group, names in (("engine", engine_names()), ("model", known_models())):
        for name in names:
            # Hydra would take what is stored beside a file of that name for the file's schema.
            if not (CONF / group / f"{name}.yaml").is_file():
                ConfigStore.instance().store(group=group, name=name, node={"name": name})


def expand(words: Sequence[str]) -> list[Point]:
    """Every point of the grid that the words of a line make.

    Hydra's own main composes the line twice before it sweeps: it asks first in which of its modes
    to run, and here that is one.
    """
    CollectingLauncher.collected = []
    with initialize_config_dir(
        version_base=HYDRA_VERSION, config_dir=str(CONF), job_name="launcher"
    ):
        main = GlobalHydra.instance().hydra
        assert main is not None
        loader = main.config_loader
        assert isinstance(loader, ConfigLoaderImpl)
        loader.repository = KeptFiles(loader.get_search_path())
        main.multirun(config_name="config", task_function=_nothing, overrides=list(words))
    points, CollectingLauncher.collected = CollectingLauncher.collected, []
    return points


def _nothing(config: DictConfig) -> None:
    raise AssertionError(f"the launcher composes, it runs nothing: {OmegaConf.to_yaml(config)}")
