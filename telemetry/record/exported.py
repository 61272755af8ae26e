"""Exported: a sealed attempt that is a copy of another without names, and of which."""

import re
from dataclasses import dataclass
from typing import Final, Self

from telemetry.record.files import read_json
from telemetry.record.paths import AttemptPaths

EXPORT: Final = "export.json"
"""The file of an attempt that says so; it is sealed with it."""
EXPORT_SCHEMA: Final = "joulegrid.export"
EXPORT_VERSION: Final = 1
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What an exported attempt says of its original."""

    original_seal_sha256: str
    """SHA-256 of the original's seal.json: whoever has that can show that this is of it."""
    key_id: str
    """Tells exports of one key from those of another."""
    left_out: tuple[str, ...]
    """Files of the original that are not here, under their names here."""

    @classmethod
    def of(cls, attempt: AttemptPaths) -> Self | None:
        """That of an attempt; None for an original.

        Raises:
            OSError: it cannot be read.
            ValueError: it does not say of which.
        """
        path = attempt.folder / EXPORT
        if not path.exists() and not path.is_symlink():
            return None
        content = read_json(path)
        sha256 = content.get("original_seal_sha256")
        if (
            content.get("schema") != EXPORT_SCHEMA
            or not isinstance(sha256, str)
            or not _SHA256.fullmatch(sha256)
        ):
            raise ValueError(f"{path} must say of which seal it is, but does not")
        left_out = content.get("left_out")
        return cls(
            original_seal_sha256=sha256,
            key_id=str(content.get("key_id")),
            left_out=tuple(map(str, left_out)) if isinstance(left_out, list) else (),
        )
