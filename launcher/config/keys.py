"""Keys: every key that `conf/` has, and what to say of one that it has not."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from omegaconf import DictConfig, OmegaConf

from launcher.config.listing import CONF, group_options, groups
from telemetry.nearest import folded, nearest, settled
from telemetry.next_line import VERBS, typed

# More than three suggestions are a list again.
_NEAREST: Final = 3
# A value that shows the form of a key somebody named alone.
_EXAMPLES: Final = {"model": "7b", "gpus": "1", "plan": "true", "dataset": "gsm8k"}
_WORD: Final = re.compile(r"(?P<key>[^=:]*)(?P<mark>[=:]?)(?P<value>.*)", re.DOTALL)
_QUOTED: Final = re.compile(r"`(\w+)`(?= must )")
_ALIAS: Final = re.compile(r"\$\{(\w+(?:\.\w+)*)\}")


@cache
def plain_keys() -> tuple[str, ...]:
    """The top-level keys that are no group."""
    content = OmegaConf.load(CONF / "config.yaml")
    return tuple(sorted({str(key) for key in content} - {"defaults", "hydra"}))


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
    """Why `key` cannot be set: the nearest that can, or who has it, and how to see all."""
    top = key.replace("/", ".").partition(".")[0]
    if top not in groups():
        if top not in plain_keys():
            which = f"one of {len(settable_names())} keys"
            return _no_key(key, which, typed("launcher", "--help"))
        return f"`{key}` must be `{top}` alone, which is one value, but names a key below it"
    by_option = keys_below(top)
    holders = [option for option, keys in by_option.items() if key in keys]
    if holders:
        return (
            f"`{key}` must be set for an option of `{top}` that has it ({', '.join(holders)}), "
            "but another was chosen"
        )
    known = sorted(set().union(*by_option.values()))
    which = f"{'the key' if len(known) == 1 else f'one of {len(known)} keys'} of `{top}`"
    return _no_key(key, which, typed("launcher", "--help", top))


def whole_key(said: str) -> str:
    """What is said of a value, with its key as it is typed: `telemetry.period_ms`, not its end.

    Of several that end alike the one that lies least deep is meant, where that is one.
    """
    quoted = _QUOTED.match(said)
    if quoted is None or (name := quoted[1]) in settable_names():
        return said
    keys = [
        key
        for key in settable_names()
        if key.rpartition(".")[2] == name and not key.startswith("experiment.")
    ]
    least = min((key.count(".") for key in keys), default=0)
    whole = [key for key in keys if key.count(".") == least]
    return f"`{whole[0]}`{said[quoted.end() :]}" if len(whole) == 1 else said


def meant_word(word: str) -> str:
    """`; did you mean model=7b?` of a word that is not key=value, or nothing."""
    bare = word.lstrip("-")
    match = _WORD.fullmatch(bare)
    assert match is not None
    key, mark, value = match["key"], match["mark"], match["value"]
    if value and (near := _nearest(key)):
        return f"; did you mean {near[0]}={value}?"
    if not mark and (name := settled(bare, settable_names())):
        return f"; did you mean {name}={_EXAMPLES.get(name, '...')}?"
    if not mark and bare in VERBS.values():
        module = next(module for module, verb in VERBS.items() if verb == bare)
        return f"; did you mean {typed(module)}?"
    for group in groups():
        if option := settled(bare, group_options(group)):
            return f"; did you mean {group}={option}?"
    return ""


def _no_key(key: str, which: str, ask: str) -> str:
    near = _nearest(key)
    guess = f"; did you mean {' or '.join(near)}? ({ask} lists them)" if near else ""
    return f"`{key}` must be {which}, but is none{guess or f'; {ask} lists them'}"


def settable_names() -> list[str]:
    """Every group and key that a word may set."""
    below = {name for group in groups() for names in keys_below(group).values() for name in names}
    return sorted({*groups(), *plain_keys(), *below})


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


def _nearest(key: str) -> list[str]:
    """The keys that end as `key` does in another place, then those spelt nearly as it is."""
    every = settable_names()
    top, _, rest = key.partition(".")
    leaf = folded(key.rsplit(".", 1)[-1])
    near = [name for name in every if folded(name.rsplit(".", 1)[-1]) == leaf]
    if not rest and (same := [name for name in near if "." not in name]):
        return same
    # All names below a group begin alike: only the rest can be misspelt.
    beside = {
        name.removeprefix(f"{top}.") if rest else name: name
        for name in every
        if (name.startswith(f"{top}.") if rest else "." not in name)
    }
    near += [beside[name] for name in nearest(rest or top, beside)]
    if not near:
        # A misspelt group, or a key that stands below one.
        leaves = {name: name.rsplit(".", 1)[-1] for name in every}
        spelt = nearest(key.rsplit(".", 1)[-1], leaves.values())
        near = [] if rest and top in groups() else nearest(key, every)
        near = near or [name for name in every if leaves[name] in spelt]
    # What has no dot is likelier meant.
    return list(dict.fromkeys(sorted(near, key=lambda name: "." in name and not rest)))[:_NEAREST]
