"""Paging checks: did an engine of pages have as many as its requests need?"""

from collections.abc import Mapping
from typing import Final

from analysis.audit.check import Case, Check, Finding, Severity, failed, judged, skipped, unseen

# It keeps one page for what no request owns (vllm/v1/core/block_pool.py, the null block).
_SPARE: Final = 1
# The engine that tells of pages.
_PAGED: Final = "vllm"
_COUNTS: Final = ("pages", "page_positions", "planned_pages")
# A share is written in full.
_ROUNDING: Final = 1e-9


def pages_as_planned(case: Case) -> Finding:
    """The pages that the library says it has are those that the spec's requests need, or more."""
    spec = case.run.spec
    engine = case.run.model.get("engine")
    told = engine.get("cache") if isinstance(engine, Mapping) else None
    if not isinstance(told, Mapping):
        if spec.engine != _PAGED:
            return skipped(f"engine {spec.engine} tells of no pages")
        return unseen("not recorded: the run is from before its cache's pages")
    counts = [told.get(name) for name in _COUNTS]
    pages, positions, planned = (
        one if isinstance(one, int) and not isinstance(one, bool) and one > 0 else 0
        for one in counts
    )
    if not (pages and positions and planned):
        return failed(f"{', '.join(_COUNTS)} must be counts above 0, but are {counts}")
    longest = spec.max_prompt_len + spec.max_gen_len
    needed = spec.batch_size * -(-longest // positions) + _SPARE
    faults = []
    if planned != needed:
        faults.append(f"{planned} pages were planned, {spec.batch_size} requests need {needed}")
    if pages < needed:
        faults.append(f"there were {pages} pages, {spec.batch_size} requests need {needed}")
    more = told.get("more_than_planned")
    if not isinstance(more, float) or abs(more - (pages / planned - 1.0)) > _ROUNDING:
        faults.append(f"{pages} of {planned} pages are told as {more} more than planned")
    return judged(
        faults,
        f"{pages} pages of {positions} positions, {needed} needed: {pages / needed - 1.0:+.1%}",
    )


PAGING_CHECKS: Final = (
    Check(
        name="pages",
        claim="no request was put off for want of pages",
        severity=Severity.WRONG,
        rule=(
            "the pages that the library says it allocated are at least those that `batch_size` "
            "requests of the spec at their longest need, with its spare"
        ),
        tolerance="none",
        reason="a page has its positions, and the library rounds down to whole pages",
        rules_out=(
            "a run whose requests were read twice, as there was no room, told as one that was not"
        ),
        look=pages_as_planned,
    ),
)
"""Checks of a paged cache."""
