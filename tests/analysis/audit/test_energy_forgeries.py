"""Falsified energies: each is merged and sealed anew, and the audit tells of it all the same.

The run is a recorded one of four H200. A forger who rounds as the driver does is tried, as one who
does not is told by his digits alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analysis.audit.check import Case, Outcome
from analysis.audit.energy_checks import ENERGY_CHECKS
from analysis.audit.power_checks import POWER_CHECKS
from analysis.audit.witness_checks import WITNESS_CHECKS
from telemetry.record.paths import AttemptPaths, RunPaths, list_runs
from telemetry.record.seal import verify_seal
from tests.support.forgeries import (
    copy_run,
    dropped,
    edit_json,
    edit_shards,
    rank_counters,
    reseal,
    scaled,
    sealed_attempt,
    values_changed,
)
from tests.support.recordings import FOLDER, SUFFIX, unpack

BASE = "7b-fixed-synthetic-h200-g4-b64-l128-r0-8bd64a63"
POWER = ("power_sample_w", "power_instant_w", "power_average_w")
COUNTER = ("energy_j",)
DIGITS = 3

Forge = Callable[[AttemptPaths], None]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    results = tmp_path_factory.mktemp("recorded")
    unpack(FOLDER / f"{BASE}{SUFFIX}", results)
    (run,) = list_runs(results)
    return run


def findings(run: RunPaths) -> dict[str, tuple[Outcome, str]]:
    """What the checks of energies see, by name."""
    case = Case(run)
    checks = (*ENERGY_CHECKS, *WITNESS_CHECKS, *POWER_CHECKS)
    seen = {check.name: check.look(case) for check in checks}
    return {name: (finding.outcome, finding.evidence) for name, finding in seen.items()}


def forged(base: RunPaths, results: Path, *forges: Forge) -> RunPaths:
    run = copy_run(base, results)
    for forge in forges:
        forge(sealed_attempt(run))
    reseal(run)
    return run


def samples(edit: Callable[[pa.Table], pa.Table]) -> Forge:
    return lambda attempt: edit_shards(attempt, "samples", edit)


def spans(edit: Callable[[pa.Table], pa.Table]) -> Forge:
    return lambda attempt: edit_shards(attempt, "spans", edit)


def rounded(change: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda value, *_: np.round(change(value), DIGITS)


def times(factor: float, *fields: str) -> Forge:
    return samples(values_changed(rounded(lambda value: value * factor), *fields))


def ranks_times(factor: float) -> Forge:
    return spans(rank_counters(rounded(lambda value: value * factor)))


def all_times(factor: float) -> tuple[Forge, Forge]:
    return times(factor, *POWER, *COUNTER), ranks_times(factor)


def less_60_w(attempt: AttemptPaths) -> None:
    """60 W less on every reader, at all times."""
    first: list[int] = []

    def of_counter(value: Any, rows: pa.Table) -> Any:
        t_us = rows["t_us"].to_numpy()
        first.append(int(t_us.min()))
        return np.round(value - 60.0 * (t_us - first[0]) / 1e6, DIGITS)

    def of_spans(table: pa.Table) -> pa.Table:
        for name, edge in (("energy_start_j", "t_start_us"), ("energy_end_j", "t_end_us")):
            own = pc.fill_null(table[name], np.nan).to_numpy()
            own = np.round(own - 60.0 * (table[edge].to_numpy() - first[0]) / 1e6, DIGITS)
            at = table.schema.get_field_index(name)
            column = pa.array(own, mask=np.isnan(own))
            table = table.set_column(at, table.schema.field(at), column)
        return table

    edit_shards(attempt, "samples", values_changed(lambda value, _: value - 60.0, *POWER))
    edit_shards(attempt, "samples", values_changed(of_counter, *COUNTER))
    edit_shards(attempt, "spans", of_spans)


def without_limit(attempt: AttemptPaths) -> None:
    for host in attempt.hosts.glob("*.json"):
        edit_json(
            host,
            lambda record: {
                **record,
                "gpus": [
                    {name: None if "limit" in name else value for name, value in gpu.items()}
                    for gpu in record["gpus"]
                ],
            },
        )


def decode_to(phase: str, *, share: float = 0.3, by_power: bool, by_rank: bool) -> Forge:
    """A share of the energy in DECODE told to have been drawn in another phase."""

    def forge(attempt: AttemptPaths) -> None:
        marks: dict[str, list[tuple[int, int]]] = {"decode": [], phase: []}

        def of_spans(table: pa.Table) -> pa.Table:
            rows = table.to_pylist()
            marks["decode"], marks[phase] = [], []
            moved_j = 0.0
            for row in rows:
                if row["phase"] in marks:
                    marks[row["phase"]].append((row["t_start_us"], row["t_end_us"]))
                if row["energy_start_j"] is None or row["energy_end_j"] is None or not by_rank:
                    continue
                taken_j = row["energy_end_j"] - row["energy_start_j"]
                row["energy_start_j"] = round(row["energy_start_j"] - moved_j, DIGITS)
                if row["phase"] == "decode":
                    moved_j += share * taken_j
                elif row["phase"] == phase:
                    moved_j = 0.0
                row["energy_end_j"] = round(row["energy_end_j"] - moved_j, DIGITS)
            return pa.Table.from_pylist(rows, schema=table.schema)

        def of_power(value: Any, rows: pa.Table) -> Any:
            t_us = rows["t_us"].to_numpy()
            inside = {name: np.zeros(len(t_us), dtype=bool) for name in marks}
            for name, edges in marks.items():
                for start_us, end_us in edges:
                    inside[name] |= (t_us > start_us) & (t_us <= end_us)
            moved = share * value[inside["decode"]].sum() / max(1, inside[phase].sum())
            value = np.where(inside["decode"], (1.0 - share) * value, value)
            return np.round(np.where(inside[phase], value + moved, value), DIGITS)

        edit_shards(attempt, "spans", of_spans)
        if by_power:
            edit_shards(attempt, "samples", values_changed(of_power, "power_sample_w"))

    return forge


def stepped_back(value: Any, rows: pa.Table) -> Any:
    """The last poll of each counter shows 1000 J less than the first."""
    device = np.array(rows["device"].to_pylist())
    for one in np.unique(device):
        mine = np.flatnonzero(device == one)
        value[mine[-1]] = value[mine[0]] - 1000.0
    return value


def rank_stepped_back(value: Any) -> Any:
    value = value.copy()
    value[len(value) // 2] -= 1000.0
    return value


CAUGHT: dict[str, tuple[tuple[Forge, ...], str]] = {
    "power and the ranks' counters x 0.8, the watcher's own left": (
        (times(0.8, *POWER), ranks_times(0.8)),
        "polls",
    ),
    "the watcher's counter x 0.8 alone": ((times(0.8, *COUNTER),), "rank-counter"),
    "all x 0.8, not rounded": (
        (
            samples(scaled(0.8, *POWER, *COUNTER)),
            spans(rank_counters(lambda value: value * 0.8)),
        ),
        "digits",
    ),
    "60 W less everywhere": ((less_60_w,), "rest"),
    "all x 0.3": (all_times(0.3), "rest"),
    "the watcher's counter dropped and the rest x 0.7": (
        (samples(dropped(*COUNTER)), times(0.7, *POWER), ranks_times(0.7)),
        "polls",
    ),
    "power dropped": ((samples(dropped(*POWER)),), "polls"),
    "the finest power dropped": ((samples(dropped("power_sample_w")),), "polls"),
    "no limit and all x 2": ((without_limit, *all_times(2.0)), "power"),
    "decode's energy moved to overhead in the ranks' counters": (
        (decode_to("overhead", by_power=False, by_rank=True),),
        "phase-shares",
    ),
    "decode's energy moved to prefill in power": (
        (decode_to("prefill", by_power=True, by_rank=False),),
        # Prefill is then above what any reading can be.
        "polls",
    ),
    "less of it moved in both": (
        (decode_to("prefill", share=0.2, by_power=True, by_rank=True),),
        "power",
    ),
    "polls that step back": ((samples(values_changed(stepped_back, *COUNTER)),), "counters"),
    "a rank's counter that steps back": ((spans(rank_counters(rank_stepped_back)),), "counters"),
}


def test_a_forged_record_is_sealed_anew_and_whole(base: RunPaths, tmp_path: Path) -> None:
    run = forged(base, tmp_path, *all_times(0.8))
    assert verify_seal(run, sealed_attempt(run)) == []
    tables = [sealed_attempt(one).table("samples").read_bytes() for one in (base, run)]
    assert tables[0] != tables[1]


def test_the_recorded_run_itself_fails_no_check(base: RunPaths) -> None:
    outcomes = {name: outcome for name, (outcome, _) in findings(base).items()}
    assert Outcome.FAILED not in outcomes.values()
    assert Outcome.UNSEEN not in outcomes.values()
    # None of them is left out as not applicable.
    for name in ("counters", "polls", "power-integral", "rank-counter", "phase-shares"):
        assert outcomes[name] is Outcome.PASSED, name


@pytest.mark.parametrize("name", CAUGHT)
def test_a_falsified_energy_is_told_by_the_check_that_it_breaks(
    base: RunPaths, tmp_path: Path, name: str
) -> None:
    forges, check = CAUGHT[name]
    outcome, evidence = findings(forged(base, tmp_path, *forges))[check]
    assert outcome is Outcome.FAILED, evidence


@pytest.mark.parametrize("wild", [1_500.0, np.inf, np.nan, 4_294_967.295])
def test_one_reading_that_cannot_be_changes_no_energy(
    base: RunPaths, tmp_path: Path, wild: float
) -> None:
    def one_wild(value: Any, _: pa.Table) -> Any:
        value[len(value) // 2] = wild
        return value

    run = forged(base, tmp_path, samples(values_changed(one_wild, "power_sample_w")))
    for method in ("power_integral", "rank_counter"):
        before, after = (Case(one).run_energy.energy_by(method).value for one in (base, run))
        assert before is not None
        assert after == pytest.approx(before, rel=1e-3)
    assert Outcome.FAILED not in {outcome for outcome, _ in findings(run).values()}


def test_what_is_falsified_alike_everywhere_and_stays_possible_no_check_can_tell(
    base: RunPaths, tmp_path: Path
) -> None:
    """Every reader x 0.8, rounded: only a signature, or a meter outside, rules that out."""
    seen = findings(forged(base, tmp_path, *all_times(0.8)))
    assert Outcome.FAILED not in {outcome for outcome, _ in seen.values()}


@pytest.mark.parametrize(
    "archive", sorted((FOLDER / "extracts").glob(f"*{SUFFIX}")), ids=lambda path: path.name
)
def test_no_check_of_energies_fails_an_honest_run_whatever_befell_its_source(
    archive: Path, tmp_path: Path
) -> None:
    """Half-minute polls, and a DCGM engine that hung or was started again."""
    unpack(archive, tmp_path)
    (run,) = list_runs(tmp_path)
    seen = findings(run)
    assert Outcome.FAILED not in {outcome for outcome, _ in seen.values()}, seen
    for name in ("counters", "polls", "rank-counter", "phase-shares"):
        assert seen[name][0] is Outcome.PASSED, name
    # Six seconds without power leave its integral too uncertain to be held against anything.
    hung = "a59c8a1e" in run.run_id
    assert (seen["power-integral"][0] is Outcome.UNSEEN) == hung
