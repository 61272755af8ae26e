"""An export has no name in it, holds what an audit holds to, and says of which seal it is."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from analysis.audit.check import Outcome
from analysis.audit.run import audit_folder
from telemetry.accounting.answer import Answer, latest_first
from telemetry.command import ExitCode
from telemetry.export.__main__ import main
from telemetry.export.identities import Identities
from telemetry.export.leaks import leaks_in
from telemetry.export.pseudonyms import Pseudonyms
from telemetry.export.replacing import Replacing
from telemetry.record.files import file_sha256, read_json, write_json
from telemetry.record.paths import RunPaths, list_runs
from telemetry.record.seal import verify_seal
from tests.support.recordings import FOLDER, SUFFIX, unpack
from tests.support.records import Plan, build_run, reseal
from tests.support.told import complaints

RECORDED = "13b-fixed-synthetic-h200-g2-b64-l128-r0-ff6346bd"
# Of that record: its GPUs, their serials, its host's path and its user.
NAMES = ("GPU-3ffcc2d9", "1653724", "res/campaigns/2026")
OF_THE_ORIGINAL = {"chain", "link-keys", "countersigned"}
TWO_NODES = Plan(spec={"gpus": 4, "gpus_per_node": 2}, rank_counter=True)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(b"0123456789abcdef")
    return path


def export(results: Path, out: Path, key: Path) -> int:
    return main([str(results), "--pseudonymise", "--key", str(key), "--out", str(out)])


def outcomes(results: Path) -> dict[str, Outcome]:
    return {
        f"{line.name} {run_id}": finding.outcome
        for line in audit_folder(results).lines
        for run_id, finding in line.findings
        if line.name != "export"
    }


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "built"])
def test_an_export_passes_what_the_original_passed_and_its_seal_holds(
    tmp_path: Path, key: Path, recorded: bool
) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    if recorded:
        unpack(FOLDER / f"{RECORDED}{SUFFIX}", results)
    else:
        build_run(results, TWO_NODES)
    assert export(results, out, key) == ExitCode.DONE
    before, after = outcomes(results), outcomes(out)
    differing = {name: after.get(name) for name in before if after.get(name) is not before[name]}
    # The chains are of files with names in them: their owner has both.
    assert {name.partition(" ")[0] for name in differing} <= OF_THE_ORIGINAL
    assert set(differing.values()) <= {Outcome.UNSEEN}
    (run,) = list_runs(out)
    assert verify_seal(run, run.attempt(1)) == []
    (line,) = (line for line in audit_folder(out).lines if line.name == "export")
    assert line.outcome is Outcome.UNSEEN
    assert "a seal that is not here" in line.evidence


def test_no_name_of_the_original_is_in_any_byte_or_text(tmp_path: Path, key: Path) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    unpack(FOLDER / f"{RECORDED}{SUFFIX}", results)
    assert export(results, out, key) == ExitCode.DONE
    for path in out.rglob("*"):
        assert path.name not in ("vm", "vm.json", "vm.log")
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            text = json.dumps(table.to_pydict()) + str(table.schema.metadata)
            # Sixty-four answers of random tokens may spell anything.
            names = NAMES if "text" not in table.column_names else NAMES[:1]
            assert not [name for name in names if name in text], path
        elif path.is_file():
            data = path.read_text()
            assert not [name for name in (*NAMES, '"vm"', '"root"') if name in data], path
    assert b"0123456789abcdef" not in b"".join(
        path.read_bytes() for path in out.rglob("*") if path.is_file()
    )


def test_the_owner_shows_of_which_seals_an_export_is(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    run = build_run(results)
    assert export(results, out, key) == ExitCode.DONE
    told = read_json(out / run.run_id / "attempt-001" / "export.json")
    assert told["original_seal_sha256"] == file_sha256(run.attempt(1).seal)
    assert main([str(results), "--prove", str(out)]) == ExitCode.DONE
    reseal(run)
    assert main([str(results), "--prove", str(out)]) == ExitCode.FAILED
    assert "is of no seal that lies here" in complaints(capsys.readouterr().err)[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prove", "missing"], "`--prove` must be an export's folder, but "),
        (["--prove", "out", "--out", "other"], "`--prove` must stand without "),
    ],
)
def test_what_proves_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    build_run(tmp_path / "results")
    placed = [word if word.startswith("--") else str(tmp_path / word) for word in words]
    assert main([str(tmp_path / "results"), *placed]) == ExitCode.BAD_INPUT
    (told,) = complaints(capsys.readouterr().err)
    assert told.startswith(f"export: {said}")


def test_exports_of_one_key_name_alike(tmp_path: Path, key: Path) -> None:
    build_run(tmp_path / "one", Plan(spec={"repeat": 0}))
    build_run(tmp_path / "two", Plan(spec={"repeat": 1}))
    users = set()
    for name in ("one", "two"):
        assert export(tmp_path / name, tmp_path / f"{name}-out", key) == ExitCode.DONE
        (run,) = list_runs(tmp_path / f"{name}-out")
        attempt = run.attempt(1)
        users.add((read_json(attempt.provenance)["user"], read_json(attempt.started)["host"]))
    assert len(users) == 1
    assert "somebody" not in str(users)


def test_campaigns_books_and_meters_come_along_without_names(tmp_path: Path, key: Path) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    build_run(results)
    campaign = results / "campaigns" / "20260101T000000Z-login1-7"
    campaign.mkdir(parents=True)
    write_json(
        campaign / "campaign.json", {"launcher": {"host": "login1"}, "command": ["x=login1"]}
    )
    text = "JobID|User|Cluster|State|Submit|Start|End\n1|somebody|hall9|FAILED|1|2|3\n"
    Answer.taken(text.encode(), source="sacct").keep(results)
    assert export(results, out, key) == ExitCode.DONE
    (folder,) = (out / "campaigns").iterdir()
    assert folder.name.startswith("20260101T000000Z-host")
    assert "login1" not in (folder / "campaign.json").read_text()
    (answer,) = latest_first(out)
    assert b"somebody" not in answer.text
    assert b"hall9" not in answer.text
    assert answer.text.startswith(b"JobID|User|Cluster")
    # What is a number of its own is none of a job's.
    assert answer.text.endswith(b"|FAILED|1|2|3\n")


def test_a_run_that_is_not_as_sealed_is_not_exported(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path / "results")
    write_json(run.attempt(1).started, {"t_us": 1, "host": "node0"})
    assert export(tmp_path / "results", tmp_path / "out", key) == ExitCode.FAILED
    assert "not as sealed" in complaints(capsys.readouterr().err)[0]
    assert not (tmp_path / "out").exists()


def test_a_table_that_its_shards_do_not_merge_to_is_not_mended(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path / "results")
    path = run.attempt(1).table("spans")
    table = pq.read_table(path)
    pq.write_table(table.slice(0, table.num_rows - 1), path)
    reseal(run)
    assert export(tmp_path / "results", tmp_path / "out", key) == ExitCode.FAILED
    assert "spans.parquet is not what the shards merge to" in complaints(capsys.readouterr().err)[0]


def test_a_seal_that_names_what_lies_elsewhere_is_not_followed(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path / "results")
    (tmp_path / "results" / "secret.json").write_text("{}")
    seal = read_json(run.attempt(1).seal)
    name = f"{run.run_id}/attempt-001/../../secret.json"
    seal["files"][name] = file_sha256(tmp_path / "results" / "secret.json")
    write_json(run.attempt(1).seal, seal)
    assert export(tmp_path / "results", tmp_path / "out", key) == ExitCode.FAILED
    assert "lies elsewhere" in complaints(capsys.readouterr().err)[0]
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_of_an_attempt_that_is_not_sealed_is_left_out(
    tmp_path: Path, key: Path
) -> None:
    run = build_run(tmp_path / "results")
    other = run.attempt(2).folder
    other.mkdir()
    (other / "ended.json").write_text('{"state": "fail')
    write_json(other / "started.json", {"host": "node0"})
    assert export(tmp_path / "results", tmp_path / "out", key) == ExitCode.DONE
    copy = tmp_path / "out" / run.run_id / "attempt-002"
    assert [path.name for path in copy.iterdir()] == ["started.json"]


def test_a_host_that_is_called_as_a_word_of_the_record_is_refused(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_run(tmp_path / "results", Plan(provenance={"submit_host": "model"}))
    assert export(tmp_path / "results", tmp_path / "out", key) == ExitCode.BAD_INPUT
    assert "a host must not be called as a word" in complaints(capsys.readouterr().err)[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "results"]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("a.json", '{"reason": "of n1 on Tuesday"}'),
        ("b.json", '{"n\\u0031": 1}'),
        ("c.log", "user alice was here"),
        ("d.json", '{"job_id": "12_3"}'),
        ("e.json", '{"text": "JobId=12 "}'),
        ("f.txt", "JobID|State\n12.batch|FAILED"),
        ("alice.json", "{}"),
        ("hosts/n1.json", "{}"),
    ],
)
def test_a_name_that_is_left_is_found_with_its_place(tmp_path: Path, place: str, text: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    names = Identities()
    names.look_at({"host": "n1", "user": "alice", "job_id": "12"})
    replacing = Replacing(names, Pseudonyms(b"0123456789abcdef"), frozenset(), {})
    assert list(leaks_in(tmp_path, replacing))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--key", "KEY"], "must be given together"),
        (["--pseudonymise", "--key", "SHORT", "--out", "OUT"], "at least 16 bytes"),
        (["--pseudonymise", "--key", "KEY", "--out", "RESULTS/out"], "must lie outside"),
        (["--pseudonymise", "--key", "KEY", "--out", "RESULTS"], "must be a new folder"),
        (["--pseudonymise", "--key", "NONE", "--out", "OUT"], "`--key` must be a file"),
    ],
)
def test_what_will_not_do_is_refused_in_one_line_and_nothing_is_written(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    results = tmp_path / "results"
    (results / "x").mkdir(parents=True)
    shutil.rmtree(results / "x")
    build_run(results)
    (tmp_path / "short").write_bytes(b"short")
    places = {
        **{"KEY": str(key), "SHORT": str(tmp_path / "short"), "OUT": str(tmp_path / "out")},
        **{"RESULTS": str(results), "RESULTS/out": str(results / "out"), "NONE": "/nowhere/key"},
    }
    assert main([str(results), *(places.get(word, word) for word in words)]) == ExitCode.BAD_INPUT
    (line,) = complaints(capsys.readouterr().err)
    assert said in line
    assert not (tmp_path / "out").exists()


def test_a_folder_without_a_sealed_run_has_nothing_to_export(tmp_path: Path, key: Path) -> None:
    run = build_run(tmp_path / "results", Plan(merged=False))
    assert isinstance(run, RunPaths)
    assert export(tmp_path / "results", tmp_path / "out", key) == ExitCode.NOTHING_DONE
