"""Comments: what a file of `conf/` says of itself and of its keys.

The comment that it begins with says what it is. One right above a key describes the key where it
begins with what that allows, in brackets, such as `[true or false]`; without, it is a remark. The
keys below a line such as `# == Sampling ==` are a section, which may come more than once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from omegaconf import OmegaConf

from launcher.config.listing import heading_of, key_lines, text_of


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """One file of `conf/`."""

    option: str
    """The option that it is; empty for config.yaml."""
    heading: str
    """What it is: the comment that it begins with."""
    comments: Mapping[str, str]
    """The comment right above each key, by the key's dotted name on the command line."""
    sections: Mapping[str, str]
    """The section that each key of config.yaml stands under, as in `# == Hardware ==`."""
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
        heading = heading_of(lines)
        text = " ".join(text_of(line) for line in heading if "@package" not in line)
        if not text:
            raise ValueError(f"`{path.name}` must begin with a comment that says what it is")
        # An experiment's file is of package _global_: its group's own keys stand one below.
        whole = group in content
        own = content[group] if whole else content
        above = f"{group}." if group and not whole else ""
        keys = list(key_lines(lines[len(heading) :], path.name))
        return cls(
            option=path.stem if group else "",
            heading=text,
            comments={f"{above}{line.name}": line.comment for line in keys},
            sections={line.name: line.section for line in keys if line.section},
            values={group: own} if group else own,
            sweeps=content.get("hydra", {}).get("sweeper", {}).get("params", {}) if whole else {},
        )
