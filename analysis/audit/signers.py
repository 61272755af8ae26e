"""Signers: who vouched for a seal or a root, by whom an auditor allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from analysis.audit.check import Finding, failed, passed, unseen
from analysis.audit.trust import Trust
from telemetry.evidence.bundle import check_bundle, told_of_bundle
from telemetry.record.beside import BUNDLE, signatures_beside
from telemetry.record.signature import check_signature
from telemetry.record.signer import BadSignatureError, SigningError, UnknownSignerError


@dataclass(frozen=True, kw_only=True)
class SealSigners:
    """What every signature beside a file says."""

    count: tuple[str, ...] = ()
    """Who signed of those who count."""
    unknown: tuple[str, ...] = ()
    """Of whom the auditor said nothing, and what would tell."""
    unlooked: tuple[str, ...] = ()
    """Why a signature could not be looked at."""
    strangers: tuple[str, ...] = ()
    """Who is none of those who count, though such were named."""
    faults: tuple[str, ...] = ()
    """What is no signature of the file, though it lies there as one."""

    @classmethod
    def of(cls, path: Path, data: bytes, at_us: int, trust: Trust) -> Self:
        """Who vouched for `data`, which is what `path` holds and says that it was made at."""
        count: list[str] = []
        unknown: list[str] = []
        unlooked: list[str] = []
        strangers: list[str] = []
        faults: list[str] = []
        for signature in signatures_beside(path):
            try:
                known, told = _signer(path, data, signature, at_us, trust)
            except SigningError as error:
                unlooked.append(str(error))
            except UnknownSignerError as error:
                strangers.append(str(error))
            except (BadSignatureError, OSError, ValueError) as error:
                faults.append(str(error))
            else:
                (count if known else unknown).append(told)
        return cls(
            count=tuple(count),
            unknown=tuple(unknown),
            unlooked=tuple(unlooked),
            strangers=tuple(strangers),
            faults=tuple(faults),
        )

    @property
    def told(self) -> str:
        """All of them in one line; empty where nobody signed."""
        said = [f"signed by {_listed(self.count)}"] if self.count else []
        return "; ".join([*said, *self.unknown, *self.unlooked, *self.strangers])

    def judged(self, trust: Trust) -> Finding | None:
        """What comes of them; None where there is no signature and none was asked for.

        One that counts is enough, whoever signed beside; one that is not of the file is a fault.
        """
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            return failed(f"{self.faults[0]}{more}")
        if self.count:
            return passed(self.told)
        if self.unlooked:
            return unseen(self.told)
        if trust.names_signers:
            # Whatever else lies there, such as what anybody can put there.
            return failed(self.told or "no signature, though allowed signers were named")
        return unseen(self.told) if self.unknown else None


def _signer(path: Path, data: bytes, signature: Path, at_us: int, trust: Trust) -> tuple[bool, str]:
    """Whether who signed counts, and what is to be said."""
    if signature.name.endswith(f".{BUNDLE}"):
        if trust.sigstore is None:
            return False, told_of_bundle(signature)
        return True, check_bundle(data, signature, path.name, trust.sigstore)
    signer = check_signature(data, signature, path.name, trust.allowed, at_us)
    if signer.principal is not None:
        return True, f"{signer.principal} with {signer.key}"
    if not signer.of_it:
        return False, f"signed by {signer.key}, it says; whether it is --minisign-keys tells"
    return False, f"signed by {signer.key}; whose key it is --allowed-signers tells"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
