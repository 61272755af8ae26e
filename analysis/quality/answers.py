"""Answers: scores of words and numbers, as lm-eval and the data sets' own programs define them.

Each gives 0 to 1 for one answer and what is held for right; of several right answers the best
counts.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

# Rajpurkar et al., evaluate-v1.1.py and evaluate-v2.0.py: articles fall before the spaces are set.
_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)
# lm-eval's gsm8k.yaml: strict-match takes the first, flexible-extract the last number.
_STRICT: Final = re.compile(r"#### (\-?[0-9\.\,]+)")
_FLEXIBLE: Final = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
# The same file's regexes_to_ignore, of answer and reference alike.
_IGNORED: Final = (
    re.compile(","),
    re.compile(r"\$"),
    re.compile(r"(?s).*#### "),
    re.compile(r"\.$"),
)


def normalised(text: str) -> str:
    """Lower case, without punctuation and articles, words parted by one space (SQuAD)."""
    bare = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(answer: str, reference: str) -> float:
    """1 where both are the same when normalised (SQuAD)."""
    return float(normalised(answer) == normalised(reference))


def f1(answer: str, reference: str) -> float:
    """Harmonic mean of the shares of words in common (SQuAD; LongBench's qa_f1 is the same).

    Where either has no word, 1 if neither has and 0 else, as SQuAD 2.0 has it.
    """
    found, wanted = normalised(answer).split(), normalised(reference).split()
    if not found or not wanted:
        return float(found == wanted)
    common = sum((Counter(found) & Counter(wanted)).values())
    return 2.0 * common / (len(found) + len(wanted))


def choice_accuracy(answer: str, reference: str) -> float:
    """1 where the first word, without case and punctuation, is the choice's word."""
    words = answer.translate(_PUNCTUATION).lower().split()
    return float(words[:1] == [reference.translate(_PUNCTUATION).lower()])


def number_strict(answer: str, reference: str) -> float:
    """1 where the number behind `####` is the reference's (lm-eval, gsm8k's strict-match)."""
    found = _STRICT.search(answer)
    return _same_number(found[1] if found else None, reference)


def number_flexible(answer: str, reference: str) -> float:
    """1 where the last number is the reference's (lm-eval, gsm8k's flexible-extract)."""
    found = [match[0] for match in _FLEXIBLE.finditer(answer)]
    return _same_number(found[-1] if found else None, reference)


def best(score: Callable[[str, str], float], answer: str, references: Sequence[str]) -> float:
    """The score against the right answer that it is nearest to."""
    return max(score(answer, reference) for reference in references)


def _same_number(found: str | None, reference: str) -> float:
    return float(found is not None and _bare(found) == _bare(reference))


def _bare(text: str) -> str:
    for one in _IGNORED:
        text = one.sub("", text)
    return text.strip().lower()
