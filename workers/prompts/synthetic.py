"""Synthetic: texts of a fixed number of words, for comparing engines at equal shapes.

Real prompts are ragged: at `max_prompt_len=128` most of GSM8K's have 40 to 90 tokens, so a batch's
work hangs on which prompts it drew. A synthetic prompt says nothing; it only has the right length.
"""

import hashlib
from typing import Final

from telemetry.record.validation import require_whole

SYNTHETIC: Final = "fixed-synthetic"
"""What `RunSpec.dataset` holds for these prompts."""

RULE: Final = (
    "word i of row r is number b mod 64 of the list in workers/prompts/synthetic.py, where b is "
    "byte i mod 32 of the SHA-256 of '<seed>/prompt/<r>/<i div 32>'; cut to max_prompt_len tokens "
    "when encoded"
)
"""How anybody makes the same prompts again."""

# Each is one or more tokens of any SentencePiece vocabulary, which never joins words.
_WORD_LIST: Final = (
    "ash bay birch bread bridge candle cedar chalk cliff cloud coal copper creek dawn door dune "
    "ember fern field flint fog forge frost gate glass gorge grain gravel harbor hazel hill ice "
    "iron island kettle lake lamp larch leaf lime loom marsh meadow mill mist moss night oak "
    "oat orchard pebble pine plough pond quarry rain reed ridge river road salt sand shore snow"
)
_WORDS: Final = _WORD_LIST.split()


def fixed_prompts(count: int, *, words: int, seed: int) -> list[str]:
    """`count` texts of `words` words each, the same on every machine for the same seed.

    Raises:
        ValueError: `words` is below 1.
    """
    require_whole("words", words, 1)
    return [_text(row, words, seed) for row in range(count)]


def _text(row: int, words: int, seed: int) -> str:
    size = hashlib.sha256().digest_size
    data = b"".join(
        hashlib.sha256(f"{seed}/prompt/{row}/{block}".encode()).digest()
        for block in range(-(-words // size))
    )
    return " ".join(_WORDS[byte % len(_WORDS)] for byte in data[:words])
