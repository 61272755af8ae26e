"""Lodging place: where a root is put that the results folder's owner cannot edit afterwards."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from telemetry.named_paths import named_path


class Keeper(StrEnum):
    """Who keeps it."""

    GIT = "git"
    SLURM = "slurm"


@dataclass(frozen=True, kw_only=True)
class LodgingPlace:
    """Where, as somebody typed it."""

    keeper: Keeper
    """Who keeps it."""
    repository: Path | None = None
    """Of git: a folder of the repository; None for another keeper."""

    @classmethod
    def named(cls, name: str, given: str) -> Self:
        """The place that a word names: `git`, which is this folder's, `git=REPOSITORY`, `slurm`.

        Raises:
            ValueError: it is none, or there is no such folder.
        """
        keeper, _, repository = given.partition("=")
        if keeper == Keeper.SLURM and given == keeper:
            return cls(keeper=Keeper.SLURM)
        if keeper != Keeper.GIT or given == f"{Keeper.GIT}=":
            raise ValueError(
                f"`{name}` must be git, git=REPOSITORY or slurm, but is {given!r} instead"
            )
        path = named_path(name, repository or ".", "a repository's folder")
        if not path.is_dir():
            raise ValueError(f"`{name}` must be a repository's folder, but {path} is not")
        return cls(keeper=Keeper.GIT, repository=path)

    def __str__(self) -> str:
        return self.keeper if self.repository is None else f"{self.keeper}={self.repository}"
