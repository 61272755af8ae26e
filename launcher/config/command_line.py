"""Command line: command line in, composed points out, one clear line for what is not allowed."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from launcher.config.choices import not_a_choice, settled_word
from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import HYDRA_VERSION, Point, expand, register
from launcher.config.keys import meant_word, settable_names, unknown_key
from launcher.config.listing import CONF, groups
from launcher.config.overrides import (
    grids,
    own_model_word,
    parse,
    quoted_home,
    refuse_rule_without_auto,
    refuse_without_effect,
    values,
)
from telemetry.nearest import did_you_mean
from telemetry.next_line import typed

Choose = Callable[[Mapping[str, Sequence[str]]], str]
"""Which cluster a line that gives these keys these values is for."""

_AUTO: Final = "auto"
_MULTIRUN: Final = frozenset({"-m", "--multirun"})
_CFG: Final = ("job", "hydra", "all")
_INFO: Final = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
# The flags of Hydra's that make sense of a grid, each with what may follow: nothing (None), or one
# of these; no choice is any word.
_FLAGS: Final[Mapping[str, tuple[str, ...] | None]] = {
    **{"-m": None, "--multirun": None, "-h": None, "--help": None, "--version": None},
    **{"-c": _CFG, "--cfg": _CFG, "--resolve": None, "-p": (), "--package": ()},
    **{"-i": _INFO, "--info": _INFO, "--hydra-help": None},
}
# Hydra 1.3 says so of a key that the composed configuration has not.
_NO_SUCH_KEY: Final = re.compile(r"Could not override '(?!hydra[.'])([^']+)'")
# … so of a value that names another key's which is not there, or of no key
_NO_VARIABLE: Final = re.compile(r"Interpolation key '([^']*)' not found")
_FULL_KEY: Final = re.compile(r"full_key: (\S+)")
# … and so of a value that is no option of its group.
_NO_SUCH_OPTION: Final = re.compile(r"In '[^']*': Could not find '(\w+)/([^']+)'")


def read_points(arguments: Sequence[str], choose: Choose | None = None) -> list[Point]:
    """Expand the command line to composed grid points.

    `choose` settles a cluster that is left open; None takes `auto_cluster`.

    Raises:
        BadInputError: a key, group option or value is not allowed, or an engine is faulty.
        SystemExit: Hydra's own flags (--help, --cfg …) have done their work.
    """
    try:
        register()
    except ValueError as error:
        raise BadInputError(str(error)) from error
    flags, words = _split(arguments)
    words = [settled_word(quoted_home(own_model_word(word))) for word in words]
    overrides = parse(words)
    points: list[Point] = []
    for grid in grids(words, overrides):
        cluster = _cluster(grid, choose)
        resolved = [_resolve_auto(word, cluster) for word in grid]
        with _environment(cluster):
            try:
                if flags:
                    _obey(flags, resolved)
                else:
                    points += expand(resolved)
            except (HydraException, OmegaConfBaseException, ValueError) as error:
                raise BadInputError(_one_line(error)) from error
    for point in points:
        refuse_without_effect(overrides, point.config)
    refuse_rule_without_auto(overrides, [point.config for point in points])
    return points


def auto_cluster() -> str:
    """What cluster=auto is for who asks nobody: `slurm` where sbatch is on PATH, else `local`."""
    return "slurm" if shutil.which("sbatch") else "local"


def _cluster(words: Sequence[str], choose: Choose | None) -> str:
    """What cluster=auto is for the words of one grid; any where it is not asked for."""
    given = {
        override.key_or_group: values(override)
        if override.is_discrete_sweep()
        else [str(override.value())]
        for override in parse(words)
    }
    named = given.get("cluster", [])
    if (named and _AUTO not in named) or (not named and _names_cluster(given.get("experiment"))):
        return "local"
    return auto_cluster() if choose is None else choose(given)


def _names_cluster(experiment: Sequence[str] | None) -> bool:
    """Whether an experiment's file says where it runs, or sweeps that."""
    if not experiment or not (path := CONF / "experiment" / f"{experiment[0]}.yaml").is_file():
        return False
    content = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    assert isinstance(content, dict)
    defaults = content.get("defaults") or []
    sweeps = ((content.get("hydra") or {}).get("sweeper") or {}).get("params") or {}
    return "cluster" in sweeps or any("override /cluster" in one for one in defaults)


