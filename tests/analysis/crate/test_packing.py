import shutil
import zipfile
from pathlib import Path

import pytest

from analysis.audit.__main__ import main as audit
from analysis.crate.__main__ import main
from analysis.crate.packing import write_zip
from analysis.crate.payload import PayloadFile
from analysis.results.opened import open_results
from telemetry.export.__main__ import main as export
from telemetry.record.files import file_sha256
from telemetry.record.paths import list_runs
from telemetry.record.seal import verify_seal
from tests.analysis.crate.conftest import Made
from tests.support.recordings import FOLDER, unpack
from tests.support.records import Plan, build_run

# A small file: 65B on two H200 by the reference engine.
MEASURED = FOLDER / "65b-fixed-synthetic-h200-g2-b64-l128-r0-5626c0a5.tar.xz"


def test_a_crate_unpacked_elsewhere_is_audited_and_verified(made: Made, tmp_path: Path) -> None:
    packed = tmp_path / "crate.zip"
    assert main([str(made[0]), "--out", str(packed)]) == 0
    assert main(["--verify", str(packed)]) == 0
    there = tmp_path / "a place #1"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(there)
    assert audit([str(there)]) == 0
    assert main(["--verify", str(there)]) == 0


def test_a_crate_of_measured_runs_is_audited_where_it_is_unpacked(tmp_path: Path) -> None:
    results = tmp_path / "results"
    unpack(MEASURED, results)
    assert main([str(results), "--out", str(tmp_path / "c.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        archive.extractall(tmp_path / "there")
    assert audit([str(tmp_path / "there")]) == 0
    assert main(["--verify", str(tmp_path / "there")]) == 0


def test_equal_records_give_equal_bytes(made: Made, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "results"
    shutil.copytree(made[0], moved)
    first, second = tmp_path / "a.zip", tmp_path / "b.zip"
    assert main([str(made[0]), "--out", str(first)]) == 0
    assert main([str(moved), "--out", str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()


def test_a_crate_in_place_leaves_runs_as_they_are_sealed(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = build_run(results)
    before = {path: file_sha256(path) for path in run.folder.rglob("*") if path.is_file()}
    assert main([str(results)]) == 0
    assert {path: file_sha256(path) for path in run.folder.rglob("*") if path.is_file()} == before
    assert (results / "ro-crate-metadata.json").is_file()
    assert audit([str(results)]) == 0
    # The audit's own files lie beside it.
    assert main(["--verify", str(results)]) == 0
    later = build_run(results, Plan(spec={"repeat": 1}))
    assert verify_seal(later, later.attempt(1)) == []
    assert len(open_results(results).runs) == 2


def test_a_copy_shares_no_bytes_with_the_record(made: Made) -> None:
    spec = next(list_runs(made[0])).spec
    copied = made[1] / spec.relative_to(made[0])
    assert copied.read_bytes() == spec.read_bytes()
    assert not copied.samefile(spec)


def test_what_is_larger_than_4_gib_has_zip64_s_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if 4 GiB were 100 bytes: real ones take a minute.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    source = tmp_path / "samples.parquet"
    source.write_bytes(bytes(1000))
    file = PayloadFile(name=source.name, source=source, size_bytes=1000, sha256=file_sha256(source))
    write_zip(tmp_path / "x.zip", b"{}", [file])
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.read(source.name) == bytes(1000)
        assert archive.getinfo(source.name).extract_version == zipfile.ZIP64_VERSION


def test_a_file_that_changes_while_it_is_packed_leaves_no_crate(tmp_path: Path) -> None:
    source = tmp_path / "ended.json"
    source.write_text("now this")
    file = PayloadFile(name="ended.json", source=source, size_bytes=8, sha256="0" * 64)
    with pytest.raises(ValueError, match=r"ended\.json must stay as it is"):
        write_zip(tmp_path / "x.zip", b"{}", [file])
    assert [path.name for path in tmp_path.iterdir()] == ["ended.json"]


def test_links_and_pickles_are_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    build_run(results)
    jobs = results / "campaigns" / "20261127T080459Z" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "1_result.pkl").write_bytes(b"cos\nsystem\n")
    (jobs / "1 50%#.log").write_text("done")
    (jobs / "link").symlink_to("/etc/passwd")
    assert main([str(results), "--out", str(tmp_path / "c.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        names = [name for name in archive.namelist() if "jobs" in name]
    assert [Path(name).name for name in names] == ["1 50%#.log"]
    said = " ".join(capsys.readouterr().out.split())
    assert "link: no plain file" in said
    assert "1_result.pkl: a pickle" in said
    assert main(["--verify", str(tmp_path / "c.zip")]) == 0


def test_what_others_say_of_the_runs_goes_with_them(tmp_path: Path) -> None:
    results = tmp_path / "results"
    build_run(results)
    for name in ("accounting/a.txt", "meters/pdu.json", "roots/b.json", "checkpoints/c.json"):
        (results / name).parent.mkdir()
        (results / name).write_text("{}")
    (results / "notes").mkdir()
    (results / "notes" / "private.txt").write_text("mine")
    assert main([str(results), "--out", str(tmp_path / "c.zip")]) == 0
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        names = set(archive.namelist())
    assert {"accounting/a.txt", "meters/pdu.json", "roots/b.json", "checkpoints/c.json"} <= names
    assert not [name for name in names if "private" in name]


def test_a_crate_of_an_export_names_nobody(tmp_path: Path) -> None:
    results, out, key = tmp_path / "results", tmp_path / "export", tmp_path / "key"
    build_run(results, Plan(provenance={"user": "jane.roe", "submit_host": "login7.center"}))
    key.write_bytes(bytes(range(32)))
    words = ["--pseudonymise", "--key", str(key), "--out", str(out)]
    assert export([str(results), *words]) == 0
    assert main([str(out), "--out", str(tmp_path / "crate")]) == 0
    text = (tmp_path / "crate" / "ro-crate-metadata.json").read_text()
    assert '"Person"' in text
    for name in ("jane.roe", "login7", "node0"):
        assert name not in text
    assert main(["--verify", str(tmp_path / "crate")]) == 0
