"""Every recorded run still says what it said: its seal holds, and its energies agree.

Beside the runs of `tests/recorded` stand two built ones, so that each test is known to run.
"""

import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_results
from analysis.energy.run_energy import RunEnergy
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load, open_run
from analysis.tables.table import Tables
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.seal import verify_seal
from tests.support.browser import pages_of
from tests.support.recordings import FOLDER, SUFFIX, main, pack, recorded, unpack
from tests.support.records import Plan, build_run

REAL = [path.name.removesuffix(SUFFIX) for path in recorded()]
BUILT = {
    f"built-{engine}": Plan(
        spec={"gpu": "h200", "dtype": "fp16", "engine": engine},
        gpu={"name": "NVIDIA H200", "kind": "h200"},
        decode_s=decode_s,
        rank_counter=True,
    )
    for engine, decode_s in (("reference", 1.5), ("fast", 0.5))
}
# More nobody reads on paper.
MOST_PRINTED = 10
# Two readings of one board agree to this on real GPUs over windows of seconds
# (github.com/ml-energy/zeus/issues/12), beyond what their timing makes uncertain.
AGREEMENT = 0.01
# A run that was started from changed files says so, and is no worse a record for it.
MAY_FAIL = {"provenance"}


@dataclass(frozen=True)
class Unpacked:
    """All recorded runs in one results folder."""

    results: Path
    runs: dict[str, RunPaths]
    tables: Tables
    """As the report has them."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    results = tmp_path_factory.mktemp("recorded")
    names = {}
    for name, plan in BUILT.items():
        source = build_run(tmp_path_factory.mktemp("built"), plan)
        archive = tmp_path_factory.mktemp("archive") / f"{name}{SUFFIX}"
        archive.write_bytes(pack(source))
        unpack(archive, results)
        names[name] = source.run_id
    for name in REAL:
        unpack(FOLDER / f"{name}{SUFFIX}", results)
        names[name] = name
    runs = {run.run_id: run for run in list_runs(results)}
    tables = write_report(load(results)).tables
    return Unpacked(results, {name: runs[run_id] for name, run_id in names.items()}, tables)


every_run = pytest.mark.parametrize("name", [*BUILT, *REAL])


@every_run
def test_the_seal_of_a_recorded_run_holds(unpacked: Unpacked, name: str) -> None:
    run = unpacked.runs[name]
    sealed = run.sealed()
    assert sealed is not None
    assert verify_seal(run, sealed) == []


@every_run
def test_counter_and_integral_of_a_recorded_run_agree(unpacked: Unpacked, name: str) -> None:
    run = open_run(unpacked.runs[name])
    assert run is not None
    run_energy = RunEnergy(run)
    assert run_energy.energy.value is not None, run_energy.energy.reason
    assert run_energy.gap.value is not None, run_energy.gap.reason
    assert abs(run_energy.gap.value) <= AGREEMENT + (run_energy.gap.plus_minus or 0.0)


def test_the_audit_of_all_recorded_runs_fails_no_check(unpacked: Unpacked) -> None:
    faults = [
        f"{line.name} of {run_id}: {finding.evidence}"
        for line in audit_results(unpacked.results)
        for run_id, finding in line.findings
        if finding.outcome is Outcome.FAILED and line.name not in MAY_FAIL
    ]
    assert faults == []


def test_the_fast_engine_takes_less_energy_and_time_for_the_same_work(unpacked: Unpacked) -> None:
    rows = unpacked.tables.engines.rows
    assert rows
    for row in rows:
        point = f"{row['model']} on {row['gpus']} GPUs"
        assert float(str(row["energy_fast_over_reference"])) < 1.0, point
        assert float(str(row["rate_fast_over_reference"])) > 1.0, point


def test_no_recorded_run_beats_its_bound(unpacked: Unpacked) -> None:
    rows = unpacked.tables.performance.rows
    assert len(rows) == len(unpacked.runs)
    shares = [row["bound_share"] for row in rows if row["bound_share"] is not None]
    assert len(shares) >= len(BUILT)
    assert all(0.0 < float(str(share)) <= 1.0 for share in shares)


def test_the_same_run_is_packed_to_the_same_bytes(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan())
    assert pack(run) == pack(run)


def test_what_is_not_sealed_cannot_be_recorded(tmp_path: Path) -> None:
    run = build_run(tmp_path, Plan(merged=False))
    with pytest.raises(ValueError, match="must be sealed to be recorded"):
        pack(run)


def test_a_run_too_large_to_commit_is_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path / "results", Plan())
    out = tmp_path / "out"
    assert main([str(tmp_path / "results"), "--out", str(out), "--most-kb", "1"]) == 1
    assert "left out, more than 1 kB" in capsys.readouterr().out
    assert list(out.iterdir()) == []
    assert main([str(tmp_path / "results"), run.run_id, "--out", str(out)]) == 0
    assert [path.name for path in recorded(out)] == [f"{run.run_id}{SUFFIX}"]


def test_an_archive_that_reaches_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / f"evil{SUFFIX}"
    with tarfile.open(archive, "w:xz") as sink:
        sink.addfile(tarfile.TarInfo("../outside.json"))
    with pytest.raises(ValueError, match=r"outside\.json"):
        unpack(archive, tmp_path / "results")


@pytest.mark.browser
def test_the_report_of_all_recorded_runs_is_printed_on_ten_pages(
    unpacked: Unpacked, tmp_path: Path
) -> None:
    page, printed = unpacked.results / "report" / "index.html", tmp_path / "report.pdf"
    assert 1 < pages_of(page, printed) <= MOST_PRINTED