def _obey(flags: Sequence[str], words: Sequence[str]) -> None:
    """Let Hydra do what flags of its own ask for, which is to print: beside one it takes no -m."""
    main = hydra.main(config_path=str(CONF), config_name="config", version_base=HYDRA_VERSION)
    with _arguments([*flags, *words]):
        main(_nothing)()


def _nothing(config: DictConfig) -> None:
    raise AssertionError(f"the launcher composes, it runs nothing: {OmegaConf.to_yaml(config)}")


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags with what follows one, as in --cfg job; and the words that are overrides.

    Raises:
        BadInputError: a flag is none that there is, or lacks its value.
    """
    flags: list[str] = []
    words: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("-"):
            words.append(word)
            continue
        flag, equals, value = word.partition("=")
        if flag not in _FLAGS:
            raise BadInputError(_no_flag(flag, word, next(rest, "")))
        wanted = _FLAGS[flag]
        if wanted is None:
            if equals:
                raise BadInputError(f"`{flag}` must stand alone, but has {value!r}")
            if flag not in _MULTIRUN:
                flags.append(flag)
            continue
        value = value if equals else next(rest, "")
        if not value or value.startswith("-") or (wanted and value not in wanted):
            allowed = f"one of {', '.join(wanted)}" if wanted else "a package of the configuration"
            raise BadInputError(f"`{flag}` must be followed by {allowed}, but is by {value!r}")
        flags += [flag, value]
    return flags, words


def _no_flag(flag: str, word: str, behind: str) -> str:
    """The error of a flag that there is not; a key that looks like one is told as a key."""
    ask = typed("launcher", "--help")
    # --model=7b, or --model 7b.
    as_key = "=" in word or not (behind.startswith("-") or "=" in behind)
    guess = did_you_mean(flag, [name for name in _FLAGS if name.startswith("--")])
    if not guess:
        guess = meant_word(f"{word}={behind}" if as_key and behind and "=" not in word else word)
    return (
        f"`{flag}` must be a key without dashes or one of {len(_FLAGS)} flags, but is neither"
        f"{guess or f'; {ask} lists them'}"
    )


def _resolve_auto(word: str, cluster: str) -> str:
    key, _, value_list = word.partition("=")
    if key != "cluster":
        return word
    resolved = [cluster if value == _AUTO else value for value in value_list.split(",")]
    return f"cluster={','.join(resolved)}"


@contextmanager
def _environment(cluster: str) -> Any:
    """What the configuration reads from the environment, for as long as Hydra composes."""
    values: Mapping[str, str] = {
        # Raise, rather than print a page and exit with 1.
        "HYDRA_FULL_ERROR": "1",
        "JOULEGRID_CLUSTER": cluster,
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _arguments(arguments: Sequence[str]) -> Any:
    """Hydra reads sys.argv alone."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


def _one_line(error: Exception) -> str:
    # Hydra wraps some faults of OmegaConf in an exception without a text.
    text = str(error) or str(error.__cause__)
    if unknown := _NO_SUCH_KEY.match(text):
        return unknown_key(unknown[1])
    if (unknown := _NO_SUCH_OPTION.match(text)) and unknown[1] in groups():
        return not_a_choice(unknown[1], unknown[2])
    if (missing := _NO_VARIABLE.match(text)) and (where := _FULL_KEY.search(text)):
        near = did_you_mean(missing[1], settable_names())
        return (
            f"`{where[1]}` must take the value of a key that there is, but takes that of "
            f"{missing[1]!r}{near}"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    key = next((line for line in lines if line.startswith("full_key:")), None)
    text = " ".join(line for line in lines[:3] if not line.startswith(("full_key", "object_type")))
    return f"{text} ({key})" if key and key not in text else text
