"""Disk: can a folder's file system take one file more?"""

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_FAULTS: Final[Mapping[int, str]] = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "is over its quota",
    errno.EROFS: "is read-only",
    errno.EIO: "has a disk that fails",
    errno.ESTALE: "is gone from its file server",
}
# A block of ext4, XFS and tmpfs: what is smaller may fit into an inode and prove nothing.
_PROBE_BYTES: Final = 4096


def disk_trouble(error: OSError) -> str | None:
    """What is wrong with the disk that an error tells of; None when it tells of something else."""
    fault = _FAULTS.get(error.errno or 0)
    return None if fault is None else f"{fault} ({os.strerror(error.errno or 0)})"


def disk_fault(folder: Path) -> str | None:
    """Why the file system of a folder takes no more, in a few words; None when it does.

    A nameless file is written and gone. What this user may not write is no fault of the disk.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            # A file server tells only now.
            os.fsync(probe.fileno())
    except OSError as error:
        return disk_trouble(error)
    return None
