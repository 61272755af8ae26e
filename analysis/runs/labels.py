"""Labels: what a reader of any number of a run has to know of the run first.

Each is decided from the record by something that can contradict it. What the record does not tell
has a label of its own, in a small letter: silence would read as a pass.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self

from analysis.runs.sealed_runs import DAMAGED, NotCounted, Run
from telemetry.boards.table import board_of
from telemetry.record.files import file_sha256
from telemetry.record.schema import EndState
from telemetry.record.seal import SEALED

# Weights that nobody trained, as a spec has them.
_RANDOM: Final = "random"
PAPER_BOARDS: Final = ("v100", "a100")
"""Kinds of GPU that arXiv 2310.03003 measured: V100 of 32 GB and A100 of 80 GB."""
# Before the kind of a modelled board, as a spec has it.
_SIMULATED: Final = "simulated-"
# Before the name of a modelled board, as the simulated source has it.
_MODELLED: Final = "SIMULATED "
# Between two words in a cell; no word has it.
_BETWEEN: Final = ", "
# Ends of an attempt that nobody wanted; one that somebody stopped is unsealed alone.
_FAILURES: Final = (EndState.FAILED, EndState.TIMEOUT, EndState.LOST)


class Label(Enum):
    """One honest label: its mark in figures and tables, its word, and what it means."""

    SIMULATED = (
        "S",
        "simulated",
        "Its GPUs are a stated power model driven by work on CPU: no measurement.",
    )
    RANDOM_WEIGHTS = (
        "W",
        "random weights",
        "Nobody trained the weights: the answers are noise.",
    )
    PARTIAL = (
        "P",
        "partial",
        "The merge found parts damaged or missing, or readings that no sensor can mean.",
    )
    NOT_ATTRIBUTABLE = (
        "A",
        "not attributable",
        "Spans of a phase are too short for the sensor: its energy is not told apart.",
    )
    THROTTLED = (
        "T",
        "throttled",
        "In more than 1 % of a GPU's readings in the window something that nobody asked for held "
        "its clock down: heat, a power brake, another GPU, or the board's own power limit where "
        "no cap was set.",
    )
    CAP_NEVER_BOUND = (
        "C",
        "cap never bound",
        "A power cap was asked for, but a GPU's limit in force was another, or no reading of its "
        "power in the window came within 2 % of the cap.",
    )
    CLOCK_NOT_HELD = (
        "K",
        "clock not held",
        "A clock lock was asked for, but in more than 1 % of a GPU's readings in the window its "
        "clock was more than one step of 15 MHz away from it.",
    )
    OTHER_BOARD = (
        "B",
        "another board than the paper's",
        "A GPU is neither the V100 nor the A100 of 80 GB that arXiv 2310.03003 measured.",
    )
    DIRTY_TREE = (
        "D",
        "dirty tree",
        "The code that ran had changes that no commit holds.",
    )
    FAILED = ("F", "failed", "The attempt ended in a failure: it is in no other number.")
    UNSEALED = ("U", "unsealed", "The attempt was not sealed: it is in no other number.")
    NOT_AS_SEALED = (
        "X",
        "not as sealed",
        "A file was changed, lost or added since the seal, or cannot be read: it is in no other "
        "number.",
    )
    THROTTLING_UNKNOWN = (
        "t",
        "throttling not recorded",
        "What held the clocks down was not read on every GPU through the window.",
    )
    CAP_UNKNOWN = (
        "c",
        "cap not checked",
        "A power cap was asked for, and neither the limit in force nor the power was read on "
        "every GPU in the window.",
    )
    CLOCK_UNKNOWN = (
        "k",
        "clock not checked",
        "A clock lock was asked for, and the clock was not read on every GPU through the window.",
    )
    COMMIT_UNKNOWN = (
        "d",
        "commit not recorded",
        "Which code ran is not on record.",
    )

    def __init__(self, mark: str, word: str, meaning: str) -> None:
        self.mark = mark
        self.word = word
        self.meaning = meaning

    @property
    def legend(self) -> str:
        """Mark and word, as a legend has them."""
        return f"{self.mark} {self.word}"


def in_order(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Each of them once, in the enumeration's order: the union of several runs' labels."""
    found = set(labels)
    return tuple(label for label in Label if label in found)


def words_of(labels: Iterable[Label]) -> str | None:
    """What a table's cell says of them; None for none."""
    return _BETWEEN.join(label.word for label in in_order(labels)) or None


def marks_of(labels: Iterable[Label]) -> str:
    """Their marks, as a listing has them; empty for none."""
    return "".join(label.mark for label in in_order(labels))


def of_words(*cells: object) -> tuple[Label, ...]:
    """The labels that cells of words say, all of them together; a word that is none is left out."""
    words = {word for cell in cells if isinstance(cell, str) for word in cell.split(_BETWEEN)}
    return tuple(label for label in Label if label.word in words)


