"""People: two users of the cluster beside whoever made it, each with a home and a key."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.support.signing import allow, make_key

# Accounts that every Debian has and nobody works as: none has to be made.
_ACCOUNTS = ("mail", "news", "games", "man")


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user of the cluster."""

    name: str
    """The account's name."""
    home: Path
    """A folder of theirs, which all may read and they alone write."""
    key: Path
    """Their SSH key, which they alone may read."""
    signers: Path
    """The allowed signers: everybody here, by name."""
    python: Path
    """A Python that they can run, with this project and what it needs."""

    @property
    def words(self) -> list[str]:
        """What begins a command that runs as them."""
        account = pwd.getpwnam(self.name)
        return [
            "setpriv",
            f"--reuid={account.pw_uid}",
            f"--regid={account.pw_gid}",
            "--clear-groups",
        ]

    @property
    def environment(self) -> dict[str, str]:
        """What is theirs of the environment."""
        # The checkout is another's, which git asks to be told.
        git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory"}
        mine = {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name}
        # The interpreter looks for its library where it was built, in a home that is root's.
        library = {"LD_LIBRARY_PATH": str(self.python.parents[2] / "base" / "lib")}
        return {**mine, **git, **library, "GIT_CONFIG_VALUE_0": str(REPOSITORY)}

    def can(self, *test: str) -> bool:
        """Whether `test` is true for them, such as `-w FOLDER`."""
        return not subprocess.run([*self.words, "test", *test], check=False).returncode


@contextlib.contextmanager
def open_python() -> Iterator[Path | None]:
    """A Python that any user can run; None where there is none and none can be made.

    An interpreter in root's home is bound to where others may go. Nodes have mounts of their own:
    it must be there before they start.
    """
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="jg-python-"))
    bound = folder / "base"
    try:
        folder.chmod(0o755)
        bound.mkdir()
        # Read-only: what clears temporary folders away must not reach the interpreter by it.
        mount = ["mount", "-o", "bind,ro", sys.base_prefix, str(bound)]
        if subprocess.run(mount, capture_output=True, check=False).returncode or _writable(bound):
            yield None
            return
        made = folder / "venv"
        python = bound / "bin" / f"python3.{sys.version_info.minor}"
        subprocess.run([python, "-m", "venv", "--without-pip", made], check=True)
        (site,) = made.glob("lib/python3*/site-packages")
        own = [path for path in sys.path if path.endswith("site-packages")]
        (site / "here.pth").write_text("".join(f"{path}\n" for path in [REPOSITORY, *own]))
        yield made / "bin" / "python"
    finally:
        subprocess.run(["umount", "--lazy", str(bound)], capture_output=True, check=False)
        # Never what is still bound to something else.
        if not bound.is_mount():
            shutil.rmtree(folder)


@contextlib.contextmanager
def two_people(python: Path | None) -> Iterator[tuple[Person, Person] | None]:
    """Two users with different keys; None where nobody can become another."""
    names = [name for name in _ACCOUNTS if _is_account(name)][:2]
    if python is None or len(names) < len("AB"):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="jg-people-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        signers = folder / "signers"
        people = []
        for name in names:
            home = folder / name
            home.mkdir(mode=0o755)
            key = make_key(home / "key")
            account = pwd.getpwnam(name)
            for path in (home, key, key.with_suffix(".pub")):
                os.chown(path, account.pw_uid, account.pw_gid)
            people.append(Person(name=name, home=home, key=key, signers=signers, python=python))
        allow(signers, {one.name: one.key for one in people})
        signers.chmod(0o644)
        reads = people[0].can("-r", str(REPOSITORY / "launcher" / "__main__.py"))
        yield (people[0], people[1]) if reads else None


def _writable(folder: Path) -> bool:
    return not os.statvfs(folder).f_flag & os.ST_RDONLY


def _is_account(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
