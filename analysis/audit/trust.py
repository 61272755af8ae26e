"""Trust: what an auditor brings along, which the record's owner cannot have written."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from telemetry.command import CommandParser
from telemetry.evidence.bundle import SigstoreSigner, require_root
from telemetry.evidence.lodging_place import LodgingPlace
from telemetry.evidence.time_stamp import read_roots
from telemetry.named_paths import named_path
from telemetry.record.minisign import require_public_keys
from telemetry.record.signature import Allowed
from telemetry.record.signer import SigningError
from telemetry.record.ssh_signature import require_allowed

_ROOT: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What an auditor brings along, which the record's owner cannot have written."""

    allowed_signers: Path | None = None
    """Whose signatures count, in OpenSSH's form; None names nobody."""
    minisign_keys: Path | None = None
    """Public keys of those whose minisign signatures count, in its form; None names nobody."""
    sigstore: SigstoreSigner | None = None
    """Whose bundles of sigstore's count; None names nobody."""
    tsa_certificates: Path | None = None
    """Roots of the time stamp authorities that count, PEM; None names none."""
    lodged_root: str | None = None
    """A root that was lodged elsewhere, 64 hex digits; None for none."""
    lodged_in: tuple[LodgingPlace, ...] = ()
    """Where a root is to be looked for that was lodged."""

    @property
    def allowed(self) -> Allowed:
        """Whose keys count."""
        return Allowed(ssh_signers=self.allowed_signers, minisign_keys=self.minisign_keys)

    @property
    def names_signers(self) -> bool:
        """Whether anybody was named whose signatures count."""
        return any((self.allowed_signers, self.minisign_keys, self.sigstore))

    @property
    def of_folder(self) -> str | None:
        """The word that asks about a whole results folder, and not a run; None for none."""
        if self.lodged_root is not None:
            return "--root"
        return "--lodged" if self.lodged_in else None

    @classmethod
    def named(cls, given: argparse.Namespace) -> Self:
        """What the words of a command line name, as `add_trust` lets it be said.

        Raises:
            ValueError: there is no such file, the root is none, or what looks is not installed.
        """
        root = given.root
        if root is not None and not _ROOT.fullmatch(root):
            raise ValueError(f"`--root` must be 64 hex digits, but is {root!r} instead")
        certificates = _file("--tsa-certificate", given.tsa_certificate)
        minisign_keys = _file("--minisign-keys", given.minisign_keys)
        try:
            if certificates is not None:
                read_roots(certificates)
            if minisign_keys is not None:
                require_public_keys(minisign_keys)
            sigstore = _sigstore(given)
        except (SigningError, OSError) as error:
            raise ValueError(str(error)) from error
        return cls(
            allowed_signers=_signers(given.allowed_signers),
            minisign_keys=minisign_keys,
            sigstore=sigstore,
            tsa_certificates=certificates,
            lodged_root=root,
            lodged_in=tuple(LodgingPlace.named("--lodged", each) for each in given.lodged or ()),
        )


def add_trust(parser: CommandParser) -> None:
    """Let a command be told what an auditor brings along."""
    parser.add_argument(
        "--allowed-signers", help="file of whose signatures count (man ssh-keygen, ALLOWED SIGNERS)"
    )
    parser.add_argument(
        "--minisign-keys", help="file of public keys whose signatures count, as minisign has them"
    )
    parser.add_argument("--sigstore-identity", help="whose bundles of sigstore's count: an address")
    parser.add_argument("--sigstore-issuer", help="who must have vouched for that identity: a URL")
    parser.add_argument(
        "--sigstore-root", help="sigstore's trusted root, as a file: trusted_root.json"
    )
    parser.add_argument(
        "--tsa-certificate", help="roots of the time stamp authorities that count, PEM"
    )
    parser.add_argument("--root", help="root that was lodged elsewhere: 64 hex digits")
    parser.add_argument(
        "--lodged",
        action="append",
        metavar="PLACE",
        help="where to look for a lodged root: git, git=REPOSITORY or slurm; may stand again",
    )


def _sigstore(given: argparse.Namespace) -> SigstoreSigner | None:
    words = {
        "--sigstore-identity": given.sigstore_identity,
        "--sigstore-issuer": given.sigstore_issuer,
        "--sigstore-root": given.sigstore_root,
    }
    if not any(words.values()):
        return None
    if absent := [name for name, word in words.items() if not word]:
        raise ValueError(
            f"`{absent[0]}` must be given with the others of sigstore's three, but is not"
        )
    root = _file("--sigstore-root", given.sigstore_root)
    assert root is not None
    require_root(root)
    return SigstoreSigner(
        identity=given.sigstore_identity, issuer=given.sigstore_issuer, trusted_root=root
    )


def _signers(given: str | None) -> Path | None:
    if given is None:
        return None
    path = named_path("--allowed-signers", given, "a file")
    require_allowed("--allowed-signers", path)
    return path


def _file(name: str, given: str | None) -> Path | None:
    if given is None:
        return None
    path = named_path(name, given, "a file")
    if not path.is_file():
        raise ValueError(f"`{name}` must be a file, but {path} is not")
    return path