def legend_of(labels: Iterable[Label]) -> str:
    """One line that says what the marks stand for; empty for none."""
    return _BETWEEN.join(label.legend for label in in_order(labels))


@dataclass(frozen=True, kw_only=True)
class RunLabels:
    """What travels with every table and trace of a run."""

    attempt: int
    """Number of the sealed attempt."""
    seal_sha256: str
    """SHA-256 of seal.json, which holds that of every other file: equal for equal records."""
    simulated: bool
    """True when its GPUs are a stated power model driven by work on CPU: no measurement."""
    random_weights: bool
    """True when nobody trained the weights: the answers are noise."""
    changed_code: bool | None
    """True when the code had changes that no commit holds; None when no commit is on record."""
    partial_record: bool
    """True when the merge found parts damaged or missing, or readings that no sensor can mean."""
    labels: Sequence[str] | None = None
    """Words of all its labels; None when its readings were not looked at."""

    @classmethod
    def of(cls, run: Run, labels: Iterable[Label] | None = None) -> Self:
        """The labels of a sealed run; `labels` are all of them, once its readings were looked at.

        Raises:
            OSError: its seal cannot be read.
        """
        return cls(
            attempt=run.attempt.number,
            seal_sha256=file_sha256(run.attempt.seal),
            simulated=run.simulated,
            random_weights=random_weights(run),
            changed_code=changed_code(run),
            partial_record=partial_record(run),
            labels=None if labels is None else [label.word for label in in_order(labels)],
        )

    def to_mapping(self) -> dict[str, Any]:
        """Their JSON form."""
        return dict(vars(self))


def recorded_labels(run: Run) -> tuple[Label, ...]:
    """The labels of a run that need none of its readings."""
    return labels_on_record(run.spec.to_mapping(), run.provenance, run.manifest)


def labels_on_record(
    spec: Mapping[str, Any], provenance: Mapping[str, Any], manifest: Mapping[str, Any]
) -> tuple[Label, ...]:
    """The same of what three files of an attempt say; an attempt without a manifest gives none."""
    found: list[Label] = []
    gpu = str(spec.get("gpu"))
    if gpu.startswith(_SIMULATED) or manifest.get("simulated"):
        found.append(Label.SIMULATED)
    if spec.get("weights") == _RANDOM:
        found.append(Label.RANDOM_WEIGHTS)
    if _partial(manifest):
        found.append(Label.PARTIAL)
    kinds = (gpu.removeprefix(_SIMULATED), *_board_kinds(manifest))
    if any(kind not in PAPER_BOARDS for kind in kinds):
        found.append(Label.OTHER_BOARD)
    changed = _changed(provenance)
    if changed is not False:
        found.append(Label.COMMIT_UNKNOWN if changed is None else Label.DIRTY_TREE)
    return in_order(found)


def labels_of_other(other: NotCounted) -> tuple[Label, ...]:
    """The labels of what is in no number."""
    if other.state in DAMAGED:
        return (Label.NOT_AS_SEALED,)
    return labels_of_state(other.state)


def labels_of_state(state: str) -> tuple[Label, ...]:
    """The labels of an attempt by how far it came; none of a sealed one."""
    if state == SEALED:
        return ()
    return (Label.FAILED, Label.UNSEALED) if state in _FAILURES else (Label.UNSEALED,)


def random_weights(run: Run) -> bool:
    """Whether nobody trained the weights."""
    return run.spec.weights == _RANDOM


def changed_code(run: Run) -> bool | None:
    """Whether the code that ran had changes that no commit holds; None: no commit on record."""
    return _changed(run.provenance)


def partial_record(run: Run) -> bool:
    """Whether the merge found parts damaged or missing, or readings that no sensor can mean."""
    return _partial(run.manifest)


def _changed(provenance: Mapping[str, Any]) -> bool | None:
    git = provenance.get("git")
    if not isinstance(git, Mapping):
        return None
    if git.get("dirty") or git.get("changes"):
        return True
    return None if git.get("commit") is None else False


def _partial(manifest: Mapping[str, Any]) -> bool:
    parts = manifest.get("parts")
    parts = parts if isinstance(parts, list) else []
    damaged = any(isinstance(part, Mapping) and part.get("damage") for part in parts)
    return damaged or bool(manifest.get("missing")) or bool(manifest.get("impossible"))


def _board_kinds(manifest: Mapping[str, Any]) -> Iterator[str]:
    """The kinds of GPU that the sources found."""
    hosts = manifest.get("hosts")
    for host in hosts.values() if isinstance(hosts, Mapping) else ():
        gpus = host.get("gpus") if isinstance(host, Mapping) else None
        for gpu in gpus if isinstance(gpus, list) else ():
            if not isinstance(gpu, Mapping):
                continue
            # The driver's own name of the board stands before the word that was made of it.
            board = board_of(str(gpu.get("name") or "").removeprefix(_MODELLED))
            kind = board.name if board else gpu.get("kind")
            if isinstance(kind, str):
                yield kind
