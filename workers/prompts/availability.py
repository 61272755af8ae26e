"""Availability: whether a source has the prompts that a run asks for, told before anything starts.

No network, no torch and no `datasets`: a plan asks on a login node what the launch would refuse.
"""

import functools

from workers.prompts.corpus import file_asked, file_prompts, find_corpus
from workers.prompts.rows import quoted
from workers.prompts.selection import count_fault
from workers.prompts.source import PromptOrigin, PromptSource
from workers.prompts.staging import DATA, StagedCopy


def prompts_fault(source: PromptSource, prompts: int) -> str | None:
    """Why so many prompts cannot be taken from `source`; None when they can, or are on the hub.

    A file is read as the launch reads it; each is read once. Of a staged copy its record is
    believed, and hashed at the launch. What the hub holds is not known here.
    """
    available = _available(source)
    if isinstance(available, int):
        return count_fault(source, prompts, available=available)
    return available


def prompts_known(source: PromptSource) -> int | None:
    """How many prompts a source has; None where nobody can tell before a launch."""
    available = _available(source)
    return available if isinstance(available, int) else None


# A file's digest is in the source's name, so what changed is another source.
@functools.lru_cache(maxsize=64)
def _available(source: PromptSource) -> int | str | None:
    """How many prompts a source has, why it has none, or None where nobody can tell."""
    if source.source in (PromptOrigin.SYNTHETIC, PromptOrigin.HUB, PromptOrigin.RECORD):
        return None
    try:
        if source.source is PromptOrigin.STAGED:
            return _staged(source)
        assert source.path is not None
        if source.task is not None:
            return sum(1 for one in file_asked(source.path, source.task) if one.text)
        return sum(1 for text in file_prompts(source.path, source.columns) if text)
    except (ValueError, OSError) as error:
        return " ".join(str(error).split())


def _staged(source: PromptSource) -> int | str:
    copy = StagedCopy.read(source.cache, find_corpus(source.corpus))
    folder = source.cache / source.corpus / DATA
    if copy is None or copy.dataset != source.dataset or not folder.is_dir():
        return (
            f"{quoted(folder.parent)} must still be {source.dataset}, but was replaced or removed"
        )
    return copy.prompts
