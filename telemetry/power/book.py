"""Book: what GPUs of this node were set to before a run changed them, on disk before the change.

One file a GPU in a folder of this user alone, on the node's own disk: whoever comes next, the
watcher that follows one that died, the next job or somebody by hand, puts back what it says. A lock
that the system lets go with its process tells whether a run still wants the values.
"""

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from telemetry.power.record import Knob
from telemetry.record.files import read_json, write_json
from telemetry.record.validation import is_host_name, require_number, require_whole

VERSION: Final = 1
"""Of an entry's form."""
FOLDER: Final = "JOULEGRID_POWER_BOOK"
"""Environment variable with the folder, for nodes whose /var/tmp is not their own."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
# NVML names GPUs so; nothing else becomes a file's name.
_UUID: Final = re.compile(r"GPU-[0-9a-fA-F-]{8,64}")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MOST: Final = 100_000.0
SAME: Final = 0.0005
"""A limit is kept in whole milliwatts, and a float of watts is one of them to this."""


class HeldError(RuntimeError):
    """A run that is at work has set this GPU."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What one GPU was set to before, and for whom it was changed."""

    uuid: str
    """NVML's name of the board."""
    boot_id: str
    """The kernel's: a card of an earlier boot has forgotten what it was set to."""
    attempt: str
    """Folder of the attempt that asked."""
    host: str
    """The node's name in that attempt's record."""
    t_us: int
    """When it was written, wall clock."""
    before: Mapping[Knob, float | None]
    """By quantity what was there; None for a lock, of which no driver tells: it is taken off."""
    asked: Mapping[Knob, float]
    """By quantity what it was set to."""
    values: Mapping[Knob, tuple[float | None, ...]] | None = None
    """By quantity all that the run sets it to over its phases; None where an earlier release wrote
    the entry, which did not tell."""
    folder: int | None = None
    """The number of the attempt's folder (its inode): another one under its name is not it. None
    where an earlier release wrote the entry, or there was none."""
    dcgm_address: str | None = None
    """The engine by whose configuration it was set, and is to be put back; None: by the driver."""
    dcgm_bindings: str | None = None
    """Folder of that engine's bindings; None takes the one that a package installed."""

    def __post_init__(self) -> None:
        if not _UUID.fullmatch(self.uuid):
            raise ValueError(f"`uuid` must be a GPU's, but is {self.uuid!r} instead")
        require_whole("t_us", self.t_us, 0)
        require_whole("folder", self.folder, 0, null_allowed=True)
        # A record is written by them: from a file that somebody else may have had a hand in.
        if not isinstance(self.attempt, str) or not self.attempt.startswith("/"):
            raise ValueError(f"`attempt` must be a whole path, but is {self.attempt!r} instead")
        if not is_host_name(self.host):
            raise ValueError(f"`host` must be a node's name, but is {self.host!r} instead")
        every = [("before", name, value) for name, value in self.before.items()]
        every += [("asked", name, value) for name, value in self.asked.items()]
        every += [
            ("values", name, value) for name, own in (self.values or {}).items() for value in own
        ]
        for what, name, value in every:
            if value is not None:
                require_number(f"{what}.{name}", value, low=0.0, low_allowed=False, high=_MOST)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Self:
        """An entry from its JSON form.

        Raises:
            ValueError: it is no entry.
        """
        values = dict(content)
        if (version := values.pop("version", None)) != VERSION:
            raise ValueError(f"`version` must be {VERSION}, but is {version!r} instead")
        try:
            for what in ("before", "asked"):
                values[what] = {Knob(name): one for name, one in values[what].items()}
            if values.get("values") is not None:
                own = values["values"].items()
                values["values"] = {Knob(name): tuple(one) for name, one in own}
            return cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"an entry must be whole, but is not: {error!r}") from error

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values = None if self.values is None else {one: [*own] for one, own in self.values.items()}
        told |= {"before": dict(self.before), "asked": dict(self.asked), "values": values}
        return {"version": VERSION, **told}

    def foreign(self, name: Knob, stands: float | None) -> str | None:
        """Whose a value is that a quantity stands at, where neither the run set it nor found it.

        None where it is the run's own or the one of before, and where nobody can tell: of a lock,
        of which no driver tells, and of an entry that does not say all that was set.
        """
        if stands is None or self.values is None or name not in self.values:
            return None
        before = self.before.get(name)
        known = sorted({one for one in (before, *self.values[name]) if one is not None})
        if any(abs(one - stands) <= SAME for one in known):
            return None
        return (
            f"`{name}` stands at {stands:g} and was neither found nor set so by this run "
            f"({', '.join(f'{one:g}' for one in known)}): it is somebody else's, and is left"
        )

    @property
    def forgotten(self) -> bool:
        """True where the node was started anew since: the card has its default again."""
        return self.boot_id != boot_id()


