"""Prompt texts: what a run was asked, read again from its prompts file, and how complex that is.

The record has no ids of prompts, so a text's entropy is of its bytes: Shannon's, of how often each
byte occurs in that text alone, in bits a byte. A text that was cut to its first tokens counts
whole. Compressed size is left out: libraries of compression differ from machine to machine, and a
table must come out the same everywhere. How readable it is is textstat's automated readability
index (Smith and Senter 1967, of letters a word and words a sentence): indices of syllables ask a
dictionary that has no numbers.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from analysis.findings.settled import settled
from analysis.runs.sealed_runs import Run
from analysis.runs.series import FloatArray, IntArray
from analysis.runs.unreadable import shortened

# The key of a line's text in every file that was ever written, the first that is there.
_TEXT_KEYS: Final = ("prompt", "text")
# Up to as many values, the ids of any tokenizer among them, are counted and not sorted: 2 MB.
_COUNTED: Final = 1 << 18


def entropy_bits(values: IntArray) -> float:
    """Shannon entropy of how often each value occurs, in bits a value; 0 of none."""
    if not len(values):
        return 0.0
    if values.min() >= 0 and values.max() <= _COUNTED:
        counts = np.bincount(values)
        counts = counts[counts > 0]
    else:
        _, counts = np.unique(values, return_counts=True)
    shares = counts / counts.sum()
    return max(0.0, settled(float(-(shares * np.log2(shares)).sum())))


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptTexts:
    """Each prompt of a run, by its line."""

    bytes_of: IntArray
    """Length of each text in UTF-8; shape (prompts,)."""
    bits_of: FloatArray
    """Entropy of each one's bytes, in bits a byte; shape (prompts,)."""
    words_of: IntArray
    """Words of each: what white space parts; shape (prompts,)."""
    readability_of: FloatArray | str
    """Automated readability index of each, about the school grade that reads it; shape (prompts,);
    or why it is not known."""


def prompt_texts(run: Run) -> PromptTexts | str:
    """What a run was asked, or why that is not known."""
    sha256 = run.launch.get("prompts_sha256")
    if not isinstance(sha256, str):
        return "launch.json names no prompts file"
    path = run.paths.prompts(sha256)
    if not path.is_file():
        return "the prompts file is not in the results folder"
    try:
        source = run.files.source(path)
        data = source.read_bytes() if isinstance(source, Path) else source.to_pybytes()
        said = list(_texts(data))
        texts = [text.encode() for text in said]
    except (OSError, ValueError) as error:
        # What a text is like is no reason to lose the run's energies.
        return f"the prompts file cannot be read: {shortened(error)}"
    if hashlib.sha256(data).hexdigest() != sha256:
        return "the prompts file is not the one that launch.json names"
    arrays = [np.frombuffer(text, dtype=np.uint8).astype(np.int64) for text in texts]
    return PromptTexts(
        bytes_of=np.array([len(text) for text in texts], dtype=np.int64),
        bits_of=np.array([entropy_bits(array) for array in arrays], dtype=np.float64),
        words_of=np.array([len(text.split()) for text in said], dtype=np.int64),
        readability_of=_readability(said),
    )


def _readability(texts: Sequence[str]) -> FloatArray | str:
    try:
        # Only a run with prompts on record asks for it.
        import textstat  # noqa: PLC0415
    except ImportError:
        return "textstat is not installed"
    indices = [float(textstat.automated_readability_index(text)) for text in texts]
    return np.array([settled(index) for index in indices], dtype=np.float64)


def _texts(data: bytes) -> Iterator[str]:
    for number, line in enumerate(data.decode(errors="replace").splitlines()):
        content = json.loads(line) if line.strip() else None
        found = (
            next((content[key] for key in _TEXT_KEYS if key in content), None)
            if isinstance(content, dict)
            else None
        )
        if not isinstance(found, str):
            raise ValueError(
                f"line {number + 1} of the prompts file must have a text, but has none"
            )
        yield found
