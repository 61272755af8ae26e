"""Evidence: which kinds of evidence a record stands on, and what each rules out, in a paragraph.

A check tells whether one thing holds. What that is worth, and what it is not, is told here once
for all: `docs/evidence.md` has the table in full.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from analysis.audit.check import Finding, Outcome
from telemetry.terminal import printable

# A check that failed or could not be looked at is not made good by another of its kind.
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.UNSEEN, Outcome.PASSED)


class Told(Protocol):
    """A check's line over all runs, as `analysis.audit.run` has it."""

    @property
    def name(self) -> str:
        """The check's short name."""
        ...

    @property
    def outcome(self) -> Outcome:
        """The worst that came of any run."""
        ...

    @property
    def evidence(self) -> str:
        """What was seen, in one line."""
        ...

    @property
    def worst(self) -> tuple[str, Finding]:
        """The run, and what was seen of it, that stands for all."""
        ...

    def counts(self) -> dict[Outcome, int]:
        """Of how many runs each outcome came."""
        ...


@dataclass(frozen=True, kw_only=True)
class EvidenceKind:
    """A kind of evidence, and what it is worth where it stands."""

    name: str
    """Short name, stable: it stands in audit.json."""
    title: str
    """What it is called in a sentence."""
    checks: tuple[str, ...]
    """Names of the checks that decide on it."""
    rules_out: str
    """What cannot have happened where it stands."""
    leaves: str
    """What still can."""
    is_told: bool = False
    """Whether it is worth little without who, where or when: those are told along."""


KINDS: Final = (
    EvidenceKind(
        name="seal",
        title="the seal",
        checks=("seal",),
        rules_out="a slip, a broken disk and a change by somebody without the code",
        leaves="the folder's owner, who can seal again",
    ),
    EvidenceKind(
        name="chain",
        title="the chain of closed parts",
        checks=("chain",),
        rules_out="a part changed, taken out or put in by one who leaves the links as they are",
        leaves="one who makes all links after it again",
    ),
    EvidenceKind(
        name="link-keys",
        title="the watchers' signed links",
        checks=("link-keys",),
        rules_out="links that were made after the end under a key of the run",
        leaves="one who makes a node's links again from the first, under a new key",
    ),
    EvidenceKind(
        name="countersigned",
        title="the other nodes' countersigning",
        checks=("countersigned",),
        rules_out="a node's parts written anew without those of every other node",
        leaves="one who holds all nodes' folders",
    ),
    EvidenceKind(
        name="signature",
        title="the signature",
        checks=("signature",),
        rules_out="everybody but the key's holder",
        leaves="the key's holder, at any time",
        is_told=True,
    ),
    EvidenceKind(
        name="root",
        title="the lodged root",
        checks=("lodged",),
        rules_out="a run changed or taken away since the root was lodged, by anybody",
        leaves="what was done before",
        is_told=True,
    ),
    EvidenceKind(
        name="time-stamp",
        title="the time stamp",
        checks=("seal-stamp", "root-stamp"),
        rules_out="a seal made after that time, by anybody but the authority",
        leaves="what was done before, and who did it",
        is_told=True,
    ),
)
"""Every kind, from what anybody can make again to what nobody can."""


# A paragraph is read; each check's own line has its evidence whole.
_MOST_CHARS: Final = 160


@dataclass(frozen=True, kw_only=True)
class EvidenceStanding:
    """How a kind of evidence stands in one record."""

    kind: EvidenceKind
    """Which kind."""
    outcome: Outcome
    """Passed where it stands, failed where it is broken, not applicable where there is none."""
    told: str
    """What the checks that decide on it saw, in one line."""
    short: str = ""
    """The same of one run that stands for all."""

    def to_mapping(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "name": self.kind.name,
            "outcome": self.outcome.value,
            "told": self.told,
            "rules_out": self.kind.rules_out if self.outcome is Outcome.PASSED else None,
            "leaves": self.kind.leaves,
        }


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a record stands on."""

    standings: tuple[EvidenceStanding, ...]
    """Each kind that was asked about, in the order of `KINDS`."""
    consistent: bool
    """Whether no check of the audit failed, of whatever kind."""

    @classmethod
    def of(cls, lines: Sequence[Told]) -> Self:
        """What an audit's lines say of it; a kind of which no check was asked is left out."""
        by_name = {line.name: line for line in lines}
        found = [_standing(kind, by_name) for kind in KINDS]
        return cls(
            standings=tuple(one for one in found if one is not None),
            consistent=all(line.outcome is not Outcome.FAILED for line in lines),
        )

    @property
    def verdict(self) -> str:
        """What may be said of record and author, in some words."""
        if not self.consistent:
            return "not consistent, as checks failed"
        outcome = self._outcome("signature")
        if outcome is Outcome.PASSED:
            author = "author known"
        elif outcome is Outcome.UNSEEN:
            author = "signed, but by whom is not known here"
        else:
            author = "author unknown"
        return f"consistent, {author}"

    @property
    def paragraph(self) -> str:
        """The verdict, what stands and what each rules out, and what does not stand."""
        said = [f"Evidence: {self.verdict}."]
        stands = self._those(Outcome.PASSED)
        if stands:
            told = "; ".join(_told(one) for one in stands)
            said.append(f"It stands on {told}. That leaves {stands[-1].kind.leaves}.")
        said += [
            f"Broken: {one.kind.title} ({_cut(one.told)})." for one in self._those(Outcome.FAILED)
        ]
        said += [
            f"Not known to stand: {one.kind.title} ({_cut(one.told)})."
            for one in self._those(Outcome.UNSEEN)
        ]
        if lacking := self._those(Outcome.SKIPPED):
            said.append(f"Lacking: {', '.join(one.kind.title for one in lacking)}.")
        return " ".join(said)

    def to_mapping(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "verdict": self.verdict,
            "paragraph": self.paragraph,
            "kinds": [one.to_mapping() for one in self.standings],
        }

    def _those(self, outcome: Outcome) -> list[EvidenceStanding]:
        return [one for one in self.standings if one.outcome is outcome]

    def _outcome(self, name: str) -> Outcome | None:
        return next((one.outcome for one in self.standings if one.kind.name == name), None)


def _cut(told: str) -> str:
    return told if len(told) <= _MOST_CHARS else f"{told[: _MOST_CHARS - 1]}…"


def _told(one: EvidenceStanding) -> str:
    more = f" ({_cut(one.short)})" if one.kind.is_told else ""
    return f"{one.kind.title}{more}, which rules out {one.kind.rules_out}"


def _standing(kind: EvidenceKind, lines: Mapping[str, Told]) -> EvidenceStanding | None:
    asked = [lines[name] for name in kind.checks if name in lines]
    if not asked:
        return None
    outcomes = {line.outcome for line in asked}
    outcome = next((one for one in _WORST_FIRST if one in outcomes), Outcome.SKIPPED)
    deciding = [line for line in asked if line.outcome is outcome]
    if outcome is Outcome.PASSED and all(_partly(line) for line in deciding):
        # What stands of some runs is no evidence for the others.
        outcome = Outcome.UNSEEN
    return EvidenceStanding(
        kind=kind,
        outcome=outcome,
        told=printable("; ".join(line.evidence for line in deciding)),
        short=printable("; ".join(line.worst[1].evidence for line in deciding)),
    )


def _partly(line: Told) -> bool:
    return bool(line.counts()[Outcome.SKIPPED])
