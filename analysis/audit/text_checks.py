"""Text checks: are texts those of their ids, and their tokens, by the tokenizer on record?"""

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from analysis.audit.answer_checks import TELLING_TEMPERATURE, TELLING_TOP_P
from analysis.audit.check import Case, Check, Finding, Severity, judged, skipped, unseen
from analysis.audit.pieces import Pieces
from analysis.performance.model_record import ModelFacts
from analysis.runs.labels import random_weights
from analysis.runs.unreadable import UNREADABLE
from analysis.tables.point import RANDOM
from telemetry.record.files import read_plain

# A published model of 256,000 pieces takes about 5 MB.
_MOST_MODEL_BYTES: Final = 64 << 20
# The name of a tokenizer that is a file ends with eight digits of its digest.
_DIGEST: Final = re.compile(r"-[0-9a-f]{8}$")
# Of 106,496 ids that a random 7B drew, 7 were control pieces, of 24,576 of a 65B 4; two of 32,000.
_MOST_SILENT: Final = 0.01
# Of few ids, one or two say nothing.
_SILENT_IDS: Final = 3
# Of 975 texts of GSM8K and Alpaca's seed tasks the bundled encoder makes 1.02 times the fewest in
# the mean, and at most 1.5 times and half an id more. A model need not take the encoder's own.
_MOST_OVER_FEWEST: Final = 1.5
_OVER_ROWS: Final = 1
# The room of the tokenizer that comes with the project; its model is data, and is only read.
_BUNDLED: Final = ("workers.tokenizers", "bundled", "tokenizer.model")


def texts_are_the_ids(case: Case) -> Finding:
    """Every id lies in the vocabulary, and every text is what its ids read as.

    A model of random weights may have more ids than its tokenizer: those give no text.
    """
    pieces = _pieces_of(case)
    if isinstance(pieces, Finding):
        return pieces
    responses = case.run.responses.select(["batch", "row", "generated_ids", "text"])
    faults = []
    count = len(pieces.texts)
    told = case.run.manifest["tokenizer"]
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
    told_of = f"{responses.num_rows} texts of {len(ids)} ids by tokenizer {told['sha256'][:12]}…"
    if unknown := pc.sum(pc.greater_equal(ids, count)).as_py():
        told_of += f", {unknown} of which it has not: the weights are random"
    return judged(faults, told_of)


def _ids_of_the_model(case: Case, count: int) -> int:
    """How many ids answers may have: a tokenizer's `count`, or those of a random model's shape."""
    ids = ModelFacts(case.run).number("shape", "vocab")
    if case.run.spec.weights != RANDOM or ids is None:
        return count
    return max(count, int(ids))


def tokens_are_in_the_texts(case: Case) -> Finding:
    """No answer counts an id that ended it, and none counts more than its text can hold."""
    pieces = _pieces_of(case)
    if isinstance(pieces, Finding):
        return pieces
    spec, responses = case.run.spec, case.run.responses
    answers = responses["generated_ids"].to_pylist()
    tokens = sum(len(ids) for ids in answers)
    # Ids that the tokenizer has not are the check of texts' to judge.
    known = [one for ids in answers for one in ids if 0 <= one < len(pieces.texts)]
    silent = sum(map(pieces.is_silent, known))
    faults = []
    if not spec.ignore_eos:
        past = [at for at, ids in enumerate(answers) if pieces.end in ids]
        if past:
            row = responses.slice(past[0], 1).to_pylist()[0]
            faults.append(
                f"{len(past)} answers count the id that ends one, and the spec does not ignore "
                f"ends: the first is response {row['batch']}/{row['row']}"
            )
    trained = not random_weights(case.run)
    drawn = spec.temperature >= TELLING_TEMPERATURE and spec.top_p >= TELLING_TOP_P
    # Behind an end that is ignored a trained model says anything; a random one that does not draw
    # may say one thing for ever.
    tells = not spec.ignore_eos if trained else drawn
    if tells and silent > _SILENT_IDS + _MOST_SILENT * tokens:
        faults.append(f"{silent} of {tokens} ids read as nothing, told as tokens all the same")
    if not trained or spec.ignore_eos:
        whose = "of random weights" if not trained else "ends are ignored"
        return judged(faults, f"{silent} of {tokens} ids read as nothing; {whose}")
    fewest = sum(pieces.fewest(str(text)) for text in responses["text"].to_pylist())
    if tokens > _MOST_OVER_FEWEST * fewest + _OVER_ROWS * len(answers):
        faults.append(
            f"{len(answers)} answers count {tokens} tokens, their texts take {fewest} of this "
            f"tokenizer at least: more than {_MOST_OVER_FEWEST:g} times as many"
        )
    return judged(faults, f"{tokens} tokens, {fewest} at least for their texts")


def _pieces_of(case: Case) -> Pieces | Finding:
    """The vocabulary of the record's tokenizer, or why it cannot be read by one."""
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
    return _pieces(path, sha256)


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
    Check(
        name="recount",
        claim="no answer counts more tokens than its text holds",
        look=tokens_are_in_the_texts,
        severity=Severity.WRONG,
        rule=(
            "by the same tokenizer: where ends are not ignored, no answer holds the id that ends "
            "one, and all answers together count no more tokens than the fewest pieces that make "
            "their texts, with a margin, but of random weights; few ids read as nothing where ends "
            "are not ignored, or where random weights drew them"
        ),
        tolerance=(
            f"{_MOST_OVER_FEWEST:g} times the fewest and {_OVER_ROWS} a response; "
            f"{_MOST_SILENT:.0%} of ids and {_SILENT_IDS}"
        ),
        reason=(
            "975 texts take 1.02 times the fewest by the encoder, one at most 1.5 times and half "
            "an id; random models of 21 runs drew 0.02 % that read as nothing"
        ),
        rules_out="an engine that counts tokens which nobody can read, and joules a token so less",
    ),
)
"""Checks of the answers' texts."""
