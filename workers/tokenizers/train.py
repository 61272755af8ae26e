"""Train: docs and comments.

`python -m workers.tokenizers.train` makes `bundled/tokenizer.model` again, byte by byte for
the same Python and SentencePiece releases; `tokenizer.json` beside it says which those were. No
text is fetched, so the bundled vocabulary has no licence, no gate and no download of its own.
"""

import argparse
import ast
import hashlib
import io
import platform
import re
import sys
import sysconfig
import time
import tokenize
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import sentencepiece

from telemetry.record.files import write_bytes, write_json
from workers.models.llama.shape import VOCAB_SIZE
from workers.tokenizers.tokenizer import BUNDLED_MODEL

# Not every installation carries these (Debian splits them off), or they hold tables and no prose.
_LEFT_OUT: Final = frozenset(
    {
        "encodings",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "dist-packages",
        "test",
        "tests",
        "tkinter",
        "turtledemo",
        "venv",
    }
)
# Three letters in a row mark a line of words; below that it is a rule, a number or an operator.
_WORDS: Final = re.compile(r"[A-Za-z]{3}")
# SentencePiece skips longer lines (its default `max_sentence_length`, in bytes).
_MAX_LINE_BYTES: Final = 4192
# A piece is seldom longer in English; SentencePiece's own default, written out as LLaMA's is.
_MAX_PIECE_CHARS: Final = 16


def library_texts(folder: Path) -> Iterator[str]:
    """Every string and comment of the modules below `folder`, in the order of their paths.

    Modules that this Python cannot tokenize are left out.
    """
    for path in sorted(folder.rglob("*.py")):
        if _LEFT_OUT.intersection(path.relative_to(folder).parts):
            continue
        try:
            with tokenize.open(path) as source:
                tokens = list(tokenize.generate_tokens(source.readline))
        except (SyntaxError, UnicodeDecodeError, tokenize.TokenError):
            continue
        for token in tokens:
            if token.type == tokenize.COMMENT:
                yield token.string.lstrip("#! ")
            elif token.type == tokenize.STRING:
                value = _literal(token.string)
                if value is not None:
                    yield value


def corpus_lines(texts: Iterator[str]) -> list[str]:
    """The distinct lines of words of `texts`, stripped, in the order of their first appearance."""
    lines: dict[str, None] = {}
    for text in texts:
        for raw in text.splitlines():
            line = raw.strip()
            if _WORDS.search(line) and line.isprintable() and len(line.encode()) <= _MAX_LINE_BYTES:
                lines[line] = None
    return list(lines)


def train(lines: Sequence[str], *, vocab_size: int) -> bytes:
    """A byte-pair model with LLaMA's settings (arXiv 2302.13971, section 2.1), as a file's bytes.

    Digits stand alone, unknown characters fall back to bytes, nothing is normalized; unknown,
    begin and end are 0, 1 and 2, and there is no padding id.

    Raises:
        RuntimeError: `lines` hold too little text for that vocabulary.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocab_size,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=0.99995,
        max_sentencepiece_length=_MAX_PIECE_CHARS,
        max_sentence_length=_MAX_LINE_BYTES,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        # One thread: the merges must not depend on how many cores a machine has.
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, write the model and its record, say so; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.tokenizers.train",
        description="Train the bundled SentencePiece tokenizer on this Python's own prose.",
    )
    parser.add_argument("--out", type=Path, default=BUNDLED_MODEL, metavar="FILE")
    out: Path = parser.parse_args(arguments).out
    if not out.parent.is_dir():
        sys.stderr.write(f"`--out` must lie in a folder that exists, but is {str(out)!r} instead\n")
        return 2
    begun = time.perf_counter()
    lines = corpus_lines(_installation_texts())
    corpus = "\n".join(lines).encode()
    model = train(lines, vocab_size=VOCAB_SIZE)
    write_bytes(out, model)
    record: dict[str, Any] = {
        "file": out.name,
        "sha256": hashlib.sha256(model).hexdigest(),
        "vocab_size": VOCAB_SIZE,
        "made_by": "python -m workers.tokenizers.train",
        "python": platform.python_version(),
        "sentencepiece": version("sentencepiece"),
        "corpus": {
            "what": "strings and comments of the standard library, and pydoc's topics",
            "lines": len(lines),
            "bytes": len(corpus),
            "sha256": hashlib.sha256(corpus).hexdigest(),
        },
    }
    write_json(out.with_suffix(".json"), record)
    sys.stdout.write(
        f"{out}: {VOCAB_SIZE} pieces from {len(corpus)} bytes in "
        f"{time.perf_counter() - begun:.0f} s, sha256 {record['sha256']}\n"
    )
    return 0


def _installation_texts() -> Iterator[str]:
    from pydoc_data.topics import topics  # noqa: PLC0415 (a megabyte that nobody else needs)

    yield from (topics[name] for name in sorted(topics))
    yield from library_texts(Path(sysconfig.get_path("stdlib")))


def _literal(source: str) -> str | None:
    try:
        value = ast.literal_eval(source)
    except (SyntaxError, ValueError):
        return None
    return value if isinstance(value, str) else None


if __name__ == "__main__":
    sys.exit(main())
