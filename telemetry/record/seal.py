"""Seal: SHA-256 of every file of a completed run, written last and never edited."""

import hashlib
import os
from pathlib import Path
from typing import Any, Final

from telemetry.clock import wall_us
from telemetry.record.beside import is_beside
from telemetry.record.files import (
    create_json,
    file_sha256,
    read_json,
)
from telemetry.record.limits import ATTEMPT_BYTES, ATTEMPT_DEPTH, ATTEMPT_FILES
from telemetry.record.paths import AttemptPaths, RunPaths
from telemetry.record.plain_file import NotPlainError, plain_file
from telemetry.record.schema import SCHEMA_VERSION, EndState

SEALED: Final = "sealed"
"""Where a run stands that has a seal, in the words that it is told in."""
# What an atomic write that was cut off leaves behind; it was never part of the record.
_LEFTOVERS: Final = (".tmp", ".new")


def seal_attempt(run: RunPaths, attempt: AttemptPaths) -> dict[str, Any]:
    """Seal a completed and merged attempt; its seal, the existing one where there is one.

    Raises:
        ValueError: the attempt did not complete, is not merged, or another attempt is sealed.
    """
    if attempt.seal.is_file():
        return read_json(attempt.seal)
    end = read_json(attempt.ended) if attempt.ended.is_file() else {}
    if end.get("state") != EndState.COMPLETED:
        raise ValueError(
            f"`state` of {attempt.folder} must be completed to be sealed, "
            f"but is {end.get('state', 'not recorded')} instead"
        )
    if not attempt.manifest.is_file():
        raise ValueError(f"{attempt.folder} must be merged to be sealed, but has no manifest")
    if (other := run.sealed()) is not None:
        raise ValueError(
            f"{run.folder} must have at most one sealed attempt, but {other.number} is sealed"
        )
    manifest = read_json(attempt.manifest)
    files = [run.spec, *_attempt_files(attempt)]
    # The manifest names the prompts as the job was told to take them.
    if manifest["prompts"]["sha256"] is not None:
        files.append(run.prompts(manifest["prompts"]["sha256"]))
    content = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "attempt": attempt.number,
        "sealed_us": wall_us(),
        "files": {_name(run, path): file_sha256(path) for path in files},
    }
    create_json(attempt.seal, content)
    return read_json(attempt.seal)


def verify_seal(run: RunPaths, attempt: AttemptPaths) -> list[str]:
    """Every difference between the seal and what lies there, one line each; none when intact.

    Raises:
        FileNotFoundError: the attempt is not sealed.
        ValueError: seal.json is no JSON object, or the attempt is larger than any.
    """
    seal = read_json(attempt.seal)
    expected = {"schema_version": SCHEMA_VERSION, "run_id": run.run_id, "attempt": attempt.number}
    differences = [
        f"seal: `{key}` must be {value!r}, but is {seal.get(key)!r} instead"
        for key, value in expected.items()
        if seal.get(key) != value
    ]
    files = seal.get("files")
    if not isinstance(files, dict):
        return [*differences, "seal: `files` must be an object of hashes, but is not"]
    results = Path(os.path.realpath(run.results))
    folders: dict[Path, Path] = {}
    ours = _attempt_files(attempt)
    # Before any is hashed: a file of holes is as long as it says.
    ATTEMPT_BYTES.require(sum(path.lstat().st_size for path in ours), str(attempt.folder))
    for name, sha256 in sorted(files.items()):
        if (difference := _difference(results, name, sha256, folders)) is not None:
            differences.append(f"{name}: {difference}")
    present = {_name(run, path) for path in (run.spec, *ours)}
    differences += [f"{name}: not in the seal" for name in sorted(present - set(files))]
    return differences


def _difference(results: Path, name: str, sha256: object, folders: dict[Path, Path]) -> str | None:
    """How a file differs from what its seal says; None when it does not.

    `results` has no link in it, and `folders` keeps where each folder really is: to ask again for
    every file takes longer than to hash it.
    """
    path = results / name
    try:
        if path.parent not in folders:
            # Path.resolve raises no OSError on a link to itself.
            folders[path.parent] = Path(os.path.realpath(path.parent))
        linked = path.name == ".." or path.is_symlink()
        real = Path(os.path.realpath(path)) if linked else folders[path.parent] / path.name
        # A seal is foreign input: it must not make its reader hash what lies elsewhere.
        if not real.is_relative_to(results):
            return "outside the results folder"
        return None if file_sha256(path) == sha256 else "changed since it was sealed"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return error.strerror or str(error)
    except NotPlainError:
        return "no plain file"
    except ValueError as error:
        return str(error)


def read_sealed(path: Path, sha256: str | None) -> bytes:
    """The bytes of a file that a seal names, none other than those that were hashed here.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or its SHA-256 is not `sha256`; None for one that the seal
            does not name.
    """
    if sha256 is None:
        raise ValueError(f"{path.name} must be in the seal, but is not")
    with plain_file(path) as number:
        size = os.fstat(number).st_size
        with open(number, "rb", closefd=False) as source:
            # Not a byte beyond the size it had: a file that grows has not the hash anyway.
            data = source.read(size)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{path.name} must be as it was sealed, but was changed since")
    return data


def _attempt_files(attempt: AttemptPaths) -> list[Path]:
    """Everything in the attempt that is no folder, but its seal and who vouched for it, sorted.

    Raises:
        BeyondLimitError: there are more, or folders deeper, than any attempt has.
    """
    found = []
    top = len(attempt.folder.parts)
    for folder, inner, files in os.walk(attempt.folder):
        ATTEMPT_DEPTH.require(len(Path(folder).parts) - top, str(attempt.folder))
        links = [name for name in inner if Path(folder, name).is_symlink()]
        found += [Path(folder, name) for name in (*files, *links) if not _leftover(name)]
        ATTEMPT_FILES.require(len(found), str(attempt.folder))
    seal = attempt.seal
    return sorted(
        (path for path in found if path != seal and not is_beside(seal, path)), key=os.fspath
    )


def _leftover(name: str) -> bool:
    return name.startswith(".") and name.endswith(_LEFTOVERS)


def _name(run: RunPaths, path: Path) -> str:
    return path.relative_to(run.results).as_posix()
