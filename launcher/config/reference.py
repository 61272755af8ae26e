"""Reference: every key of `conf/` in the words that stand beside it there.

    make reference

A key is described by the comment above it (`launcher.config.comments`); a mapping's stands for all
below it. Where several options of a group have a key, one describes it. A key that is but another's
default needs none.
"""

import json
import re
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from launcher.config.comments import ConfigFile
from launcher.config.listing import CONF, DESCRIPTION, HYDRA_S

_ALIAS: Final = re.compile(r"\$\{(?P<key>\w+(?:\.\w+)*)\}")
_FIRST_SENTENCE: Final = re.compile(r".+?(?:\.(?= )|$)")
# The last part of a name is its unit (CONTRIBUTING.md, rule 2).
_UNITS: Final = {
    "gflops": "GFLOP/s",
    "hours": "h",
    "kwh": "kWh",
    "len": "tokens",
    "mhz": "MHz",
    "min": "min",
    "ms": "ms",
    "s": "s",
    "w": "W",
}
_INTRODUCTION: Final = """\
# Configuration

Every key there is, as the comments in `conf/` say (`make reference` writes this page from them).
`key=value` sets a key, `key=a,b` sweeps it, `group=option` takes an option of a group with all that
it sets, `group.key=value` sets a key of the option. Where options differ, a default names them."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key as the reference shows it."""

    name: str
    """Dotted, as on the command line."""
    allowed: str
    """What its value may be."""
    meaning: str
    """What it is, in a sentence or two."""
    defaults: Mapping[str, Any]
    """Its raw value in each option that has it; by "" where it is of no group."""
    section: str
    """The section that it stands under; empty where it is of a group."""

    @property
    def unit(self) -> str:
        """What one of it is; empty for a number of things, and for what is no number."""
        return _UNITS.get(self.name.rsplit("_", 1)[-1], "") if "_" in self.name else ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group as the reference shows it."""

    name: str
    """As on the command line; empty for the keys of no group."""
    meaning: str
    """What one chooses with it."""
    options: Mapping[str, str]
    """What each option is; config.yaml is that of no group, named ""."""
    sweeps: Mapping[str, Mapping[str, str]]
    """What each option sweeps; only experiments do."""
    keys: tuple[Key, ...]
    """The keys of its options, as they follow in the files."""


def read_groups(folder: Path = CONF) -> list[Group]:
    """The reference of all keys in `folder`: those of no group first, then group by group.

    Raises:
        ValueError: something is not described, or twice, or a description stands above no key.
    """
    root = ConfigFile.read(folder / "config.yaml", "")
    names = [child.name for child in folder.iterdir() if any(child.glob("*.yaml"))]
    files = {"": [root]}
    for name in sorted(names):
        paths = sorted((folder / name).glob("*.yaml"))
        files[name] = [ConfigFile.read(path, name) for path in paths]
    defaults_of = {
        alias["key"]: key
        for options in files.values()
        for file in options
        for key, value in _leaves(file.values)
        if isinstance(value, str) and (alias := _ALIAS.fullmatch(value))
    }
    groups = []
    for name, options in files.items():
        meaning = root.comments.get(f"defaults.{name}") if name else _first_sentence(root.heading)
        if not meaning:
            raise ValueError(f"`{name}` must have a comment above it among config.yaml's defaults")
        groups.append(
            Group(
                name=name,
                meaning=meaning,
                options={file.option: _first_sentence(file.heading) for file in options},
                sweeps={file.option: file.sweeps for file in options},
                keys=_keys(options, defaults_of),
            )
        )
    return groups


def write(groups: Sequence[Group]) -> str:
    """The page, in Markdown."""
    lines = [_INTRODUCTION]
    for group in groups:
        lines += ["", f"## {group.name or 'Keys of no group'}", "", group.meaning, ""]
        if group.name:
            swept = any(group.sweeps.values())
            rows = [["option", "what it is", *(["sweeps"] if swept else [])]]
            for option, meaning in group.options.items():
                sweeps = [f"`{key}={values}`" for key, values in group.sweeps[option].items()]
                rows.append([f"`{option}`", meaning, *([" ".join(sweeps)] if swept else [])])
            lines += [*_table(rows), ""]
        for section, keys in sections_of(group).items():
            lines += [f"### {section}", ""] if section else []
            rows = [["key", "must be", "default", "unit", "meaning"]]
            for key in keys:
                shown = [key.allowed, default_of(key, group), key.unit, key.meaning]
                rows.append([f"`{key.name}`", *shown])
            lines += [*_table(rows), ""]
        lines.pop()
    return "\n".join(lines) + "\n"


def sections_of(group: Group) -> dict[str, list[Key]]:
    """The keys of each section, as sections are met first; of a group all are in one, named ""."""
    found: dict[str, list[Key]] = {}
    for key in group.keys:
        found.setdefault(key.section, []).append(key)
    return found


def _keys(files: Sequence[ConfigFile], defaults_of: Mapping[str, str]) -> tuple[Key, ...]:
    """The keys of a group's options, as the files describe them."""
    described = _described(files)
    by_key: dict[str, dict[str, Any]] = {}
    for file in files:
        for name, value in _leaves(file.values, described):
            if name.split(".")[0] not in HYDRA_S:
                by_key.setdefault(name, {})[file.option] = value
    if strangers := sorted(set(described) - set(by_key)):
        raise ValueError(f"`{strangers[0]}` must be a key to be described, but is none here")
    keys = []
    for name, defaults in by_key.items():
        if name in described:
            allowed, meaning = described[name]
        elif name in defaults_of:
            allowed = f"as `{defaults_of[name]}`"
            meaning = f"Default of `{defaults_of[name]}`."
        else:
            where = ", ".join(defaults) or "config.yaml"
            raise ValueError(
                f"`{name}` must have a comment above it that begins with what it allows in "
                f"brackets, but has none in {where}"
            )
        section = next((file.sections[name] for file in files if name in file.sections), "")
        if list(defaults) == [""] and not section:
            raise ValueError(f"`{name}` must stand under a section, such as # == Work ==")
        keys.append(
            Key(name=name, allowed=allowed, meaning=meaning, defaults=defaults, section=section)
        )
    return tuple(keys)


