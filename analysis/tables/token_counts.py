"""Token counts: what else than ids kept may be called a run's tokens, or why nobody can tell.

The public code (facebookresearch/llama, v1) decodes prompt and answer together, cut at the end of
the sequence, after it has generated on to the full length: so a count of its text has the prompts
in it, and its energy is that of ids beyond the cut too.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from analysis.performance.model_record import ModelFacts
from analysis.runs.sealed_runs import Run
from analysis.tables.point import PAPER_ENGINE

# What an engine says of itself: False when it goes on to the full length whatever has ended.
_STOPS_EARLY: Final = "stops_early"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A number of tokens, or the reason why there is none."""

    value: int | None
    """None when the record cannot tell."""
    reason: str | None = None
    """Why not; None when it can."""


def string_tokens(run: Run) -> Counted:
    """Ids of the texts that the public code returns: prompts, and answers cut at their end."""
    if (reason := _without_ids(run.responses)) is not None:
        return Counted(value=None, reason=reason)
    kept = _sum(run.responses, "generated_tokens")
    return Counted(value=_sum(run.responses, "prompt_tokens") + kept)


def uncut_tokens(run: Run) -> Counted:
    """The same with all that was generated behind the cuts: each answer in its full length."""
    string = string_tokens(run)
    if string.value is None:
        return string
    kept = run.responses["generated_tokens"]
    most = run.spec.max_gen_len
    cut = int(pc.sum(pc.less(kept, most)).as_py() or 0)
    if not cut:
        return string
    if not _goes_on(run):
        return Counted(
            value=None,
            reason=f"{cut} of {len(kept)} answers ended early, and engine {run.spec.engine} "
            "leaves no record of what it chose behind an end",
        )
    return Counted(value=_sum(run.responses, "prompt_tokens") + len(kept) * most)


def _goes_on(run: Run) -> bool:
    """Whether every row was generated to its full length, whatever ended before."""
    stops = ModelFacts(run).flag("engine", _STOPS_EARLY)
    # The paper's loop never stops early; records from before engines said so are of it alone.
    return run.spec.engine == PAPER_ENGINE if stops is None else not stops


def _without_ids(responses: pa.Table) -> str | None:
    lengths = pc.list_value_length(responses["generated_ids"])
    texts = pc.greater(pc.utf8_length(responses["text"]), 0)
    bare = int(pc.sum(pc.and_(texts, pc.equal(lengths, 0))).as_py() or 0)
    if not bare:
        return None
    return (
        f"{bare} of {responses.num_rows} responses hold text and no ids, and the record has no "
        "tokenizer to count them with"
    )


def _sum(responses: pa.Table, name: str) -> int:
    return int(pc.sum(responses[name]).as_py() or 0)
