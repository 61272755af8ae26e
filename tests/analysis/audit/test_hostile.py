"""What a record or a terminal does to the audit: a verdict with its own code, never a traceback."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.audit.__main__ import main
from analysis.audit.check import Case, Outcome
from analysis.audit.merged_again import merge_repeats, same_tables
from analysis.audit.result_checks import simulation_labelled
from analysis.audit.run import audit_folder, audit_results
from analysis.report.page import write_report
from analysis.runs.sealed_runs import load
from telemetry.command import ExitCode
from telemetry.record.files import file_sha256, read_json, write_json
from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import close, edit
from tests.support.record_answers import T0_US
from tests.support.records import Plan, build_run
from tests.support.told import complaints

REPOSITORY = Path(__file__).parents[3]
# What a whole audit of one built run takes many times over.
PATIENCE_S = 60.0


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=str,
)
def test_a_terminal_that_is_not_utf8_gets_the_verdict_and_its_own_code(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    build_run(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "analysis.audit", str(tmp_path)],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    assert b"checks of 1 sealed run: none failed" in done.stdout
    assert complaints(done.stderr.decode()) == []


def test_no_control_character_of_a_record_reaches_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path)
    clear = "\x1b[2J\x1b[31m\u202eall checks passed\x9b"
    edit(run.attempt(1).ended, lambda ended: ended.update(state=clear))
    reseal_as_it_is(run)
    assert main([str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "\x1b[2J" not in said.out
    assert all(one.isprintable() or one == "\n" for one in said.out + said.err)
    assert "\\x1b[2J" in said.out


def reseal_as_it_is(run: RunPaths) -> None:
    """A seal over an attempt that our own code would not seal."""
    seal = read_json(run.attempt(1).seal)
    for name in seal["files"]:
        seal["files"][name] = file_sha256(run.results / name)
    write_json(run.attempt(1).seal, seal)


@pytest.mark.parametrize("attempt", [False, True])
def test_a_run_or_an_attempt_is_audited_alone_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], attempt: bool
) -> None:
    run = build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"seed": 2}))
    folder = run.attempt(1).folder if attempt else run.folder
    assert main([str(folder)]) == 0
    out = capsys.readouterr().out
    assert "checks of 1 sealed run: none failed" in out
    assert f"next: python -m analysis.audit {tmp_path}" in out
    assert not (tmp_path / "report").exists()


def test_an_attempt_that_is_not_sealed_is_one_line_and_nothing_to_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path, Plan(end="failed"))
    assert main([str(run.attempt(1).folder)]) == ExitCode.NOTHING_DONE
    said = capsys.readouterr()
    assert len(complaints(said.err)) == 1
    assert "is an attempt that is not sealed" in said.err


def test_what_could_not_be_looked_at_stands_in_the_verdict_and_is_strictly_no_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path, Plan(steps=False))
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--strict"]) == ExitCode.UNSEEN
    assert "[?] steps, responses and spans tell the same" in capsys.readouterr().out
    written = read_json(tmp_path / "report" / "audit.json")
    assert written["counts"]["could not be looked at"] >= 1
    assert f"{written['counts']['could not be looked at']} could not be" in written["verdict"]


def test_the_worst_runs_evidence_is_shown_and_not_the_firsts(tmp_path: Path) -> None:
    def drop_one(row: dict[str, object]) -> dict[str, object] | None:
        at = int(str(row["t_us"]))
        return None if 3_350_000 < at % 1_000_000_000 < 3_450_000 else row

    build_run(tmp_path, Plan())
    worse = build_run(tmp_path, Plan(spec={"seed": 2}, sample=drop_one))
    (line,) = [line for line in audit_results(tmp_path) if line.name == "coverage"]
    assert line.outcome is Outcome.PASSED
    assert line.evidence.startswith(f"2 of 2 runs; worst {worse.run_id}: ")
    assert "longest gap 0.200 s" in line.evidence


def test_a_gap_as_long_as_the_window_fails_coverage(tmp_path: Path) -> None:
    def counter_alone(row: dict[str, object]) -> dict[str, object] | None:
        inside = T0_US + 2_500_000 < int(str(row["t_us"])) < T0_US + 6_800_000
        return None if inside or row["field"] != "energy_j" else row

    seldom = Plan(rank_counter=True, counter_period_us=5_000_000, sample=counter_alone)
    build_run(tmp_path, seldom)
    (line,) = [line for line in audit_results(tmp_path) if line.name == "coverage"]
    assert line.outcome is Outcome.FAILED
    assert "no reading of power or energy in the window" in line.evidence


PIPES = (
    *("spec.json", "attempt-001/ended.json", "attempt-001/model.json"),
    *("attempt-001/samples.parquet", "attempt-001/spans.parquet"),
    *("attempt-001/shards/spans/rank-00000/part-00000.parquet", "prompts"),
)


@pytest.mark.parametrize("name", PIPES)
def test_a_pipe_in_place_of_a_file_fails_and_does_not_hang(tmp_path: Path, name: str) -> None:
    run = build_run(tmp_path)
    path = run.folder / name
    if name == "prompts":
        path = run.prompts(read_json(run.attempt(1).launch)["prompts_sha256"])
    path.unlink()
    os.mkfifo(path)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main([str(tmp_path)])), daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert codes == [1 if name != "spec.json" else codes[0]]
    assert codes[0] in (1, 2)


def test_a_link_to_an_endless_device_fails_and_does_not_hang(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    run.attempt(1).model.unlink()
    run.attempt(1).model.symlink_to("/dev/zero")
    assert main([str(tmp_path)]) == 1


def empty_spans(run: RunPaths) -> None:
    path = run.attempt(1).table("spans")
    pq.write_table(pq.read_table(path, partitioning=None).slice(0, 0), path)


def half_a_character(run: RunPaths) -> None:
    text = run.attempt(1).provenance.read_text().replace("somebody", "\\ud800")
    run.attempt(1).provenance.write_text(text.replace('"commit": "', '"commit": "\\ud800'))


def name_that_is_no_text(run: RunPaths) -> None:
    Path(os.fsdecode(os.fsencode(run.attempt(1).folder) + b"/\xff\xfe.txt")).write_text("x")


@pytest.mark.parametrize("damage", [empty_spans, half_a_character, name_that_is_no_text])
def test_what_cannot_be_text_or_is_empty_fails_a_check_and_is_no_traceback(
    tmp_path: Path, damage: Callable[[RunPaths], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(build_run(tmp_path))
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "[ ] " in out
    if damage is empty_spans:
        assert "spans.parquet must hold spans of rank 0, but holds none" in out
    json.loads((tmp_path / "report" / "audit.json").read_text())


def test_a_run_folder_whose_name_is_no_text_is_told_and_no_traceback(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    run.folder.rename(odd)
    assert main([str(tmp_path)]) == 1


def test_a_part_that_the_manifest_names_damaged_fails_no_label(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    folder = next(run.attempt(1).shards("samples").iterdir())
    (folder / "part-00001.parquet").write_bytes(b"")
    close(run)
    finding = simulation_labelled(Case(run))
    assert finding.outcome is Outcome.PASSED
    assert "1 parts are damaged and named so" in finding.evidence
    assert merge_repeats(Case(run)).outcome is Outcome.PASSED


def test_a_damaged_part_that_nobody_names_fails_with_its_name(tmp_path: Path) -> None:
    run = build_run(tmp_path)
    folder = next(run.attempt(1).shards("samples").iterdir())
    (folder / "part-00001.parquet").write_bytes(b"")
    finding = simulation_labelled(Case(run))
    assert finding.outcome is Outcome.FAILED
    assert "shards/samples/node0/part-00001.parquet cannot be read" in finding.evidence


def test_a_nan_is_the_same_reading_when_it_is_merged_again() -> None:
    one, other = (pa.table({"value": [1.0, float("nan"), None]}) for _ in range(2))
    assert same_tables(one, other)
    assert not same_tables(one, pa.table({"value": [1.0, 2.0, None]}))
    assert not same_tables(one, pa.table({"value": [2.0, float("nan"), None]}))
    assert not same_tables(one, pa.table({"value": [1.0, None, float("nan")]}))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its report, drawn once."""
    results = tmp_path_factory.mktemp("drawn")
    build_run(results)
    write_report(load(results))
    return results