def _described(files: Sequence[ConfigFile]) -> dict[str, tuple[str, str]]:
    """What each described key allows and means."""
    described: dict[str, tuple[str, str]] = {}
    for file in files:
        for name, comment in file.comments.items():
            if match := DESCRIPTION.fullmatch(comment):
                if name in described:
                    raise ValueError(
                        f"`{name}` must be described by one option, but is by {file.option} as well"
                    )
                described[name] = (match["allowed"], match["meaning"])
    return described


def _leaves(
    content: Mapping[str, Any], whole: Container[str] = (), above: str = ""
) -> Iterator[tuple[str, Any]]:
    """Dotted names and values; a mapping of `whole` is one value."""
    for key, value in content.items():
        name = f"{above}{key}"
        if isinstance(value, dict) and name not in whole:
            yield from _leaves(value, whole, f"{name}.")
        else:
            yield name, value


def _shown(value: Any) -> str:
    if isinstance(value, str) and (alias := _ALIAS.fullmatch(value)):
        return f"that of `{alias['key']}`"
    if isinstance(value, dict):
        return "the option's own"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    if value is None or isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    return f"`{value}`"


def default_of(key: Key, group: Group) -> str:
    """The default in Markdown, with the options that have it where others do not."""
    if group.name and all(value == option for option, value in key.defaults.items()):
        return "the option's name"
    by_value: dict[str, list[str]] = {}
    for option, value in key.defaults.items():
        by_value.setdefault(_shown(value), []).append(option)
    if len(by_value) > 1:
        return "; ".join(f"{value} ({', '.join(options)})" for value, options in by_value.items())
    value, having = next(iter(by_value.items()))
    lacking = [option for option in group.options if option not in having]
    if not lacking:
        return value
    short = len(lacking) < len(having)
    return f"{value} ({'not ' if short else ''}{', '.join(lacking if short else having)})"


def _first_sentence(text: str) -> str:
    sentence = _FIRST_SENTENCE.match(text)
    return sentence[0] if sentence else text


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    escaped.insert(1, ["---"] * len(rows[0]))
    return [f"| {' | '.join(row)} |" for row in escaped]


if __name__ == "__main__":
    sys.stdout.write(write(read_groups()))
