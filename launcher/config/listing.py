"""Listing: what `conf/` offers, from the names and the lines of its files alone.

No Hydra is needed for it, so that a shell that completes a word need not wait.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Final

import conf
from workers.planning.engine_facts import engine_names
from workers.planning.families import known_models

CONF: Final = Path(conf.__path__[0])
"""Folder of the configuration groups, wherever the package is installed."""
DESCRIPTION: Final = re.compile(r"\[(?P<allowed>[^\]]+)\] (?P<meaning>.+)")
"""A comment that describes the key below it."""
HYDRA_S: Final = ("defaults", "hydra")
"""Top-level keys that are Hydra's own."""
_SECTION: Final = re.compile(r"# == (?P<name>.+) ==")
_KEY: Final = re.compile(r"(?P<indent> *)(?:- )?(?P<name>\w+):(?: |$)")


@dataclass(frozen=True, kw_only=True)
class KeyLine:
    """A line of a file that has a key."""

    name: str
    """Dotted, as it is nested in the file."""
    comment: str
    """What stands right above it; empty where nothing does."""
    section: str
    """The section's name that it stands under, as in `# == Hardware ==`; empty above the first."""


def groups(folder: Path = CONF) -> list[str]:
    """The configuration groups."""
    return sorted(child.name for child in folder.iterdir() if any(child.glob("*.yaml")))


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


def heading_of(lines: Sequence[str]) -> list[str]:
    """The comment that a file begins with, as far as it describes no key."""
    return list(
        takewhile(lambda one: one.startswith("#") and not DESCRIPTION.match(text_of(one)), lines)
    )


def key_lines(lines: Sequence[str], file: str) -> Iterator[KeyLine]:
    """Each key of a file's lines, those that hold others too.

    Raises:
        ValueError: a description stands above no key.
    """
    block: list[str] = []
    parents: list[tuple[int, str]] = []
    section = ""
    for line in [*lines, ""]:
        heading = _SECTION.fullmatch(line)
        begins = DESCRIPTION.match(text_of(line)) is not None
        if line.lstrip().startswith("#") and not heading and not (begins and block):
            block.append(text_of(line))
            continue
        key = _KEY.match(line)
        if block and not key and (begins or DESCRIPTION.match(block[0])):
            raise ValueError(f"`{file}` must have a key below {block[0]!r}, but has none there")
        if heading:
            section = heading["name"]
        if key:
            indent = len(key["indent"])
            parents = [parent for parent in parents if parent[0] < indent]
            parents.append((indent, key["name"]))
            name = ".".join(name for _, name in parents)
            yield KeyLine(name=name, comment=" ".join(block), section=section)
        block = []


def text_of(line: str) -> str:
    """A comment's line without its mark; empty for what is no comment."""
    return line.lstrip().removeprefix("#").strip() if line.lstrip().startswith("#") else ""


def sections(folder: Path = CONF) -> list[str]:
    """The sections of the keys of no group, as they are met first."""
    return list(dict.fromkeys(line.section for line in _settings(folder / "config.yaml")))


@cache
def settable(folder: Path = CONF) -> dict[str, str]:
    """Every key that a word of the command line may set, and what its comment allows.

    Empty where no comment says so; a mapping that is described is one value.
    """
    found: dict[str, str] = {}
    for path in [folder / "config.yaml", *sorted(folder.glob("*/*.yaml"))]:
        group = path.parent.name if path.parent != folder else ""
        for line in _settings(path):
            own = line.name.startswith(f"{group}.")
            # An experiment's file sets keys of others: its own stand below its group's name.
            if group == "experiment" and not own:
                continue
            name = line.name if own or not group else f"{group}.{line.name}"
            match = DESCRIPTION.fullmatch(line.comment)
            found[name] = match["allowed"] if match else found.get(name, "")
    described = {name for name, allowed in found.items() if allowed}
    holders = {above for name in found for above in _above(name)}
    return {
        name: allowed
        for name, allowed in found.items()
        if name in described or not (name in holders or described & set(_above(name)))
    }


def _settings(path: Path) -> list[KeyLine]:
    text = path.read_text(encoding="utf-8").splitlines()
    return [
        line
        for line in key_lines(text[len(heading_of(text)) :], path.name)
        if line.name.partition(".")[0] not in HYDRA_S
    ]


def _above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def project_folder() -> Path:
    """The folder that holds `conf/`: the source tree, or site-packages once installed."""
    return CONF.parent
