"""Permissions: what the launcher and its jobs make is closed to others than owner and group."""

import os
from typing import Final

# Write for the group and all for others: what 0750 of a folder takes away.
_CLOSED: Final = 0o027


def close_to_others() -> None:
    """From now on what this process and its children make is at most 0750; a umask may take more.

    The results folder's own mode would do, until somebody opens it.
    """
    os.umask(os.umask(_CLOSED) | _CLOSED)
