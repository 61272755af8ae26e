"""Factors file: what a user wrote, as a mapping: a bounded plain file, each key once, no tricks.

YAML is read as words and plain numbers alone: no tag makes an object of it, no alias multiplies it,
and what looks like a date or a truth stays a word.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from telemetry.record.files import read_plain
from telemetry.record.json_text import parse_json

NAME: Final = "--factors"
"""What names the file."""
# Four factors with their sources are a kilobyte.
_MOST_BYTES: Final = 64 << 10
_JSON, _YAML = (".json",), (".yaml", ".yml")
# A decimal number as people write it; 1:30, 0x10 and 1_000 are words.
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def read_mapping(path: Path, name: str = NAME) -> dict[str, Any]:
    """What the file holds that `name` named.

    Raises:
        ValueError: there is none, it is no plain file, too large, or not what its ending says.
    """
    ending = path.suffix.lower()
    if ending not in (*_JSON, *_YAML):
        raise ValueError(f"`{name}` must be a .yaml, .yml or .json file, but is {path}")
    try:
        data = read_plain(path, most_bytes=_MOST_BYTES)
    except OSError as error:
        said = "is missing" if isinstance(error, FileNotFoundError) else error.strerror or error
        raise ValueError(f"`{name}` must be a file, but {path} {said}") from error
    except ValueError as error:
        raise ValueError(f"`{name}` must be a plain file of its own, but {error}") from error
    try:
        return parse_json(data, str(path)) if ending in _JSON else _yaml(data, str(path))
    except RecursionError:
        raise ValueError(f"`{name}` must be keys and values, but {path} is too deep") from None
    except ValueError as error:
        told = " ".join(str(error).split())
        raise ValueError(f"`{name}` must hold keys and values, but: {told}") from error


def _yaml(data: bytes, where: str) -> dict[str, Any]:
    # It comes with extra `analysis`, and only a file of YAML needs it.
    yaml: Any = import_module("yaml")

    class Loader(yaml.BaseLoader):  # type: ignore[misc]
        """Words, plain numbers, lists and mappings of each key once."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ValueError(f"{where} must spell each value out, but has an alias (*)")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            names: set[str] = set()
            for key, _ in node.value:
                name = self.construct_object(key, deep=True)
                if not isinstance(name, str):
                    raise ValueError(f"{where} must have words for keys, but has {name!r}")
                if name in names:
                    raise ValueError(f"{where}: the key {name!r} stands twice")
                names.add(name)
            found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            return found

        def construct_scalar(self, node: Any) -> Any:
            text = super().construct_scalar(node)
            plain = node.style is None and _NUMBER.fullmatch(text)
            return float(text) if plain else text

    try:
        content = yaml.load(data.decode(), Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"{where} is not YAML: {error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{where} must be UTF-8, but is not: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{where} must hold keys, but holds {type(content).__name__} instead")
    return content
