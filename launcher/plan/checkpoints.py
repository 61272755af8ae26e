"""Checkpoints: what `weights=` names becomes a digest and a folder, before anything starts."""

import functools
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.config.errors import BadInputError
from launcher.plan.git_silence import keep_from_git
from telemetry.named_paths import named_path
from workers.checkpoints.digests import RANDOM, CheckpointRecord, hash_files
from workers.checkpoints.files import CheckpointFiles, Format, check_model, find_files
from workers.checkpoints.tensors import check_tensors, open_tensors
from workers.planning.families import family_of
from workers.planning.own_configs import shape_named
from workers.tokenizers import tokenizer

Tell = Callable[[str], None]
"""Told, every two seconds, how far the hashing of a checkpoint is."""

_DIGEST: Final = re.compile(r"sha256-[0-9a-f]{16}")
_GB: Final = 1e9


def tell_nobody(line: str) -> None:
    """Keep it quiet."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of a point."""

    digest: str
    """What `RunSpec.weights` holds."""
    folder: Path | None
    """The checkpoint's folder; None for random weights."""
    about: str
    """What the plan says of them."""


RANDOM_WEIGHTS: Final = Weights(digest=RANDOM, folder=None, about="random")


class WeightFinder:
    """Finds the weights that points ask for; each checkpoint is opened and hashed once.

    Args:
        results: where what was hashed is kept.
        again: True hashes all files anew.
        tell: is told how far hashing is.
    """

    def __init__(self, results: Path, *, again: bool, tell: Tell = tell_nobody) -> None:
        self._results = results
        self._again = again
        self._tell = tell
        self._digests: dict[Path, str] = {}
        self._found: dict[tuple[str, str, str], Weights] = {}

    def find(self, asked: object, digest: object, model: str, config: str | None = None) -> Weights:
        """The weights that `weights=asked weights_digest=digest` names for `model`.

        `config` is the model's own, where its name is none that there is.

        Raises:
            ValueError: there is no such checkpoint, it is not whole, or of another model.
            OSError: a file cannot be read, or the digests not be kept.
        """
        # A list or a mapping is refused in words, so it must not be hashed before.
        key = (repr(asked), repr(digest), model)
        if key not in self._found:
            self._found[key] = self._find(asked, digest, model, config)
        return self._found[key]

    def _find(self, asked: object, digest: object, model: str, config: str | None) -> Weights:
        if not isinstance(asked, str) or not asked:
            raise BadInputError(
                f"`weights` must be {RANDOM} or a checkpoint's folder, but is {asked!r} instead"
            )
        if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
            raise BadInputError(
                "`weights_digest` must be sha256- and 16 hex digits or null, "
                f"but is {digest!r} instead"
            )
        if asked == RANDOM:
            if digest is not None:
                raise BadInputError(
                    f"`weights_digest` must be null for random weights, but is {digest} instead"
                )
            return RANDOM_WEIGHTS
        shape = shape_named(model, config)
        folder = named_path("weights", asked, f"{RANDOM} or a checkpoint's folder")
        if digest is not None and not folder.exists():
            return Weights(
                digest=digest, folder=folder, about="not seen here: the nodes check and hash it"
            )
        files = find_files(folder)
        check_model(files, shape)
        reader = "torch" if files.format is Format.META else "safetensors"
        seen = importlib.util.find_spec(reader) is not None
        if seen:
            check_tensors(files, open_tensors(files, family_of(shape).names), shape)
        found = self._digest(files)
        if digest not in (None, found):
            raise BadInputError(
                f"`weights_digest` must be that of {folder}, {found}, but is {digest} instead"
            )
        size_gb = sum(path.stat().st_size for path in files.paths()) / _GB
        count = len(files.weights)
        about = f"{files.format}, {count} file{'s' * (count > 1)}, {size_gb:.3g} GB"
        later = "" if seen else f"; without {reader} here, the nodes look into its files"
        return Weights(digest=found, folder=folder, about=about + later)

    def _digest(self, files: CheckpointFiles) -> str:
        if files.folder not in self._digests:
            known = CheckpointRecord.read(self._results, files.folder)
            record = hash_files(
                files, None if self._again else known, lambda *at: self._say("hashing", *at)
            )
            if record != known:
                record.write(self._results)
                keep_from_git(self._results)
            self._digests[files.folder] = record.digest
        return self._digests[files.folder]

    def _say(self, what: str, done_bytes: int, total_bytes: int) -> None:
        self._tell(
            f"{what} weights: {done_bytes / _GB:.1f} of {total_bytes / _GB:.1f} GB "
            f"({done_bytes / total_bytes:.0%})"
        )


def find_tokenizer(
    given: Path | None, weights: Weights, model: str, config: str | None = None
) -> Path | None:
    """The tokenizer of a point: the one given, else the checkpoint's own, else the bundled one.

    A checkpoint's own is the tokenizer.model in its folder or, as Meta published, in the one above.

    Raises:
        ValueError: there is none, or it has another vocabulary than the model.
    """
    path = given
    if path is None and weights.folder is None:
        return None
    if path is None:
        assert weights.folder is not None
        beside = [folder / "tokenizer.model" for folder in (weights.folder, weights.folder.parent)]
        path = next((one for one in beside if one.is_file()), None)
    if path is None:
        raise BadInputError(
            "`tokenizer` must be the checkpoint's own, as real weights know no other ids, but "
            f"there is no tokenizer.model in {weights.folder} or above: give tokenizer=<its path>"
        )
    # A login node may lack SentencePiece; the ranks look again before they load anything.
    if path.is_file() and importlib.util.find_spec("sentencepiece") is not None:
        shape = shape_named(model, config)
        found = _vocabulary(path, path.stat().st_mtime_ns)
        random = weights.folder is None
        if found > shape.vocab or (found < shape.vocab and not random):
            at_most = "at most " if random else ""
            raise BadInputError(
                f"`tokenizer` must have {at_most}{shape.vocab} ids as {shape.name} has, "
                f"but {path} has {found} instead"
            )
    return path


# Thousands of points may have one tokenizer.
@functools.lru_cache(maxsize=64)
def _vocabulary(path: Path, mtime_ns: int) -> int:
    """How many ids the tokenizer in `path` has, as of that time of last change."""
    del mtime_ns
    return tokenizer.load(path).vocab_size
