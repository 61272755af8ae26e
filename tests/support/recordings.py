"""Recording: a sealed run as one small file that can be committed, and back.

    python -m tests.support.recordings RESULTS [--out tests/recorded] [--most-kb 300] [RUN_ID ...]

Packs every sealed run of RESULTS, or those named: its spec, its sealed attempt and its prompts as
they lie there, so that the seal holds when they are unpacked. The same run gives the same bytes.
`tests/system/test_recorded.py` checks whatever lies in `tests/recorded`.
"""

import argparse
import io
import lzma
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from telemetry.record.files import read_json, write_bytes
from telemetry.record.paths import RunPaths, list_runs

FOLDER: Final = Path(__file__).parents[1] / "recorded"
"""Where recorded runs are kept."""
SUFFIX: Final = ".tar.xz"
# A repository is cloned whole by everybody: a run that is larger belongs elsewhere.
MOST_KB: Final = 300
_KB: Final = 1000
# Real runs are some hundred kilobytes; more is no record of ours.
_MOST_UNPACKED_BYTES: Final = 100_000_000


def pack(run: RunPaths) -> bytes:
    """A sealed run as a compressed archive.

    Raises:
        ValueError: no attempt of the run is sealed.
    """
    sealed = run.sealed()
    if sealed is None:
        raise ValueError(f"{run.run_id} must be sealed to be recorded, but is not")
    names = sorted(read_json(sealed.seal)["files"])
    paths = [*(run.results / name for name in names), sealed.seal]
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in paths:
            data = path.read_bytes()
            # No owner, time or mode of the machine that packs.
            entry = tarfile.TarInfo(path.relative_to(run.results).as_posix())
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return lzma.compress(sink.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def unpack(archive: Path, results: Path) -> None:
    """Put a recorded run back into a results folder.

    Raises:
        ValueError: the archive is too large or names what lies outside the folder.
    """
    with lzma.open(archive) as source:
        data = source.read(_MOST_UNPACKED_BYTES + 1)
    if len(data) > _MOST_UNPACKED_BYTES:
        raise ValueError(f"{archive.name} must unpack to at most {_MOST_UNPACKED_BYTES} bytes")
    with tarfile.open(fileobj=io.BytesIO(data)) as content:
        for entry in content:
            target = (results / entry.name).resolve()
            if not entry.isfile() or not target.is_relative_to(results.resolve()):
                raise ValueError(f"{archive.name} must hold files of one run, but has {entry.name}")
            body = content.extractfile(entry)
            assert body is not None
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body.read())


def recorded(folder: Path = FOLDER) -> Iterator[Path]:
    """Every recorded run of a folder, by name."""
    yield from sorted(folder.glob(f"*{SUFFIX}"))


def main(argv: Sequence[str] | None = None) -> int:
    """Pack runs; 1 when one is too large, which is then left out."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.recordings", description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("runs", nargs="*", metavar="RUN_ID")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--most-kb", type=int, default=MOST_KB)
    arguments = parser.parse_args(argv)
    chosen = [
        run
        for run in list_runs(arguments.results)
        if run.sealed() is not None and (not arguments.runs or run.run_id in arguments.runs)
    ]
    if missing := set(arguments.runs) - {run.run_id for run in chosen}:
        sys.stderr.write(f"recording: {sorted(missing)[0]} is no sealed run\n")
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    too_large = 0
    for run in chosen:
        data = pack(run)
        fits = len(data) <= arguments.most_kb * _KB
        too_large += not fits
        if fits:
            write_bytes(arguments.out / f"{run.run_id}{SUFFIX}", data)
        what = "packed" if fits else f"left out, more than {arguments.most_kb} kB"
        sys.stdout.write(f"{run.run_id}: {len(data) / _KB:.0f} kB, {what}\n")
    return 1 if too_large else 0


if __name__ == "__main__":
    sys.exit(main())
