"""Pseudonyms: a name in place of each name, by a key that is in no export.

HMAC-SHA-256 of kind and value (RFC 2104): one key gives one pseudonym in every run, campaign and
export, and nobody without it can go back or try names out. Each keeps the form that readers of the
record hold it to: a GPU's UUID stays one.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from telemetry.record.files import read_plain

# NIST SP 800-107r1, 5.3.4: a key of at least the security strength that is asked of it, 128 bits.
_LEAST_BYTES: Final = 16
_MOST_BYTES: Final = 1 << 16
# 40 bits: of a thousand names two are alike once in two million exports.
_DIGITS: Final = 10
_UUID: Final = re.compile(
    r"(?P<kind>(?:GPU|MIG)-)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I
)
_HEX: Final = re.compile(r"[0-9A-Fa-f]")


class NameKind(StrEnum):
    """What a name is of."""

    USER = "user"
    HOST = "host"
    DOMAIN = "domain"
    GPU = "gpu"
    SERIAL = "serial"
    PCI = "pci"
    CLUSTER = "cluster"
    ACCOUNT = "account"
    PARTITION = "partition"
    QOS = "qos"
    JOB = "job"
    JOB_NAME = "job name"
    ADDRESS = "address"
    PATH = "path"
    NUMBER = "number"
    WORD = "word"


_LETTERS: Final = {
    **{NameKind.USER: "user", NameKind.HOST: "host", NameKind.DOMAIN: "dom"},
    **{NameKind.CLUSTER: "clu", NameKind.ACCOUNT: "acc", NameKind.PARTITION: "part"},
    **{NameKind.QOS: "qos", NameKind.JOB_NAME: "name", NameKind.ADDRESS: "addr"},
    **{NameKind.PATH: "p", NameKind.WORD: "w"},
}


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """What stands for each name, by one key."""

    key: bytes
    """The key; it is never written."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Those of a key's file, all of its bytes.

        Raises:
            OSError: it cannot be read.
            ValueError: it is shorter than a key may be.
        """
        key = read_plain(path, most_bytes=_MOST_BYTES)
        if len(key) < _LEAST_BYTES:
            raise ValueError(
                f"`--key` must be a file of at least {_LEAST_BYTES} bytes, "
                f"but {path} has {len(key)} instead"
            )
        return cls(key)

    @property
    def key_id(self) -> str:
        """What tells exports of one key from those of another, and nothing of the key."""
        return self._digest("key", "id")[:16]

    def of(self, kind: NameKind, value: str) -> str:
        """The pseudonym of a name."""
        digest = self._digest(kind.value, value)
        if kind in (NameKind.GPU, NameKind.PCI) or _UUID.fullmatch(value):
            return self._alike(value, digest)
        if kind in (NameKind.JOB, NameKind.NUMBER, NameKind.SERIAL):
            number = int(digest, 16) % (9 * 10**8) + 10**8
            # As long as it was where it is long enough to be told apart.
            return str(number) + "0" * max(0, len(value) - 9) if value.isdecimal() else f"s{number}"
        return f"{_LETTERS[kind]}{digest[:_DIGITS]}"

    @staticmethod
    def _alike(value: str, digest: str) -> str:
        """Hexadecimal digits for those of the value, and its other characters as they are."""
        match = _UUID.fullmatch(value)
        head = match["kind"] if match else ""
        digits = iter(digest)
        return head + _HEX.sub(lambda _: next(digits, "0"), value[len(head) :])

    def _digest(self, kind: str, value: str) -> str:
        return hmac.new(self.key, f"{kind}\0{value}".encode(), hashlib.sha256).hexdigest()
