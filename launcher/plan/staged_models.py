"""Staged models: a hub's model in the cache of staged copies, read where there is no network.

<cache>/models/ORG--NAME/
  staged.json      the hub's name, what was asked for, the commit, each file's bytes and SHA-256
  files/           config.json, the tokenizer's files and .safetensors, and nothing else
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.next_line import typed
from telemetry.record.files import file_sha256
from workers.inputs.strict_json import read_object

MODELS: Final = "models"
"""Folder of a cache that has the staged models."""
RECORD: Final = "staged.json"
"""What is known of a staged copy."""
FILES: Final = "files"
"""Folder of a staged copy's files."""
CONFIG: Final = "config.json"
"""What says which model it is."""
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
"""A commit of the hub."""
# As the hub allows them: https://huggingface.co/docs/hub/repositories-settings
HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
"""ORG/NAME of the hub."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# No separator, so that none leads out of the folder.
_PLAIN: Final = re.compile(r"[A-Za-z0-9][\w.-]*")
# Weights are hashed where they are read from (`weights=own`), and are too long to hash at a plan.
_HASHED_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class StagedFile:
    """One file of a staged model."""

    name: str
    """Its name, in the hub's repository and here."""
    bytes: int
    """Its length."""
    sha256: str
    """Of its content, 64 hex digits."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _PLAIN.fullmatch(self.name):
            raise ValueError(f"`name` must be a plain name, but is {self.name!r} instead")
        if type(self.bytes) is not int or self.bytes < 0:
            raise ValueError(f"`bytes` must be a whole number, but is {self.bytes!r} instead")
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"`sha256` must be 64 hex digits, but is {self.sha256!r} instead")


@dataclass(frozen=True, kw_only=True)
class StagedModel:
    """What a staged copy holds; the content of its staged.json."""

    model: str
    """ORG/NAME of the hub."""
    revision: str
    """The branch, tag or commit that was asked for."""
    commit: str
    """The commit that it was then: every file is that commit's."""
    files: tuple[StagedFile, ...]
    """Every file, by name."""

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not HUB_NAME.fullmatch(self.model):
            raise ValueError(f"`model` must be ORG/NAME, but is {self.model!r} instead")
        if not isinstance(self.revision, str) or not self.revision:
            raise ValueError(f"`revision` must be a text, but is {self.revision!r} instead")
        if not isinstance(self.commit, str) or not COMMIT.fullmatch(self.commit):
            raise ValueError(f"`commit` must be 40 hex digits, but is {self.commit!r} instead")
        if not any(one.name == CONFIG for one in self.files):
            raise ValueError(f"`files` must hold {CONFIG}, but do not")

    @property
    def with_weights(self) -> bool:
        """True where weights were staged, too."""
        return any(one.name.endswith(".safetensors") for one in self.files)

    def to_mapping(self) -> dict[str, Any]:
        """The content of staged.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """The same of staged.json's content.

        Raises:
            ValueError: it is not such a record.
        """
        try:
            files = tuple(StagedFile(**one) for one in content["files"])
            return cls(**{**content, "files": files})
        except (KeyError, TypeError) as error:
            raise ValueError(f"it must be the record of a staged model, but {error!r}") from error


def model_folder(cache: Path, model: str) -> Path:
    """Where a cache has the staged copy of ORG/NAME, whether it is there or not."""
    return cache / MODELS / model.replace("/", "--")


def find_staged(cache: Path, model: str) -> tuple[StagedModel, Path] | None:
    """A staged model and the folder of its files; None where it is not staged.

    Each file must be there with its length; all but long ones must have their digest.

    Raises:
        ValueError: there is a copy, but it is not whole or was altered.
    """
    folder = model_folder(cache, model)
    if not (folder / RECORD).is_file():
        return None
    again = f"stage it again: {typed('launcher.stage', f'hub:{model}')}"
    try:
        staged = StagedModel.from_mapping(read_object(folder / RECORD))
        if staged.model != model:
            raise ValueError(f"it is of {staged.model}")
        for one in staged.files:
            _check(folder / FILES / one.name, one)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{str(folder)!r} must be a staged copy of {model}, but is not: {error}; {again}"
        ) from error
    return staged, folder / FILES


def _check(path: Path, known: StagedFile) -> None:
    if not path.is_file() or path.is_symlink():
        raise ValueError(f"{known.name} is not there")
    if (found := path.stat().st_size) != known.bytes:
        raise ValueError(f"{known.name} must have {known.bytes} bytes, but has {found}")
    if known.bytes <= _HASHED_BYTES and file_sha256(path, follow=True) != known.sha256:
        raise ValueError(f"{known.name} must have SHA-256 {known.sha256}, but has another")
