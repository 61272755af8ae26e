"""Text checks: is every answer's text that of its ids, by the tokenizer that the record names?"""

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.audit.pieces import Pieces
from analysis.performance.model_record import ModelFacts
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.point import RANDOM
from telemetry.record.files import read_plain

# A published model of 256,000 pieces takes about 5 MB.
_MOST_MODEL_BYTES: Final = 64 << 20
# The name of a tokenizer that is a file ends with eight digits of its digest.
_DIGEST: Final = re.compile(r"-[0-9a-f]{8}$")
# The room of the tokenizer that comes with the project; its model is data, and is only read.
_BUNDLED: Final = ("workers.tokenizers", "bundled", "tokenizer.model")


def texts_are_the_ids(case: Case) -> Finding:
    """Every id lies in the vocabulary, and every text is what its ids read as.

    A model of random weights may have more ids than its tokenizer: those give no text.
    """
    told = case.run.manifest.get("tokenizer")
    told = told if isinstance(told, dict) else {}
    sha256 = told.get("sha256")
    if not isinstance(sha256, str):
        if told and not _DIGEST.search(case.run.spec.tokenizer):
            return skipped("the tokenizer asked for is no file")
        return unseen("the tokenizer's digest is not on record")
    path = next((one for one in _at_hand(case) if _digest(one) == sha256), None)
    if path is None:
        return unseen(f"the tokenizer {sha256[:12]}… is not at hand")
    pieces = _pieces(path, sha256)
    responses = case.run.responses.select(["batch", "row", "generated_ids", "text"])
    faults = []
    count = len(pieces.texts)
    if isinstance(size := told.get("vocab_size"), int) and size != count:
        faults.append(f"the record tells of {size} pieces, its tokenizer has {count}")
    ids = pc.list_flatten(responses["generated_ids"])
    most = _ids_of_the_model(case, count)
    if len(ids):
        low, high = pc.min_max(ids).as_py().values()
        if low < 0 or high >= most:
            faults.append(f"ids run from {low} to {high}, the vocabulary from 0 to {most - 1}")
            return judged(faults, "")
    read: dict[tuple[int, ...], str] = {}
    for row in responses.to_pylist():
        key = tuple(row["generated_ids"])
        if key not in read:
            read[key] = pieces.text([one for one in key if one < count])
        if row["text"] != read[key]:
            faults.append(f"response {row['batch']}/{row['row']} is not the text of its ids")
    told_of = f"{responses.num_rows} texts of {len(ids)} ids by tokenizer {sha256[:12]}…"
    if silent := pc.sum(pc.greater_equal(ids, count)).as_py():
        told_of += f", {silent} of which it has not: the weights are random"
    return judged(faults, told_of)


def _ids_of_the_model(case: Case, count: int) -> int:
    """How many ids answers may have: a tokenizer's `count`, or those of a random model's shape."""
    ids = ModelFacts(case.run).number("shape", "vocab")
    if case.run.spec.weights != RANDOM or ids is None:
        return count
    return max(count, int(ids))


def _at_hand(case: Case) -> Iterator[Path]:
    """Where a tokenizer may lie: with the project, and where the job took it from."""
    try:
        package, *names = _BUNDLED
        yield Path(str(resources.files(package).joinpath(*names)))
    except ModuleNotFoundError:
        # Installed without the room that works.
        pass
    named = case.run.launch.get("tokenizer_path")
    if isinstance(named, str) and named:
        yield Path(named)


@lru_cache(maxsize=8)
def _digest(path: Path) -> str | None:
    """SHA-256 of a tokenizer's file; None where there is none to be read."""
    try:
        return hashlib.sha256(read_plain(path, most_bytes=_MOST_MODEL_BYTES)).hexdigest()
    except UNREADABLE:
        return None


@lru_cache(maxsize=2)
def _pieces(path: Path, sha256: str) -> Pieces:
    """The vocabulary in a file of that digest."""
    model = read_plain(path, most_bytes=_MOST_MODEL_BYTES)
    if hashlib.sha256(model).hexdigest() != sha256:
        raise ValueError(f"{path} must have the SHA-256 {sha256}, but was changed meanwhile")
    return Pieces.parse(model)


TEXT_CHECKS: Final = (
    Check(
        name="texts",
        claim="every text is that of its ids",
        look=texts_are_the_ids,
        severity=Severity.WRONG,
        rule=(
            "the SentencePiece model whose SHA-256 the record has, bundled or where the job took "
            "it from, reads every answer's ids as its text; ids lie in its vocabulary"
        ),
        tolerance="none",
        reason="ids are read back by one rule; 11,000 answers of 44 runs read as they are written",
        rules_out="answers that were replaced, with words and tokens recounted",
    ),
)
"""Checks of the answers' texts."""
