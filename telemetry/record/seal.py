"""Seal: SHA-256 of every file of a completed run, written last and never edited."""

from pathlib import Path
from typing import Any, Final

from telemetry.clock import wall_us
from telemetry.record.files import create_json, file_sha256, read_json
from telemetry.record.paths import AttemptPaths, RunPaths
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
        ValueError: seal.json is no JSON object.
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
    for name, sha256 in sorted(files.items()):
        path = run.results / name
        # A seal is foreign input: it must not make its reader hash what lies elsewhere.
        if not path.resolve().is_relative_to(run.results.resolve()):
            differences.append(f"{name}: outside the results folder")
        elif not path.is_file():
            differences.append(f"{name}: missing")
        elif file_sha256(path) != sha256:
            differences.append(f"{name}: changed since it was sealed")
    present = {_name(run, path) for path in (run.spec, *_attempt_files(attempt))}
    differences += [f"{name}: not in the seal" for name in sorted(present - set(files))]
    return differences


def _attempt_files(attempt: AttemptPaths) -> list[Path]:
    """Every file of the attempt but its seal, sorted."""
    return [
        path
        for path in sorted(attempt.folder.rglob("*"))
        if (path.is_file() or path.is_symlink()) and path != attempt.seal and not _leftover(path)
    ]


def _leftover(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix in _LEFTOVERS


def _name(run: RunPaths, path: Path) -> str:
    return path.relative_to(run.results).as_posix()
