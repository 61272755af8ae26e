import json
import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.crate import foreign
from analysis.crate.__main__ import main
from tests.analysis.crate.conftest import Made
from tests.support.records import build_run
from tests.support.told import complaints

METADATA = "ro-crate-metadata.json"


@pytest.fixture
def crate(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[1], tmp_path / "crate"))


def faults(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What --verify says is wrong; empty where it says that nothing is."""
    capsys.readouterr()
    code = main(["--verify", str(path), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == (1 if told["faults"] else 0)
    return list(told["faults"])


def rewrite(crate: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the entities of a crate by @id."""
    path = crate / METADATA
    content = json.loads(path.read_bytes())
    change({one["@id"]: one for one in content["@graph"]})
    path.write_text(json.dumps(content))


def test_a_crate_as_it_was_made_has_no_fault(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert faults(crate, capsys) == []


@pytest.mark.parametrize("name", ["spec.json", "samples.parquet", "seal.json", "runs.csv"])
def test_a_tampered_file_is_named(
    crate: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(crate.rglob(name))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = faults(crate, capsys)
    assert found == [f"{path.relative_to(crate).as_posix()}: changed: another SHA-256"]


def test_a_missing_a_longer_and_a_new_file_are_named(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = next(crate.rglob("spec.json"))
    spec.unlink()
    ended = next(crate.rglob("ended.json"))
    ended.write_bytes(ended.read_bytes() + b" ")
    (spec.parent / "more.json").write_text("{}")
    said = "\n".join(faults(crate, capsys))
    assert "spec.json: missing" in said
    assert "ended.json: changed: longer than" in said
    assert "more.json: not in the crate's metadata" in said


def test_a_tampered_member_of_a_zip_is_named(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed, forged = tmp_path / "a.zip", tmp_path / "b.zip"
    assert main([str(made[0]), "--out", str(packed)]) == 0
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(forged, "w") as sink:
        for name in source.namelist():
            data = source.read(name)
            sink.writestr(name, data.replace(b"nano", b"huge") if "spec.json" in name else data)
        sink.writestr("run.sh", "echo")
    found = faults(forged, capsys)
    assert len(found) == 2
    assert found[0].endswith("spec.json: changed: another SHA-256")
    assert found[1] == "run.sh: not in the crate's metadata"


def test_a_number_that_its_files_do_not_give_is_named(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def halve(graph: dict[str, Any]) -> None:
        energy = next(one for one in graph.values() if one.get("propertyID") == "energy_j")
        energy["value"] /= 2

    rewrite(crate, halve)
    found = faults(crate, capsys)
    assert len(found) == 1
    assert "energy_j" in found[0]
    assert "is not what the files give" in found[0]


def test_a_simulation_that_is_no_longer_called_one_is_named(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hide(graph: dict[str, Any]) -> None:
        for one in graph.values():
            if "name" in one:
                one["name"] = one["name"].replace("SIMULATED", "measured")

    rewrite(crate, hide)
    assert any("SIMULATED" in line for line in faults(crate, capsys))


def test_a_failed_attempt_that_was_taken_out_is_missed(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(next(crate.rglob("attempt-001")))
    path = crate / METADATA
    content = json.loads(path.read_bytes())
    content["@graph"] = [one for one in content["@graph"] if "attempt-001" not in one["@id"]]
    path.write_text(json.dumps(content))
    assert any("is not what the files give" in line for line in faults(crate, capsys))


@pytest.mark.parametrize(
    "identifier", ["../secret", "/etc/passwd", "http://center.example/x", "a/%2e%2e/%2e%2e/x"]
)
def test_a_reference_that_leads_outside_is_a_fault_and_not_followed(
    crate: Path, identifier: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def lead(graph: dict[str, Any]) -> None:
        next(one for one in graph.values() if one["@type"] == "File")["@id"] = identifier

    (crate.parent / "secret").write_text("")
    rewrite(crate, lead)
    assert any("`@id` must be a path below the crate" in one for one in faults(crate, capsys))


def test_a_link_in_the_place_of_a_file_is_not_followed(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = next(crate.rglob("spec.json"))
    moved = spec.rename(crate.parent / "moved.json")
    spec.symlink_to(moved)
    assert any(line.endswith("spec.json: missing") for line in faults(crate, capsys))


def test_a_file_without_a_sha256_counts_as_a_fault_not_as_checked(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def drop(graph: dict[str, Any]) -> None:
        next(one for one in graph.values() if one["@type"] == "File").pop("sha256")

    rewrite(crate, drop)
    assert any("tells no SHA-256" in line for line in faults(crate, capsys))


def test_a_member_of_a_zip_that_unpacks_to_a_link_is_named(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed, forged = tmp_path / "a.zip", tmp_path / "b.zip"
    assert main([str(made[0]), "--out", str(packed)]) == 0
    links = []
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(forged, "w") as sink:
        for entry in source.infolist():
            if entry.filename.endswith("/ended.json"):
                # What unzip takes for a link, of the very bytes that the crate names.
                entry.external_attr = 0o120777 << 16
                links.append(entry.filename)
            sink.writestr(entry, source.read(entry.filename))
    assert faults(packed, capsys) == []
    assert links
    assert faults(forged, capsys) == [f"{link}: no plain file" for link in links]


def test_a_zip_that_unpacks_to_more_than_it_says_is_not_read_on(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed, bomb = tmp_path / "a.zip", tmp_path / "bomb.zip"
    assert main([str(made[0]), "--out", str(packed)]) == 0
    with (
        zipfile.ZipFile(packed) as source,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as sink,
    ):
        for name in source.namelist():
            sink.writestr(
                name, bytes(50 << 20) if name.endswith("spec.json") else source.read(name)
            )
    assert any("spec.json: changed: longer than" in line for line in faults(bomb, capsys))


def test_what_a_zip_cannot_show_is_told_as_not_looked_at(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "a.zip"
    assert main([str(made[0]), "--out", str(packed)]) == 0
    capsys.readouterr()
    assert main(["--verify", str(packed)]) == 0
    assert "[?] could not be looked at" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        "[]",
        "{}",
        '{"@graph": 1}',
        '{"@graph": [1]}',
        '{"@graph": [{"@id": []}]}',
    ],
)
def test_what_is_no_crate_is_refused_in_one_line(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / METADATA).write_text(content)
    assert main(["--verify", str(tmp_path)]) == 2
    assert len(complaints(capsys.readouterr().err)) == 1


def test_a_run_that_was_changed_is_put_in_no_crate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = build_run(tmp_path / "results")
    run.attempt(1).ended.write_text("{}")
    assert main([str(tmp_path / "results"), "--out", str(tmp_path / "c.zip")]) == 1
    assert "ended.json: changed since it was sealed" in capsys.readouterr().err
    assert not (tmp_path / "c.zip").exists()


FOREIGN: list[tuple[str, list[Any]]] = [
    ("conformsTo", ["x", 7, [7, "x"], {"a": 1}, [[]]]),
    ("license", ["http://[x", {"@id": 7}, []]),
    ("datePublished", [[1], {"@id": "x"}, 7]),
    ("@type", [7, [[]], {"a": 1}, None]),
]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in FOREIGN for value in values]
)
def test_no_value_of_a_foreign_crate_ends_it_with_a_traceback(
    crate: Path, name: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(crate, lambda graph: graph["./"].update({name: value}))
    faults(crate, capsys)


def test_metadata_that_is_a_link_is_no_crate(crate: Path) -> None:
    path = crate / METADATA
    path.symlink_to(path.rename(crate.parent / "metadata.json"))
    assert main(["--verify", str(crate)]) == 2


def test_a_zip_with_a_directory_that_no_crate_has_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "a.zip"
    with zipfile.ZipFile(packed, "w") as sink:
        for number in range(100):
            sink.writestr(f"{number}", "")
    limit = replace(foreign.DIRECTORY_BYTES, most=1000)
    monkeypatch.setattr(foreign, "DIRECTORY_BYTES", limit)
    assert main(["--verify", str(packed)]) == 2
    assert "1000 bytes of a zip's directory" in capsys.readouterr().err


def test_a_pipe_is_no_crate_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert main(["--verify", str(tmp_path / "pipe")]) == 2


def test_a_file_that_is_named_twice_is_hashed_once(
    crate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = crate / METADATA
    content = json.loads(path.read_bytes())
    file = next(one for one in content["@graph"] if one["@type"] == "File")
    content["@graph"].append({**file, "@id": f"./{file['@id']}"})
    path.write_text(json.dumps(content))
    assert any("named twice" in line for line in faults(crate, capsys))


def test_metadata_of_more_values_than_any_crate_has_is_not_decoded(
    crate: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(foreign, "METADATA_VALUES", replace(foreign.METADATA_VALUES, most=10))
    assert main(["--verify", str(crate)]) == 2
    assert "10 JSON values" in capsys.readouterr().err


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_zip_that_was_cut_is_refused_in_one_line(
    made: Made, tmp_path: Path, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "a.zip"
    assert main([str(made[0]), "--out", str(packed)]) == 0
    packed.write_bytes(packed.read_bytes()[:-cut])
    capsys.readouterr()
    assert main(["--verify", str(packed)]) in (1, 2)
    assert len(complaints(capsys.readouterr().err)) == 1


def test_a_zip64_is_read(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "a.zip"
    # More members than so many have their count in Zip64's end.
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    assert main([str(made[0]), "--out", str(packed)]) == 0
    assert b"PK\x06\x06" in packed.read_bytes()
    assert main(["--verify", str(packed)]) == 0
