"""Composition: many grid points from few of Hydra's, and Hydra's own on a sample as the truth.

Hydra composes one point in about 40 ms, the same dozen files each time. Here it composes one point
for each option of each swept group; a point is then put together from the options' parts, and plain
swept values are laid over it. `SAMPLE` points of every call are composed by Hydra as well, and one
difference refuses the call. What is not plain (lists, interpolations, deletions) is Hydra's alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

# Twelve of Hydra's compositions are half a second: they show every option of a group of up to
# twelve, and two options that change each other's part with near certainty.
SAMPLE: Final = 12

Load = Callable[[Sequence[str]], DictConfig]
"""Hydra's own composition of one point's overrides."""
Config = dict[str, Any]
Words = tuple[str, ...]
Path = tuple[str, ...]

_NAME: Final = re.compile(r"\w+")
_PLAIN: Final = (str, int, float, bool, type(None))


class CompositionError(ValueError):
    """The quick composition and Hydra's differ."""


def compose_all(
    points: Sequence[Words], load: Load, is_group: Callable[[str], bool]
) -> list[Config]:
    """The resolved configuration of each point (its overrides), in order.

    Raises:
        CompositionError: a sampled point differs from Hydra's composition.
        hydra.errors.HydraException: an override does not fit the configuration.
    """
    axes = _Axes.read(points, is_group)
    if axes is None or len(points) <= SAMPLE + axes.compositions:
        return [plain(load(words)) for words in points]
    quick = _Quick(axes, load)
    configs = [quick.compose(words) for words in points]
    for index in axes.sample(len(points)):
        _require_equal(points[index], configs[index], plain(load(points[index])))
    return configs