class Book:
    """The entries of this node and user.

    Raises:
        RuntimeError: the folder cannot be made, or is not this user's alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _folder()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = self.folder.lstat()
        except OSError as error:
            raise RuntimeError(
                f"old values must be remembered in {self.folder}, but: {error.strerror}"
            ) from error
        # Anybody may make a folder in /var/tmp under a name that can be guessed.
        mine = stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid()
        if not mine or about.st_mode & _OTHERS:
            raise RuntimeError(
                f"{self.folder} must be a folder of this user alone, but is not: old values are "
                f"remembered there; {FOLDER} names another"
            )

    @contextlib.contextmanager
    def hold(self, uuid: str) -> Iterator[None]:
        """Within it this process alone may change the GPU; the lock goes with the process.

        Raises:
            HeldError: another run has it.
            RuntimeError: the lock cannot be made.
        """
        path = self._path(uuid, "lock")
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RuntimeError(
                f"{path} must be written before a GPU is set, but: {error.strerror}"
            ) from error
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(number)
            entry = self.find(uuid)
            by = f" by the run in {entry.attempt}" if entry else " by another run"
            raise HeldError(f"{uuid} is held{by}: its settings are wanted now") from None
        try:
            yield
        finally:
            os.close(number)

    def remember(self, entry: Entry) -> None:
        """Have an entry on the disk, name and all, before this returns.

        Raises:
            RuntimeError: it cannot be written: nothing may be set then.
        """
        path = self._path(entry.uuid, "json")
        try:
            write_json(path, entry.to_mapping())
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise RuntimeError(
                f"the old values of {entry.uuid} must be remembered before it is set, but {path} "
                f"cannot be written: {error.strerror}"
            ) from error

    def find(self, uuid: str) -> Entry | None:
        """What is remembered of a GPU; None where nothing is.

        Raises:
            RuntimeError: what is there is no entry.
        """
        path = self._path(uuid, "json")
        try:
            return Entry.from_mapping(read_json(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RuntimeError(
                f"{path} must tell what {uuid} was set to before, but does not: {error}; set the "
                "GPU by hand, then remove the file"
            ) from error

    def forget(self, uuid: str) -> None:
        """Drop an entry: its values stand again, or the card has forgotten them."""
        self._path(uuid, "json").unlink(missing_ok=True)

    def uuids(self) -> tuple[str, ...]:
        """GPUs of which something is remembered."""
        return _uuids(self.folder)

    def _path(self, uuid: str, ending: str) -> Path:
        if not _UUID.fullmatch(uuid):
            raise RuntimeError(f"`uuid` must be a GPU's, but is {uuid!r} instead")
        return self.folder / f"{uuid}.{ending}"


def remembered() -> tuple[str, ...]:
    """GPUs of which this user's book of this node remembers something; a book is none made."""
    return _uuids(_folder())


def _folder() -> Path:
    named = os.environ.get(FOLDER)
    return Path(named) if named else Path(f"/var/tmp/joulegrid-power-{os.getuid()}")  # noqa: S108


def _uuids(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("GPU-*.json")))


def boot_id() -> str:
    """The kernel's name of this boot."""
    return _BOOT.read_text().strip()
