"""Signers: who answers for a side's seals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from analysis.compare.sides import Member
from telemetry.record.files import read_json, read_plain
from telemetry.record.limits import JSON_BYTES
from telemetry.record.signature import Allowed, key_signatures, signers_of
from telemetry.record.signer import SigningError


@dataclass(frozen=True, kw_only=True)
class Signers:
    """Who signed how many of a side's runs."""

    runs: Mapping[str, int]
    """Signed runs by who signed them: a name among the allowed signers, else the key."""
    keys: frozenset[str]
    """The keys that signed."""
    unsigned: int
    """Runs without a signature: their author is unknown."""
    faults: tuple[str, ...]
    """Signatures that are not their seal's or of nobody who is allowed; where allowed signers were
    named, also a signature that is missing."""
    unseen: str | None
    """Why signatures could not be looked at; None where they could."""

    @classmethod
    def of(cls, members: Sequence[Member], allowed: Path | None) -> Self:
        """The signers of these runs, held against a file of allowed ones where one is named."""
        runs: Counter[str] = Counter()
        keys: set[str] = set()
        faults: list[str] = []
        unsigned, unseen = 0, None
        for member in members:
            seal, run_id = member.run.attempt.seal, member.run.run_id
            if not key_signatures(seal):
                unsigned += 1
                if allowed is not None:
                    faults.append(f"{run_id} is not signed")
                continue
            try:
                at_us = int(read_json(seal)["sealed_us"])
                data = read_plain(seal, most_bytes=JSON_BYTES.most)
                own = Allowed(ssh_signers=allowed)
                signer, *_ = signers_of(seal, data, own, at_us)
            except SigningError as error:
                unseen = str(error)
            except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
                faults.append(f"{run_id}: {error}")
            else:
                runs[signer.principal or signer.key] += 1
                keys.add(signer.key)
        return cls(
            runs=dict(runs),
            keys=frozenset(keys),
            unsigned=unsigned,
            faults=tuple(faults),
            unseen=unseen,
        )

    @property
    def told(self) -> str:
        """Who signed, in words."""
        if self.unseen is not None:
            return f"could not be looked at: {self.unseen}"
        parts = [f"{who} ({count})" for who, count in sorted(self.runs.items())]
        if self.unsigned:
            parts.append(f"nobody ({self.unsigned}): author unknown")
        if self.faults:
            parts.append(f"not as they should be: {len(self.faults)}")
        return ", ".join(parts) or "nobody"

    def to_mapping(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "runs": dict(self.runs),
            "keys": sorted(self.keys),
            "unsigned": self.unsigned,
            "faults": list(self.faults),
            "unseen": self.unseen,
        }