@pytest.fixture
def reported(drawn: Path, tmp_path: Path) -> Path:
    """A copy of it to be changed."""
    return Path(shutil.copytree(drawn, tmp_path / "reported"))


def test_a_parquet_table_edited_in_the_report_is_found(reported: Path) -> None:
    path = reported / "report" / "tables" / "runs.parquet"
    table = pq.read_table(path, partitioning=None)
    at = table.column_names.index("power_w")
    halved = pa.array([value / 2 for value in table["power_w"].to_pylist()], table["power_w"].type)
    pq.write_table(table.set_column(at, table.schema.field(at), halved), path)
    (line,) = [line for line in audit_folder(reported).lines if line.name == "report-tables"]
    assert line.outcome is Outcome.FAILED
    assert line.evidence == "runs.parquet is not what the sealed runs give"


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("joulegrid", b'"simulated": "all"', b'"simulated": "none"'),
        ("PANDAS_ATTRS", b'"simulated": "all"', b'"simulated": "none"'),
        ("energy_j", b"J", b"kJ"),
    ],
)
def test_what_a_parquet_table_says_of_its_numbers_is_made_again_too(
    reported: Path, key: str, old: bytes, new: bytes
) -> None:
    path = reported / "report" / "tables" / "runs.parquet"
    table = pq.read_table(path, partitioning=None)
    if key in table.column_names:
        at = table.column_names.index(key)
        field = table.schema.field(at)
        told = {**field.metadata, b"unit": new}
        assert field.metadata[b"unit"] == old
        table = table.set_column(at, field.with_metadata(told), table[key])
    else:
        told = {**table.schema.metadata}
        assert old in told[key.encode()]
        told[key.encode()] = told[key.encode()].replace(old, new)
        table = table.replace_schema_metadata(told)
    pq.write_table(table, path)
    (line,) = [line for line in audit_folder(reported).lines if line.name == "report-tables"]
    assert line.outcome is Outcome.FAILED
    assert line.evidence == "runs.parquet says of its columns or runs what they do not"


