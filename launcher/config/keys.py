"""Keys: every key that `conf/` has, and what to say of one that it has not."""

import difflib
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from omegaconf import DictConfig, OmegaConf

from launcher.config.listing import CONF, groups

# More than three suggestions are a list again.
_NEAREST: Final = 3
_ALIAS: Final = re.compile(r"\$\{(\w+(?:\.\w+)*)\}")


def plain_keys() -> list[str]:
    """The top-level keys that are no group."""
    content = OmegaConf.load(CONF / "config.yaml")
    return sorted({str(key) for key in content} - {"defaults", "hydra"})


def naming_keys() -> frozenset[str]:
    """The keys below a group that say which option it is, as the group itself does."""
    return frozenset({"model.name", "engine.name", "dataset.name", "telemetry.source"})


@cache
def aliases() -> dict[str, str]:
    """Keys whose default is another key's value, such as gpu, which takes cluster.gpu."""
    found = {}
    for key, value in _raw(OmegaConf.load(CONF / "config.yaml"), ""):
        if isinstance(value, str) and (alias := _ALIAS.fullmatch(value)):
            found[key] = alias[1]
    # An experiment sets keys of others: it has no defaults of its own.
    for group in (name for name in groups() if name != "experiment"):
        for path in (CONF / group).glob("*.yaml"):
            for key, value in _raw(OmegaConf.load(path), f"{group}."):
                if isinstance(value, str) and (alias := _ALIAS.fullmatch(value)):
                    found[key] = alias[1]
    return found


def unknown_key(key: str) -> str:
    """Why `key` cannot be set: what there is instead, the nearest of it, or who has it."""
    top = key.replace("/", ".").partition(".")[0]
    if top not in groups():
        if top not in plain_keys():
            known = [*groups(), *plain_keys()]
            return f"`{top}` must be one of {', '.join(known)}, but is no key{_nearest(top)}"
        return f"`{key}` must be `{top}` alone, which is one value, but names a key below it"
    by_option = keys_below(top)
    holders = [option for option, keys in by_option.items() if key in keys]
    if holders:
        return (
            f"`{key}` must be set for an option of `{top}` that has it ({', '.join(holders)}), "
            "but another was chosen"
        )
    known = sorted(set().union(*by_option.values()))
    below = ", ".join(name.removeprefix(f"{top}.") for name in known)
    return f"`{key}` must be a key of `{top}` ({below}), but is none{_nearest(key)}"


@cache
def keys_below(group: str) -> dict[str, frozenset[str]]:
    """The keys below a group as dotted words, by option, such as cluster.slurm.partition."""
    keys = {}
    for path in sorted((CONF / group).glob("*.yaml")):
        content = OmegaConf.load(path)
        assert isinstance(content, DictConfig)
        # An experiment's file is of package _global_: its group's own keys stand one below.
        keys[path.stem] = frozenset(_leaves(content.get(group, content), group))
    return keys


def _raw(content: object, above: str) -> Iterator[tuple[str, object]]:
    """Dotted names and raw values."""
    if not isinstance(content, DictConfig):
        return
    plain = OmegaConf.to_container(content, resolve=False)
    assert isinstance(plain, dict)
    for key, value in plain.items():
        yield f"{above}{key!s}", value


def _leaves(content: object, above: str) -> list[str]:
    if not isinstance(content, DictConfig):
        return [above]
    leaves = []
    for key in map(str, content):
        leaves += _leaves(content._get_node(key), f"{above}.{key}")
    return leaves


def _nearest(key: str) -> str:
    """The keys that end as `key` does in another place, then those spelt nearly as it is."""
    nested = {name for group in groups() for names in keys_below(group).values() for name in names}
    every = sorted({*nested, *groups(), *plain_keys()})
    top, _, rest = key.partition(".")
    near = [name for name in every if name.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
    # All names below a group begin alike: only the rest can be misspelt.
    beside = {
        name.removeprefix(f"{top}.") if rest else name: name
        for name in every
        if (name.startswith(f"{top}.") if rest else "." not in name)
    }
    spelt = difflib.get_close_matches(rest or top, beside)
    near += [beside[name] for name in spelt if beside[name] not in near]
    return f"; the nearest: {', '.join(near[:_NEAREST])}" if near else ""
