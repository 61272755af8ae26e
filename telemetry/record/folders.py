"""Folders: one takes the place of another at once, or as nearly so as the file system can."""

import ctypes
import errno
import os
from pathlib import Path
from typing import Final

# linux/fcntl.h and linux/fs.h: a relative path starts from the working folder, and two names swap
# what they stand for.
_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 1 << 1
# NFS and others cannot swap names (EINVAL), nor can an old kernel (ENOSYS).
_CANNOT: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


def require_no_link(folder: Path) -> None:
    """Refuse to write through a link in the place of a folder: a foreign one leads anywhere.

    Raises:
        OSError: it is one.
    """
    if folder.is_symlink():
        raise OSError(errno.ELOOP, "a link is in the place of a folder", str(folder))


def replace_folder(fresh: Path, target: Path) -> Path | None:
    """Put the folder `fresh` in the place of `target`; what stood there, to be removed, or None.

    Names are swapped in one step, so that a reader finds the old folder or the new one and a kill
    loses neither. Where the file system cannot, the old one steps aside first: a reader may find
    none for a moment, and a kill in it leaves both folders beside the place.

    Raises:
        OSError: a folder is missing or the disk does not take it; both are then as they were.
    """
    if not target.exists():
        fresh.rename(target)
        return None
    if _exchange(fresh, target):
        return fresh
    stale = target.with_name(f".{target.name}.{os.getpid()}.old")
    target.rename(stale)
    try:
        fresh.rename(target)
    except OSError:
        stale.rename(target)
        raise
    return stale


def _exchange(one: Path, other: Path) -> bool:
    """Swap what two names stand for; False where the system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    # glibc has had it since 2.28, musl has it not.
    if not hasattr(library, "renameat2"):
        return False
    names = os.fsencode(one), os.fsencode(other)
    if library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(one), None, str(other))
