"""Pieces: the vocabulary of a SentencePiece model, read from its file, and the text that ids make.

The file is a protocol buffer (sentencepiece_model.proto): field 1 is a piece with its text, score
and type, field 3 the normaliser's settings. Nothing of SentencePiece is needed to read ids back.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

# Types of a piece in sentencepiece_model.proto.
_NORMAL, _UNKNOWN, _CONTROL, _USER, _BYTE = 1, 2, 3, 4, 6
# Wire types of a protocol buffer.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# What Python makes of a byte that is no part of a character.
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_BROKEN: Final = "\ufffd"
_SPACE: Final = "\u2581"
# How LLaMA's and T5's models, and the bundled one, call the piece that ends an answer.
_END: Final = "</s>"
# What SentencePiece shows for a piece that it does not know, by default.
_UNKNOWN_TEXT: Final = " \u2047 "
# Numbers of fields in sentencepiece_model.proto: of the model, of a piece, of the normaliser.
_PIECE, _NORMALIZER = 1, 3
_TEXT, _TYPE = 1, 3
_ADD_DUMMY_PREFIX: Final = 3
_REMOVE_EXTRA_WHITESPACES: Final = 4


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """A vocabulary that ids are read back by."""

    texts: tuple[str, ...]
    """The pieces by id."""
    types: tuple[int, ...]
    """Their types, as the file numbers them."""
    strips: bool
    """Whether a space that a text begins with was put there by the encoder, and is not shown."""
    strips_all: bool
    """Whether all spaces that it begins with are, as the encoder keeps none."""

    def text(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are no UTF-8 give U+FFFD each.

        Raises:
            IndexError: an id is not in the vocabulary.
        """
        raw = bytearray()
        parts: list[str] = []
        begins = self.strips
        for token in ids:
            if token < 0:
                raise IndexError(f"`ids` must not be negative, but hold {token}")
            kind, text = self.types[token], self.texts[token]
            if kind == _BYTE:
                raw.append(int(text[1:-1], 16))
                continue
            if raw:
                parts.append(_utf8(bytes(raw)))
                raw.clear()
                begins = False
            if kind == _UNKNOWN:
                parts.append(_UNKNOWN_TEXT)
                begins = False
            elif kind != _CONTROL:
                if begins and text.startswith(_SPACE):
                    text = text.removeprefix(_SPACE)
                    begins = self.strips_all
                begins = begins and not text
                parts.append(text.replace(_SPACE, " "))
        if raw:
            parts.append(_utf8(bytes(raw)))
        return "".join(parts)

    @property
    def end(self) -> int | None:
        """The id that ends an answer; None where no piece is called so."""
        known = [at for at, kind in enumerate(self.types) if kind == _CONTROL]
        return next((at for at in known if self.texts[at] == _END), None)

    def is_silent(self, token: int) -> bool:
        """Whether an id reads as nothing wherever it stands: a control piece."""
        return 0 <= token < len(self.types) and self.types[token] == _CONTROL

    def fewest(self, text: str) -> int:
        """The fewest ids that read as `text`, one for each byte of what no piece has."""
        shown = text.replace(" ", _SPACE)
        # The first piece may hold a space that is not shown.
        begun = [shown, _SPACE + shown] if self.strips else [shown]
        return min(self._fewest(one) for one in begun)

    def _fewest(self, shown: str) -> int:
        words, longest = self._words
        least = [0, *(len(shown.encode()) + 1 for _ in shown)]
        for at, char in enumerate(shown):
            alone = 1 if char == _BROKEN else len(char.encode())
            least[at + 1] = min(least[at + 1], least[at] + alone)
            for end in range(at + 1, min(len(shown), at + longest) + 1):
                if least[at] + 1 < least[end] and shown[at:end] in words:
                    least[end] = least[at] + 1
        return least[-1]

    @cached_property
    def _words(self) -> tuple[frozenset[str], int]:
        """Every piece that is shown as it stands, and the length of the longest."""
        shown = (_NORMAL, _USER)
        words = {text for text, kind in zip(self.texts, self.types, strict=True) if kind in shown}
        return frozenset(words), max((len(word) for word in words), default=0)

    @classmethod
    def parse(cls, model: bytes) -> Self:
        """The vocabulary of a model's file.

        Raises:
            ValueError, IndexError: it is no SentencePiece model.
        """
        texts: list[str] = []
        types: list[int] = []
        added = kept_out = True
        for number, value in _fields(model):
            if number == _PIECE and isinstance(value, bytes):
                text, kind = "", _NORMAL
                for inner, content in _fields(value):
                    if inner == _TEXT and isinstance(content, bytes):
                        text = content.decode()
                    elif inner == _TYPE and isinstance(content, int):
                        kind = content
                texts.append(text)
                types.append(kind)
            elif number == _NORMALIZER and isinstance(value, bytes):
                settings = dict(_fields(value))
                added = bool(settings.get(_ADD_DUMMY_PREFIX, 1))
                kept_out = bool(settings.get(_REMOVE_EXTRA_WHITESPACES, 1))
        if not texts:
            raise ValueError("a tokenizer must hold pieces, but this file holds none")
        return cls(
            texts=tuple(texts),
            types=tuple(types),
            strips=added or kept_out,
            strips_all=kept_out,
        )


def _utf8(raw: bytes) -> str:
    """Bytes as text, one U+FFFD for each byte that is no part of a character."""
    return _ESCAPED.sub(_BROKEN, raw.decode(errors="surrogateescape"))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: number and value."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif wire == _BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError(f"a field must lie in its message, but has {size} bytes at {at}")
            yield number, data[at : at + size]
            at += size
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"a field's wire type must be 0, 1, 2 or 5, but is {wire} instead")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7
