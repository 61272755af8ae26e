"""Beside: what lies beside a file that somebody vouched for, and is no part of what it vouches for.

A seal or a root may have several signatures: the user's and the center's. The first has no name,
each further one has: `seal.json.sig`, `seal.json.center.sig`.
"""

import re
from pathlib import Path
from typing import Final

SSH: Final = "sig"
"""Ending of an OpenSSH signature, as ssh-keygen has it."""
MINISIGN: Final = "minisig"
"""Ending of a minisign signature, as that program has it."""
BUNDLE: Final = "sigstore.json"
"""Ending of a sigstore bundle, as its own tools have it."""
STAMP: Final = "tsr"
"""Ending of a time stamp authority's answer, as `openssl ts` has it."""
QUERY: Final = "tsq"
"""Ending of what such an authority is asked."""
# Lower case of ASCII: no two such names are one on a disk that folds case, or look alike.
_NAME: Final = r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
_SIGNATURE: Final = re.compile(rf"(?:\.{_NAME})?\.(?:{SSH}|{MINISIGN})|\.{re.escape(BUNDLE)}")
# A user, a center, an auditor, each by several keys; each is looked at by a program.
_MOST_SIGNATURES: Final = 32
_ALL: Final = re.compile(rf"{_SIGNATURE.pattern}|\.(?:{STAMP}|{QUERY})")


def signer_name(given: str | None) -> str | None:
    """The name of a further signer of a file; None for the first.

    Raises:
        ValueError: it cannot be part of a file's name everywhere.
    """
    if given is not None and not re.fullmatch(_NAME, given):
        raise ValueError(
            "`--as` must be 1 to 32 of a-z, 0-9 and -, which neither begins nor ends it, "
            f"but is {given!r} instead"
        )
    return given


def beside(signed: Path, ending: str, name: str | None = None) -> Path:
    """Where what has that ending lies beside a file; `name` is a further signer's."""
    between = "" if name is None else f".{name}"
    return signed.with_name(f"{signed.name}{between}.{ending}")


def signature_of(signed: Path) -> Path:
    """Where the first SSH signature of a file lies: beside it, as ssh-keygen has it."""
    return beside(signed, SSH)


def signatures_beside(signed: Path) -> list[Path]:
    """Every signature of a file, of whatever kind, by name.

    A link that leads nowhere is among them: a signature that somebody took away.

    Raises:
        OSError: their folder cannot be read.
        ValueError: there are more than anybody has signers.
    """
    found = _those(signed, _SIGNATURE)
    if len(found) > _MOST_SIGNATURES:
        raise ValueError(
            f"{signed.name} must have at most {_MOST_SIGNATURES} signatures beside it, "
            f"but has {len(found)} instead"
        )
    return found


def is_beside(signed: Path, path: Path) -> bool:
    """Whether `path` is a signature, a bundle, a time stamp or its query of `signed`."""
    return path.parent == signed.parent and _matches(signed, path, _ALL)


def _those(signed: Path, which: "re.Pattern[str]") -> list[Path]:
    return sorted(path for path in signed.parent.iterdir() if _matches(signed, path, which))


def _matches(signed: Path, path: Path, which: "re.Pattern[str]") -> bool:
    ending = path.name.removeprefix(signed.name)
    return ending != path.name and which.fullmatch(ending) is not None