def test_a_dictionary_of_columns_that_says_something_else_is_found(reported: Path) -> None:
    path = reported / "report" / "tables" / "columns.csv"
    path.write_bytes(
        path.read_bytes().replace(b"runs,energy_j,number,J,", b"runs,energy_j,number,kJ,")
    )
    (line,) = [line for line in audit_folder(reported).lines if line.name == "report-tables"]
    assert line.outcome is Outcome.FAILED
    assert line.evidence == "columns.csv is not what the tables say of their columns"


def test_where_no_run_is_worse_than_another_none_is_called_so(tmp_path: Path) -> None:
    build_run(tmp_path)
    build_run(tmp_path, Plan(spec={"seed": 2}))
    (line,) = [line for line in audit_results(tmp_path) if line.name == "one-seal"]
    assert line.evidence.startswith("2 of 2 runs; such as nano-")


@pytest.mark.parametrize("place", ["report", "report/tables"])
def test_no_report_or_audit_is_written_through_a_link(tmp_path: Path, place: str) -> None:
    results, mine = tmp_path / "results", tmp_path / "mine"
    build_run(results)
    mine.mkdir()
    (results / place).parent.mkdir(exist_ok=True)
    (results / place).symlink_to(mine)
    with pytest.raises(OSError, match="a link is in the place of a folder"):
        write_report(load(results))
    if place == "report":
        assert main([str(results)]) == 1
    assert list(mine.iterdir()) == []
