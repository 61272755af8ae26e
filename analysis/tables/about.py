"""About: what every file and frame says of the runs that its numbers are of."""

from collections.abc import Iterable, Mapping
from typing import Any

from analysis.runs.labels import Label, RunLabels, of_words
from telemetry.command import own_version
from telemetry.record.schema import SCHEMA_VERSION


def about(name: str, meaning: str, labels: Mapping[str, RunLabels]) -> dict[str, Any]:
    """A table's own metadata, as JSON.

    Args:
        name: the table's name.
        meaning: what a row of it is.
        labels: those of the runs that it was made from, by run id.
    """
    return {
        "kind": name,
        "meaning": meaning,
        "schema_version": SCHEMA_VERSION,
        "project_version": own_version(),
        "simulated": _of(label.simulated for label in labels.values()),
        "random_weights": _of(label.random_weights for label in labels.values()),
        "changed_code": _of(label.changed_code for label in labels.values()),
        "partial_record": _of(label.partial_record for label in labels.values()),
        "labels": [
            {"mark": label.mark, "label": label.word, "meaning": label.meaning, "runs": runs}
            for label, runs in _runs_by_label(labels).items()
        ],
        "runs": {run_id: label.to_mapping() for run_id, label in sorted(labels.items())},
    }


def _runs_by_label(labels: Mapping[str, RunLabels]) -> dict[Label, list[str]]:
    """The runs that have each label, those without any left out."""
    found: dict[Label, list[str]] = {label: [] for label in Label}
    for run_id, own in sorted(labels.items()):
        for label in of_words(*(own.labels or ())):
            found[label].append(run_id)
    return {label: runs for label, runs in found.items() if runs}


def _of(flags: Iterable[bool | None]) -> str:
    """Of how many runs a label is true: `all`, `some`, `none`; `unknown` where one says nothing."""
    told = list(flags)
    if any(told):
        return "all" if all(told) else "some"
    return "unknown" if None in told else "none"
