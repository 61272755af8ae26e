"""Trust: what an auditor brings along, which the record's owner cannot have written."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from telemetry.named_paths import named_path

_ROOT: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What an auditor brings along, which the record's owner cannot have written."""

    allowed_signers: Path | None = None
    """Whose signatures count, in OpenSSH's form; None asks for none."""
    lodged_root: str | None = None
    """A root that was lodged elsewhere, 64 hex digits; None for none."""

    @classmethod
    def named(cls, allowed_signers: str | None, root: str | None) -> Self:
        """What the words of a command line name.

        Raises:
            ValueError: there is no such file, or the root is none.
        """
        signers = None
        if allowed_signers is not None:
            signers = named_path("--allowed-signers", allowed_signers)
        if signers is not None and not signers.is_file():
            raise ValueError(f"`--allowed-signers` must be a file, but {signers} is not")
        if root is not None and not _ROOT.fullmatch(root):
            raise ValueError(f"`--root` must be 64 hex digits, but is {root!r} instead")
        return cls(allowed_signers=signers, lodged_root=root)
