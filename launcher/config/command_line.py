"""Command line: command line in, composed points out, one clear line for what is not allowed."""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import CONF, Point, expand, register
from launcher.config.keys import groups, plain_keys, unknown_key
from workers.planning.engine_facts import engine_names
from workers.planning.families import known_models

_MULTIRUN: Final = frozenset({"-m", "--multirun"})
# Hydra 1.3 says so of a key that the composed configuration has not.
_NO_SUCH_KEY: Final = re.compile(r"Could not override '(?!hydra[.'])([^']+)'")
# … and so of a value that is no option of its group.
_NO_SUCH_OPTION: Final = re.compile(r"In '[^']*': Could not find '(\w+)/([^']+)'")


def read_points(arguments: Sequence[str]) -> list[Point]:
    """Expand the command line to composed grid points.

    Raises:
        BadInputError: a key, group option or value is not allowed, or an engine is faulty.
        SystemExit: Hydra's own flags (--help, --cfg …) have done their work.
    """
    try:
        register()
    except ValueError as error:
        raise BadInputError(str(error)) from error
    for override in _parse(_overrides(arguments)):
        _check_override(override)
    with _environment(), _arguments(_for_hydra(arguments)):
        try:
            return expand(_compose)
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise BadInputError(_one_line(error)) from error


def group_options(group: str) -> list[str]:
    """The options of a configuration group, sorted.

    For clusters `auto` is a rule and no file; engines and models are all that there are, file or
    not.
    """
    options = {path.stem for path in (CONF / group).glob("*.yaml")}
    if group == "cluster":
        options.add("auto")
    if group == "engine":
        options.update(engine_names())
    if group == "model":
        options.update(known_models())
    return sorted(options)


def auto_cluster() -> str:
    """What cluster=auto is here: `slurm` where sbatch is on PATH, else `local`."""
    return "slurm" if shutil.which("sbatch") else "local"


@hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")
def _compose(config: DictConfig) -> None:
    raise AssertionError(f"the launcher composes, it runs nothing: {OmegaConf.to_yaml(config)}")


def _overrides(arguments: Sequence[str]) -> list[str]:
    """The words that are overrides: not Hydra's flags, nor what follows one, as in --cfg job."""
    words = []
    after_flag = False
    for word in arguments:
        is_flag = word.startswith("-")
        if not is_flag and not (after_flag and "=" not in word):
            words.append(word)
        after_flag = is_flag and word not in _MULTIRUN
    return words


def _parse(words: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create()
    overrides = []
    for word in words:
        if "=" not in word and not word.startswith("~"):
            raise BadInputError(f"`{word}` must be of the form key=value")
        try:
            overrides.append(parser.parse_override(word))
        except HydraException as error:
            raise BadInputError(f"`{word}` must be a value Hydra reads: {_one_line(error)}") from (
                error
            )
    return overrides


def _for_hydra(arguments: Sequence[str]) -> list[str]:
    """The words as Hydra takes them: it wants -m first or last, and here it is always on.

    conf/ turns it on as well, but Hydra forgets that where the configuration has a fault, and then
    says of a sweep that it is ambiguous. Beside another of its flags it takes no -m.
    """
    words = [_resolve_auto(word) for word in arguments if word not in _MULTIRUN]
    return words if any(word.startswith("-") for word in words) else ["-m", *words]


def _resolve_auto(word: str) -> str:
    key, _, values = word.partition("=")
    if key != "cluster":
        return word
    resolved = [auto_cluster() if value == "auto" else value for value in values.split(",")]
    return f"cluster={','.join(resolved)}"


def _check_override(override: Override) -> None:
    key = override.key_or_group
    top = key.split(".")[0].split("/")[0]
    if top == "hydra":
        return
    if override.is_add() or override.is_delete():
        raise BadInputError(
            f"`{override.input_line}` must be key=value without + or ~: "
            "every key there is stands in conf/"
        )
    if top not in {*groups(), *plain_keys()}:
        raise BadInputError(unknown_key(key))
    if key in groups():
        known = group_options(key)
        values = (
            list(override.sweep_string_iterator())
            if override.is_sweep_override()
            else [str(override.value())]
        )
        for value in values:
            if value.strip("'\"") not in known:
                raise BadInputError(
                    f"`{key}` must be one of {', '.join(known)}, but is {value!r} instead"
                )


@contextmanager
def _environment() -> Any:
    """What the configuration reads from the environment, for as long as Hydra composes."""
    values: Mapping[str, str] = {
        # Raise, rather than print a page and exit with 1.
        "HYDRA_FULL_ERROR": "1",
        "JOULEGRID_CLUSTER": auto_cluster(),
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
        known = ", ".join(group_options(unknown[1]))
        return f"`{unknown[1]}` must be one of {known}, but is {unknown[2]!r} instead"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    key = next((line for line in lines if line.startswith("full_key:")), None)
    text = " ".join(line for line in lines[:3] if not line.startswith(("full_key", "object_type")))
    return f"{text} ({key})" if key and key not in text else text