def plain(config: DictConfig) -> Config:
    """The resolved content without Hydra's own part."""
    content = OmegaConf.to_container(_without_hydra(config), resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


class _Axes:
    """Which positions of the points' overrides vary, and over what."""

    def __init__(self, points: Sequence[Words], parsed: Mapping[str, Override]) -> None:
        self.parsed = parsed
        self.first = points[0]
        self.options = [list(dict.fromkeys(column)) for column in zip(*points, strict=True)]
        self.groups: list[int] = []
        self.values: list[int] = []

    @classmethod
    def read(cls, points: Sequence[Words], is_group: Callable[[str], bool]) -> "_Axes | None":
        """The axes of `points`; None where their overrides are not all alike or not all plain."""
        if len({len(words) for words in points}) != 1:
            return None
        parser = OverridesParser.create()
        distinct = dict.fromkeys(word for words in points for word in words)
        parsed = {word: parser.parse_override(word) for word in distinct}
        axes = cls(points, parsed)
        for position, options in enumerate(axes.options):
            overrides = [parsed[word] for word in options]
            if len({override.get_key_element() for override in overrides}) != 1:
                return None
            if len(options) == 1:
                continue
            key = overrides[0].key_or_group
            if is_group(key) and overrides[0].package is None:
                axes.groups.append(position)
            elif all(_is_plain(override) for override in overrides):
                axes.values.append(position)
            else:
                return None
        return axes

    @property
    def compositions(self) -> int:
        """How many points Hydra composes, as a rule: one, and one for each further option."""
        return 1 + sum(len(self.options[position]) - 1 for position in self.groups)

    def key(self, position: int) -> str:
        """The key or group that the overrides at a position set."""
        return str(self.parsed[self.first[position]].key_or_group)

    def sample(self, count: int) -> list[int]:
        """Indexes spread over `count` points: each axis steps through all it has.

        The points are a product whose last axis runs fastest; each axis' option goes round once
        or more over the sample, so that every option of a small group is in it.
        """
        sizes = [len(options) for options in self.options]
        if count != _product(sizes):
            return sorted({step * (count - 1) // (SAMPLE - 1) for step in range(SAMPLE)})
        indexes = set()
        for step in range(SAMPLE):
            index = 0
            for size in sizes:
                index = index * size + (step * size // SAMPLE if size >= SAMPLE else step % size)
            indexes.add(index)
        return sorted(indexes)


class _Frame:
    """Points that share the options of the groups that reach beyond their own part."""

    def __init__(self, base: Config) -> None:
        self.base = base
        self.parts: dict[str, Any] = {}
        """The unresolved part of each option's override, such as `model=7b`."""


class _Quick:
    """Puts points together from Hydra's compositions of single options."""

    def __init__(self, axes: _Axes, load: Load) -> None:
        self._axes = axes
        self._load = load
        self._loaded: dict[Words, Config] = {}
        self._apart = list(axes.groups)
        """Groups that change their own part alone; the others get a frame of their own."""
        self._frames = self._build_frames()
        self._combined: dict[Words, _Combined | None] = {}

    def compose(self, words: Words) -> Config:
        """The resolved configuration of a point."""
        choice = tuple(words[position] for position in self._axes.groups)
        if choice not in self._combined:
            self._combined[choice] = self._combine(words)
        combined = self._combined[choice]
        if combined is None:
            return plain(self._load(words))
        values = {
            position: self._axes.parsed[words[position]].value() for position in self._axes.values
        }
        return combined.with_values(values)

    def _build_frames(self) -> dict[Words, _Frame]:
        """One frame for each choice of the groups that are not apart; fewer apart until it fits."""
        while True:
            frames = {}
            stranger: int | None = None
            joint = [position for position in self._axes.groups if position not in self._apart]
            for choice in product(*(self._axes.options[position] for position in joint)):
                chosen = dict(zip(joint, choice, strict=True))
                frame = _Frame(self._raw(chosen))
                for position in self._apart:
                    key = self._axes.key(position)
                    for option in self._axes.options[position]:
                        raw = self._raw({**chosen, position: option})
                        if _differ_elsewhere(frame.base, raw, key):
                            stranger = position
                            break
                        frame.parts[option] = raw[key]
                    if stranger is not None:
                        break
                if stranger is not None:
                    break
                frames[choice] = frame
            if stranger is None:
                return frames
            self._apart.remove(stranger)

    def _raw(self, chosen: Mapping[int, str]) -> Config:
        """Hydra's composition of the first point with other options, unresolved."""
        words = tuple(chosen.get(position, word) for position, word in enumerate(self._axes.first))
        if words not in self._loaded:
            content = OmegaConf.to_container(_without_hydra(self._load(words)), resolve=False)
            assert isinstance(content, dict)
            self._loaded[words] = {str(key): value for key, value in content.items()}
        return self._loaded[words]

    def _combine(self, words: Words) -> "_Combined | None":
        """One choice of all groups; None where a swept key is not in it: Hydra's to refuse."""
        joint = [position for position in self._axes.groups if position not in self._apart]
        frame = self._frames[tuple(words[position] for position in joint)]
        content = dict(frame.base)
        for position in self._apart:
            content[self._axes.key(position)] = frame.parts[words[position]]
        paths = {
            position: tuple(self._axes.key(position).split(".")) for position in self._axes.values
        }
        if any(not _has(content, path) for path in paths.values()):
            return None
        return _Combined(content, paths)


class _Combined:
    """One choice of all groups: OmegaConf resolves it, and plain values are laid over it.

    OmegaConf takes 2 to 3 ms to resolve a configuration, against 20 us to lay three values over it
    (tests/benchmarks/NOTES.md), so it resolves all once, and for each point what refers to a swept
    value, once for the points that agree in such values.
    """

    def __init__(self, content: Config, paths: Mapping[int, Path]) -> None:
        config = OmegaConf.create(content)
        assert isinstance(config, DictConfig)
        self._config = config
        self._paths = paths
        self._base = plain(config)
        interpolated = dict(_interpolated(content))
        names = set().union(*interpolated.values())
        self._referred = [position for position, path in paths.items() if names & set(path)]
        """Positions whose value may change another: their key's name stands in an interpolation."""
        self._referring = _referring(interpolated, [paths[position] for position in self._referred])
        self._resolved: dict[str, dict[Path, Any]] = {}

    def with_values(self, values: Mapping[int, Any]) -> Config:
        """The resolved configuration with a value at each swept position."""
        content = dict(self._base)
        copied: set[Path] = set()
        for path, value in self._resolve(values).items():
            _put(content, path, value, copied)
        for position, path in self._paths.items():
            _put(content, path, values[position], copied)
        return content

    def _resolve(self, values: Mapping[int, Any]) -> dict[Path, Any]:
        """What refers to a swept value, resolved."""
        # As text, because 1, 1.0 and True are one key of a dict.
        chosen = repr([values[position] for position in self._referred])
        if chosen not in self._resolved:
            for position in self._referred:
                OmegaConf.update(self._config, ".".join(self._paths[position]), values[position])
            self._resolved[chosen] = {path: _select(self._config, path) for path in self._referring}
        return self._resolved[chosen]


def _interpolated(content: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, set[str]]]:
    """Where values refer to others, and every name in them; a list is one value.

    A key that is made up from values is not among the names: Hydra's sample shows it.
    """
    for key, value in content.items():
        path = (*above, str(key))
        if isinstance(value, dict):
            yield from _interpolated(value, path)
        elif isinstance(value, str | list) and "${" in str(value):
            yield path, set(_NAME.findall(str(value)))


def _referring(interpolated: Mapping[Path, set[str]], swept: Sequence[Path]) -> list[Path]:
    """The values that refer to swept ones, or to such as do."""
    changing = set().union(*swept)
    found: list[Path] = []
    while more := [
        path for path, names in interpolated.items() if names & changing and path not in found
    ]:
        found += more
        changing.update(*more)
    return found


def _select(config: DictConfig, path: Path) -> Any:
    value = OmegaConf.select(config, ".".join(path))
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _put(content: Config, path: Path, value: Any, copied: set[Path]) -> None:
    """Set a value; the folders above it are copied first, once, as other points share them."""
    node = content
    for depth, key in enumerate(path[:-1], start=1):
        if path[:depth] not in copied:
            node[key] = dict(node[key])
            copied.add(path[:depth])
        node = node[key]
    node[path[-1]] = value


def _has(content: Any, path: Path) -> bool:
    for key in path:
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def _differ_elsewhere(base: Config, other: Config, key: str) -> bool:
    return {name: value for name, value in base.items() if name != key} != {
        name: value for name, value in other.items() if name != key
    }


def _is_plain(override: Override) -> bool:
    if override.type is not OverrideType.CHANGE:
        return False
    value = override.value()
    return isinstance(value, _PLAIN) and not (
        isinstance(value, str) and ("${" in value or value == "???")
    )


def _require_equal(words: Words, quick: Config, truth: Config) -> None:
    if repr(_sorted(quick)) == repr(_sorted(truth)):
        return
    keys = sorted(key for key in {*quick, *truth} if repr(quick.get(key)) != repr(truth.get(key)))
    raise CompositionError(
        f"`{', '.join(keys)}` of the point {' '.join(words)} must be as Hydra composes it, but the "
        "quick composition differs; say compose=hydra to let Hydra compose every point"
    )


def _sorted(value: Any) -> Any:
    """Equal for equal content whatever the order of keys; 1, 1.0 and True stay apart."""
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value, key=str)]
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _without_hydra(config: DictConfig) -> DictConfig:
    copy = OmegaConf.create({key: config._get_node(key) for key in config if key != "hydra"})
    assert isinstance(copy, DictConfig)
    return copy


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
