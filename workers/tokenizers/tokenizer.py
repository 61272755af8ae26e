"""Tokenizer: text to token ids and back, by a SentencePiece model that its digest names.

The bundled model has LLaMA's vocabulary size and conventions, so that shapes, begin and end ids
are LLaMA's while no licensed file is needed; `workers.tokenizers.train` made it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from workers.inputs.kinds import file_fault
from workers.inputs.strict_json import BOM
from workers.models.llama.shape import VOCAB_SIZE

BUNDLED_MODEL: Final = Path(__file__).resolve().parent / "bundled" / "tokenizer.model"
_BUNDLED_NAME: Final = f"joulegrid-{VOCAB_SIZE}"
_DIGEST_DIGITS: Final = 8
# A RunSpec name has at most 64 characters: stem, hyphen and digest must fit.
_MAX_STEM_CHARS: Final = 64 - 1 - _DIGEST_DIGITS
# Published models of 256 000 pieces take about 5 MB; beyond this a checkpoint was named by mistake.
_MAX_MODEL_BYTES: Final = 64 << 20

_HEAD_BYTES: Final = 4096
# A line of tiktoken's files: a piece in base64 and its rank (tiktoken/load.py).
_TIKTOKEN: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2} 0\r?\n[A-Za-z0-9+/]+={0,2} 1\r?\n")


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """A loaded SentencePiece model."""

    name: str
    """What `RunSpec.tokenizer` holds: a readable name and 8 hex digits of `sha256`."""
    sha256: str
    """SHA-256 of the model file."""
    vocab_size: int
    """Pieces; ids run from 0 to one less."""
    bos_id: int
    """Begins every encoded prompt."""
    eos_id: int
    """Ends an answer."""
    pad_id: int
    """-1 when the model has none, as LLaMA's: an engine then pads by its own rule."""
    # SentencePiece ships no type annotations.
    processor: Any = field(repr=False, compare=False)
    """The SentencePiece processor behind this tokenizer."""

    def encode(self, text: str) -> list[int]:
        """The ids of `text` after a begin-of-sequence id."""
        ids: list[int] = self.processor.encode(text, add_bos=True)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; begin and end ids give none, a broken UTF-8 sequence gives U+FFFD.

        Raises:
            ValueError: an id is outside the vocabulary.
        """
        for token in ids:
            if not 0 <= token < self.vocab_size:
                raise ValueError(
                    f"`ids` must be from 0 to {self.vocab_size - 1}, but hold {token} instead"
                )
        text: str = self.processor.decode(list(ids))
        return text


def identify(path: Path | None) -> str:
    """The tokenizer's name without loading it: hashes the file, needs no SentencePiece.

    `path` None names the bundled model.

    Raises:
        ValueError: there is no such file, or it is too large to be a tokenizer.
    """
    return _name(path, hashlib.sha256(_read(path)).hexdigest())


def load(path: Path | None) -> Tokenizer:
    """The tokenizer of the SentencePiece model at `path`; None loads the bundled one.

    Raises:
        ValueError: there is no such file, it is no SentencePiece model, or the model has no
            begin or end of sequence.
    """
    import sentencepiece  # noqa: PLC0415 (identify runs on login nodes that may not have it)

    model = _read(path)
    processor = sentencepiece.SentencePieceProcessor()
    try:
        # Not the constructor: it takes empty bytes for "no model" and fails at the first use.
        processor.LoadFromSerializedProto(model)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"`tokenizer_path` must be a SentencePiece model, but {str(path)!r} is "
            f"{_other_tokenizer(model)}"
        ) from error
    sha256 = hashlib.sha256(model).hexdigest()
    tokenizer = Tokenizer(
        name=_name(path, sha256),
        sha256=sha256,
        vocab_size=processor.vocab_size(),
        bos_id=processor.bos_id(),
        eos_id=processor.eos_id(),
        pad_id=processor.pad_id(),
        processor=processor,
    )
    if tokenizer.bos_id < 0 or tokenizer.eos_id < 0:
        raise ValueError(
            "`tokenizer_path` must be a model with begin and end of sequence, but "
            f"{str(path)!r} has ids {tokenizer.bos_id} and {tokenizer.eos_id} instead"
        )
    return tokenizer


def _read(path: Path | None) -> bytes:
    source = BUNDLED_MODEL if path is None else path
    if fault := file_fault(source):
        raise ValueError(
            f"`tokenizer_path` must be a SentencePiece model, but {str(source)!r} {fault}"
        )
    size_bytes = source.stat().st_size
    if size_bytes > _MAX_MODEL_BYTES:
        raise ValueError(
            f"`tokenizer_path` must be a SentencePiece model of at most {_MAX_MODEL_BYTES} bytes, "
            f"but {str(source)!r} has {size_bytes} instead"
        )
    return source.read_bytes()


def _other_tokenizer(model: bytes) -> str:
    """What a file is that SentencePiece does not read, with what to give in its place."""
    start = model.removeprefix(BOM).lstrip()[:_HEAD_BYTES]
    if start.startswith(b"{"):
        return "JSON, as the hub's tokenizer.json: give the tokenizer.model beside it"
    if _TIKTOKEN.match(start):
        return "a tiktoken vocabulary, as of LLaMA 3, whose ids are another model's"
    if start.isascii() and b"\0" not in start:
        return "text"
    return "none, or is cut short"


def _name(path: Path | None, sha256: str) -> str:
    if path is None:
        return f"{_BUNDLED_NAME}-{sha256[:_DIGEST_DIGITS]}"
    stem = re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).lstrip("._-")
    return f"{stem[:_MAX_STEM_CHARS] or 'tokenizer'}-{sha256[:_DIGEST_DIGITS]}"
