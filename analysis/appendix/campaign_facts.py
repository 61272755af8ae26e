"""Campaign facts: what the sealed runs of a results folder say of machine, program and work."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from analysis.appendix.fact import Fact, fact, of_all, over
from analysis.report.verdict import AuditVerdict
from analysis.runs.labels import Label, RunLabels
from analysis.runs.sealed_runs import Loaded, NotCounted, Run
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.column import Row
from analysis.tables.table import Tables
from telemetry.clock import US_PER_S
from telemetry.record.beside import signatures_beside
from telemetry.record.files import file_sha256, read_json
from telemetry.record.paths import campaigns_folder
from telemetry.record.roots import Root, list_roots

S_PER_MIN: Final = 60.0
"""Seconds of a minute."""
_BYTES_PER_GB: Final = 1e9
_METERS: Final = "meters"
# As audit.json has it.
_FAILED: Final = "failed"


# What stands on top of an appendix in words of its own.
_TOLD_ALOUD: Final = {
    label.word
    for label in (
        *(Label.SIMULATED, Label.RANDOM_WEIGHTS, Label.PARTIAL),
        *(Label.DIRTY_TREE, Label.COMMIT_UNKNOWN),
    )
}


@dataclass(frozen=True, kw_only=True, eq=False)
class CampaignFacts:
    """The record of a results folder, as its appendices ask it."""

    loaded: Loaded
    """The sealed runs, and what does not count."""
    tables: Tables
    """What analysis makes of them."""
    unreadable: tuple[NotCounted, ...] = ()
    """Sealed runs of which a table cannot be read: they are in no statement."""

    @property
    def name(self) -> str:
        """The results folder's own name: who unpacks it elsewhere has no other part of its path."""
        return self.loaded.results.name

    @property
    def runs(self) -> tuple[Run, ...]:
        """The sealed runs that count."""
        left_out = {other.run_id for other in self.unreadable}
        return tuple(run for run in self.loaded.runs if run.run_id not in left_out)

    @property
    def _others(self) -> tuple[NotCounted, ...]:
        return (*self.loaded.not_counted, *self.unreadable)

    @cached_property
    def labels(self) -> Mapping[str, RunLabels]:
        """What the numbers of each run are not, by run."""
        return {run.run_id: RunLabels.of(run) for run in self.runs}

    @cached_property
    def verdict(self) -> AuditVerdict:
        """What the audit said that lies in the folder."""
        return AuditVerdict.of(self.loaded)

    @cached_property
    def hosts(self) -> Sequence[Mapping[str, Any]]:
        """What every watcher saw: one entry a run and host."""
        return [host for run in self.runs for host in run.hosts.values()]

    @cached_property
    def gpus(self) -> Sequence[Mapping[str, Any]]:
        """Every GPU that a run was given: one entry a run and GPU."""
        return [
            gpu for host in self.hosts for gpu in host.get("gpus") or () if isinstance(gpu, Mapping)
        ]

    @property
    def audit_failed(self) -> bool:
        """Whether a check failed of the audit of these very files, or a run is not as sealed."""
        failed = any(check.outcome == _FAILED for check in self.verdict.checks)
        damaged = any(other.damaged for other in self._others)
        return damaged or (self.verdict.of_these and failed)

    def of_hosts(self, name: str) -> Fact:
        """What hosts say of their platform."""
        why = "no watcher's record holds it"
        return over(self.hosts, lambda host: _mapping(host.get("platform")).get(name), why)

    def of_gpus(self, name: str) -> Fact:
        """What the inventory says of the GPUs."""
        return over(
            self.gpus, lambda gpu: gpu.get(name), "no GPU's entry of the inventory holds it"
        )

    def of_spec(self, name: str) -> Fact:
        """A field of the specs."""
        why = "no run was asked for one"
        return over(self.runs, lambda run: getattr(run.spec, name), why)

    def of_provenance(self, *path: str) -> Fact:
        """A value of provenance.json, by its keys."""
        return over(
            self.runs, lambda run: _at(run.provenance, path), "provenance.json does not hold it"
        )

    def of_model(self, *path: str) -> Fact:
        """A value of model.json, by its keys."""
        return over(self.runs, lambda run: _at(run.model, path), "model.json does not hold it")

    def of_launch(self, name: str) -> Fact:
        """A value of launch.json."""
        return over(self.runs, lambda run: run.launch.get(name), "launch.json does not hold it")

    def row(self, run: Run) -> Row:
        """A run's row of the table of runs."""
        return next(row for row in self.tables.runs.rows if row["run_id"] == run.run_id)

    def of_rows(self, name: str) -> list[Any]:
        """A column of the table of runs, where it has values."""
        rows = self.tables.runs.rows
        return [row[name] for row in rows if row.get(name) is not None]

    @cached_property
    def gpu_memory_gb(self) -> Fact:
        """Memory of a GPU, in GB."""
        return over(
            self.gpus,
            lambda gpu: _gigabytes(gpu.get("memory_bytes")),
            "no GPU's entry of the inventory holds it",
        )

    @cached_property
    def host_memory_gb(self) -> Fact:
        """Memory of a host, in GB."""
        return over(
            self.hosts,
            lambda host: _gigabytes(_mapping(host.get("platform")).get("memory_bytes")),
            "no watcher's record holds it",
        )

    @cached_property
    def wall_minutes(self) -> Mapping[str, float | None]:
        """From the first rank's start to the end, in minutes, by run; None where one is missing."""
        return {run.run_id: _wall_minutes(run) for run in self.runs}

    @property
    def execution_minutes(self) -> Fact:
        """All runs one after another."""
        known = [minutes for minutes in self.wall_minutes.values() if minutes is not None]
        if len(known) < len(self.wall_minutes):
            left = len(self.wall_minutes) - len(known)
            return Fact(reason=f"{left} of {len(self.wall_minutes)} runs tell no start or no end")
        return fact(f"{sum(known):.1f}", "")

    @cached_property
    def changed_runs(self) -> Sequence[str]:
        """Runs from code with changes that no commit holds."""
        return [name for name, labels in self.labels.items() if labels.changed_code]

    @property
    def changes_sha256(self) -> Fact:
        """SHA-256 of what no commit holds, of those runs."""
        changed = [run for run in self.runs if run.run_id in self.changed_runs]
        return over(
            changed,
            lambda run: _at(run.provenance, ("git", "diff_sha256")),
            "provenance.json does not hold it" if changed else "no run had any",
        )

    @cached_property
    def planned(self) -> Sequence[str] | None:
        """Runs that the campaigns' plans were to make; None where no plan is on record."""
        plans = sorted(campaigns_folder(self.loaded.results).glob("*/campaign.json"))
        found: set[str] = set()
        for path in plans:
            found |= set(_planned(path))
        return sorted(found) if plans else None

    @property
    def unsealed(self) -> Sequence[str]:
        """Planned runs that are not sealed."""
        return [name for name in self.planned or () if name not in self.labels]

    @cached_property
    def root_sha256(self) -> str:
        """One hash of the seals: of a whole folder the one that `joulegrid sign` lodges."""
        return Root(taken_us=0, seals={path: digest for _, path, digest in self.seal_rows()}).sha256

    @property
    def roots(self) -> Sequence[Path]:
        """Roots that were kept."""
        return list_roots(self.loaded.results)

    @cached_property
    def signed(self) -> int:
        """Runs beside whose seal a signature lies; whether it holds is the audit's to say."""
        return sum(bool(signatures_beside(run.attempt.seal)) for run in self.runs)

    @cached_property
    def meters(self) -> Sequence[Mapping[str, Any]]:
        """What is stated of outside meters whose logs lie beside the runs."""
        found = []
        for path in sorted((self.loaded.results / _METERS).glob("*.json")):
            try:
                statement = _mapping(read_json(path).get("statement"))
            except UNREADABLE:
                continue
            found.append({"name": path.stem, **statement})
        return found

    @cached_property
    def power_periods_s(self) -> Sequence[float]:
        """Time between two power readings, of each GPU's finest power reading, in seconds."""
        finest: dict[tuple[str, str, str], float] = {}
        for run in self.runs:
            for entry in run.manifest.get("coverage", []):
                named = str(entry.get("field")).startswith("power_") and str(
                    entry.get("field")
                ).endswith(("sample_w", "instant_w", "average_w"))
                if named and isinstance(entry.get("period_us"), int):
                    key = (run.run_id, str(entry.get("host")), str(entry.get("device")))
                    period_s = entry["period_us"] / US_PER_S
                    finest[key] = min(period_s, finest.get(key, period_s))
        return sorted(finest.values())

    def warnings(self) -> tuple[str, ...]:
        """What stands on top of every appendix."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        labels = self.labels.values()
        counts = {
            "SIMULATED: no measurement of a GPU": sum(one.simulated for one in labels),
            "RANDOM WEIGHTS: no trained model": sum(one.random_weights for one in labels),
            "CODE WITH CHANGES that no commit holds": len(self.changed_runs),
            "NO COMMIT on record": sum(one.changed_code is None for one in labels),
            "PARTS of the record are damaged or missing": sum(one.partial_record for one in labels),
        }
        for text, count in counts.items():
            if count:
                yield f"{text}: {count} of {len(labels)} runs."
        for one in self.tables.runs.about["labels"]:
            if one["label"] not in _TOLD_ALOUD:
                said = f"{one['label'].upper()}: {len(one['runs'])} of {len(labels)} runs."
                yield f"{said} {one['meaning']}"
        damaged = [other.run_id for other in self._others if other.damaged]
        if damaged:
            yield f"NOT AS SEALED, and in no number: {', '.join(damaged)}."
        if self.audit_failed:
            yield f"AUDIT FAILED. {self.verdict.text}"
        elif not self.verdict.good:
            told = "NOT EVERYTHING COULD BE AUDITED" if self.verdict.of_these else "NOT AUDITED"
            yield f"{told}. {self.verdict.text}"

    def seal_rows(self) -> Iterator[tuple[str, str, str]]:
        """(run, file, SHA-256) of each seal, which holds the hashes of all other files."""
        for run in self.runs:
            path = run.attempt.seal.relative_to(self.loaded.results).as_posix()
            yield run.run_id, path, file_sha256(run.attempt.seal)

    @property
    def packages(self) -> Mapping[str, Fact]:
        """Version of each package of any run, by name."""
        every = {
            str(name) for run in self.runs for name in _mapping(run.provenance.get("packages"))
        }
        return {name: self.of_provenance("packages", name) for name in sorted(every, key=str.lower)}

    def slurm(self, name: str) -> Fact:
        """A value of submitted.json, of runs that Slurm started."""
        return of_all((_submitted(run).get(name) for run in self.runs), "no run was Slurm's")


def _submitted(run: Run) -> Mapping[str, Any]:
    try:
        return run.files.json(run.attempt.submitted)
    except UNREADABLE:
        return {}


def _planned(path: Path) -> Iterator[str]:
    try:
        points = read_json(path).get("points")
    except UNREADABLE:
        return
    for point in points if isinstance(points, list) else ():
        if isinstance(point, Mapping) and point.get("verdict") == "run":
            yield str(point.get("run_id"))


def _wall_minutes(run: Run) -> float | None:
    try:
        start = run.files.json(run.attempt.started)["t_us"]
        end = run.files.json(run.attempt.ended)["t_us"]
        return float((end - start) / US_PER_S / S_PER_MIN)
    except UNREADABLE:
        return None


def _gigabytes(value: object) -> str | None:
    return f"{value / _BYTES_PER_GB:.0f} GB" if isinstance(value, int | float) else None


def _at(content: Mapping[str, Any], path: Sequence[str]) -> object:
    value: object = content
    for key in path:
        value = _mapping(value).get(key)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
