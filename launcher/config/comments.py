"""Comments: what a file of `conf/` says of itself and of its keys.

The comment that it begins with says what it is. One right above a key describes the key where it
begins with what that allows, in brackets, such as `[true or false]`; without, it is a remark.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, Self

from omegaconf import OmegaConf

DESCRIPTION: Final = re.compile(r"\[(?P<allowed>[^\]]+)\] (?P<meaning>.+)")
"""A comment that describes the key below it."""
_KEY: Final = re.compile(r"(?P<indent> *)(?:- )?(?P<name>\w+):(?: |$)")


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """One file of `conf/`."""

    option: str
    """The option that it is; empty for config.yaml."""
    heading: str
    """What it is: the comment that it begins with."""
    comments: Mapping[str, str]
    """The comment right above each key, by the key's dotted name on the command line."""
    values: Mapping[str, Any]
    """Its own keys and their raw values, as a mapping."""
    sweeps: Mapping[str, str]
    """What it sweeps, which only an experiment does."""

    @classmethod
    def read(cls, path: Path, group: str) -> Self:
        """An option of `group`, or config.yaml where that is empty.

        Raises:
            ValueError: it does not say what it is, or a description stands above no key.
        """
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        lines = path.read_text().splitlines()
        heading = list(takewhile(_is_remark, lines))
        text = " ".join(_text(line) for line in heading if "@package" not in line)
        if not text:
            raise ValueError(f"`{path.name}` must begin with a comment that says what it is")
        # An experiment's file is of package _global_: its group's own keys stand one below.
        whole = group in content
        own = content[group] if whole else content
        above = f"{group}." if group and not whole else ""
        return cls(
            option=path.stem if group else "",
            heading=text,
            comments={
                f"{above}{key}": comment
                for key, comment in _comments(lines[len(heading) :], path.name)
            },
            values={group: own} if group else own,
            sweeps=content.get("hydra", {}).get("sweeper", {}).get("params", {}) if whole else {},
        )


def _comments(lines: Sequence[str], file: str) -> Iterator[tuple[str, str]]:
    """Each key's dotted name in its file, and the comment right above it."""
    block: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in [*lines, ""]:
        begins = DESCRIPTION.match(_text(line)) is not None
        if line.lstrip().startswith("#") and not (begins and block):
            block.append(_text(line))
            continue
        key = _KEY.match(line)
        if block and not key and (begins or DESCRIPTION.match(block[0])):
            raise ValueError(f"`{file}` must have a key below {block[0]!r}, but has none there")
        if key:
            indent = len(key["indent"])
            parents = [parent for parent in parents if parent[0] < indent]
            parents.append((indent, key["name"]))
            yield ".".join(name for _, name in parents), " ".join(block)
        block = []


def _is_remark(line: str) -> bool:
    return line.startswith("#") and not DESCRIPTION.match(_text(line))


def _text(line: str) -> str:
    """A comment's line without its mark; empty for what is no comment."""
    return line.lstrip().removeprefix("#").strip() if line.lstrip().startswith("#") else ""
