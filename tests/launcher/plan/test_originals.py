"""An original is not believed: its seals, signatures and roots are looked at before it is used."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.campaign.differences import again_document, differences, print_again
from launcher.config.errors import BadInputError
from launcher.plan.again import named_signers
from launcher.plan.originals import read_originals
from telemetry.command import CommandError, ExitCode
from telemetry.output import Output
from telemetry.record.beside import signature_of
from telemetry.record.files import read_json, write_json
from telemetry.record.paths import list_runs
from telemetry.record.roots import Root
from telemetry.record.signature import sign_file
from tests.launcher.plan.test_again import make, plan
from tests.support.forgeries import edit_json, reseal
from tests.support.signing import allow, make_key

# Linux' user and group without a file.
_NOBODY = 65534
_MOST_BYTES = 4096


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of anna and bert; `anna.signers` allows her alone."""
    place = tmp_path_factory.mktemp("keys")
    for name in ("anna", "bert"):
        allow(place / f"{name}.signers", {name: make_key(place / name)})
    return place


@pytest.fixture
def original(tmp_path: Path, keys: Path) -> Path:
    """Two runs and their root, signed by anna."""
    results = tmp_path / "theirs"
    for repeat in range(2):
        made = make(results, {"repeat": repeat})
        sign_file(made.attempt(1).seal, keys / "anna")
    sign_file(Root.take(results).keep(results), keys / "anna")
    return results


def refused(path: Path, *words: str) -> str:
    with pytest.raises(CommandError) as raised:
        plan(path, *words)
    assert raised.value.code == ExitCode.FAILED
    assert "\n" not in str(raised.value)
    assert "nothing was begun" in str(raised.value)
    return str(raised.value)


def test_an_unpacked_crate_is_a_record_and_its_archive_is_to_be_unpacked(original: Path) -> None:
    write_json(original / "ro-crate-metadata.json", {"@graph": []})
    grid, _ = plan(original)
    assert len(grid.points) == 2
    archive = original.with_name("crate.zip")
    archive.write_bytes(b"PK")
    with pytest.raises(BadInputError, match="is an archive: unzip it"):
        plan(archive)


def test_who_signed_the_original_is_told_before_anything_runs(
    original: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid, again = plan(original, f"allowed_signers={keys / 'anna.signers'}")
    assert again.originals.signed_by == "anna"
    print_again(again, grid, Output())
    assert "the original is signed by anna" in capsys.readouterr().out
    assert again_document(again, grid)["signed_by"] == "anna"


def test_without_allowed_signers_the_key_is_told_and_without_a_signature_nobody(
    original: Path, tmp_path: Path
) -> None:
    _, again = plan(original)
    assert "SHA256:" in again.originals.signed_by
    make(tmp_path / "bare")
    _, again = plan(tmp_path / "bare")
    assert again.originals.signed_by == "nobody (author unknown)"


def _seal_again(results: Path) -> None:
    run = next(list_runs(results))
    edit_json(run.attempt(1).provenance, lambda content: {**content, "user": "somebody"})
    reseal(run)


def _lose_signature(results: Path) -> None:
    signature_of(next(list_runs(results)).attempt(1).seal).unlink()


def _lead_nowhere(results: Path) -> None:
    signature = signature_of(next(list_runs(results)).attempt(1).seal)
    signature.unlink()
    signature.symlink_to("/nowhere")


@pytest.mark.parametrize("forge", [_seal_again, _lead_nowhere])
def test_a_signature_that_is_not_its_seal_s_refuses_the_whole(
    original: Path, forge: Callable[[Path], None]
) -> None:
    forge(original)
    refused(original)


@pytest.mark.parametrize("forge", [_seal_again, _lose_signature])
def test_with_allowed_signers_each_run_must_be_signed_by_one_of_them(
    original: Path, keys: Path, forge: Callable[[Path], None]
) -> None:
    forge(original)
    shutil.rmtree(original / "roots")
    refused(original, f"allowed_signers={keys / 'anna.signers'}")


def test_a_signer_whom_nobody_allows_is_refused(original: Path, keys: Path) -> None:
    assert "is of nobody in" in refused(original, f"allowed_signers={keys / 'bert.signers'}")


def test_a_seal_that_is_not_that_of_the_folder_s_root_refuses_the_whole(original: Path) -> None:
    _seal_again(original)
    for run in list_runs(original):
        signature_of(run.attempt(1).seal).unlink()
    assert "changed since the root was taken" in refused(original)


def test_a_root_that_was_edited_refuses_the_whole(original: Path) -> None:
    (path,) = (original / "roots").glob("*.json")
    content = read_json(path)
    content["seals"].popitem()
    write_json(path, content)
    assert "which its seals give" in refused(original)


def test_a_sealed_run_that_is_gone_since_a_root_was_taken_is_told(original: Path) -> None:
    gone = next(list_runs(original))
    shutil.rmtree(gone.folder)
    _, again = plan(original)
    assert f"{gone.run_id} was sealed when a root was taken, and is gone" in again.originals.doubts


def test_each_difference_is_told_with_what_it_may_change(
    original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid, again = plan(original)
    found = {one.name: one for one in differences(again.originals.runs, grid)}
    assert {"board", "driver", "cluster", "prompts (SHA-256)", "commit", "torch"} <= set(found)
    assert {"weights", "tokenizer", "dataset", "other packages"} <= set(found)
    assert found["prompts (SHA-256)"].same
    for one in again_document(again, grid)["differences"]:
        assert (one["may_change"] is None) == one["same"]
    print_again(again, grid, Output())
    told = " ".join(capsys.readouterr().out.split())
    assert "which may change:" in told
    assert "torch kernels and their choice: speed, energy" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["allowed_signers=a", "allowed_signers=b"], "must be given once"),
        (["allowed_signers="], "`allowed_signers` must be a file"),
        (["allowed_signers=/nowhere"], "`allowed_signers` must be a file"),
        ([f"allowed_signers={__file__}"], "`allowed_signers` must hold lines such as"),
    ],
)
def test_allowed_signers_that_are_no_file_are_refused(words: list[str], told: str) -> None:
    with pytest.raises(BadInputError, match=told):
        named_signers(words)
    assert named_signers(["plan=true"]) == (None, ["plan=true"])


def as_nobody(do: Callable[[], object]) -> str:
    """What one who owns nothing is told where `do` is refused; empty where it is not."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        told = "no line"
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            do()
            told = ""
        except BadInputError as error:
            told = str(error)
        finally:
            os.write(writer, told.encode())
            # Neither pytest's own end nor that of a fixture is the child's.
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    told = os.read(reader, _MOST_BYTES).decode()
    os.close(reader)
    return told


@pytest.mark.skipif(os.getuid() != 0, reason="root alone can become somebody else")
def test_a_folder_that_one_may_not_read_is_refused_in_a_line(original: Path) -> None:
    original.chmod(0o700)
    told = as_nobody(lambda: read_originals(str(original), lambda _: None))
    assert "`reproduce` must be a folder that you may read, but" in told
    assert "chmod -R go+rX" in told
