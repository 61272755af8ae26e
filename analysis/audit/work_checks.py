"""Work checks: do steps, windows, warm-ups and memory agree?"""

from statistics import fmean
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.audit.check import (
    Case,
    Check,
    Finding,
    Severity,
    failed,
    judged,
    passed,
    skipped,
    unseen,
)
from analysis.audit.release import missing_part, missing_steps
from analysis.performance.latency import no_steps_reason
from analysis.performance.model_record import ModelFacts
from analysis.performance.run_performance import Performance
from analysis.runs.rank_spans import RankSpans
from analysis.runs.series import IntArray
from analysis.runs.table_arrays import int_array
from analysis.tables.conditions import estimated_bytes, expected_bytes
from telemetry.clock import US_PER_S
from telemetry.record.schema import Phase

# Steps are counted by the device's clock from prefill's begin; against the host's that drifts by
# some hundred microseconds in a batch of seconds.
STEP_SLACK_US: Final = 5_000
# The most even batch of 21 recorded runs has steps that differ by 33 us.
_EVEN_US: Final = 2
_LEAST_STEPS: Final = 16
# Decisions are made on a clock that is read some lines away from the spans' edges.
WINDOW_SLACK_S: Final = 0.05
# A plan that is this near to what was taken can be trusted to fill a GPU.
MEMORY_TOLERANCE: Final = 0.05
# Rates are written in full; their spread comes out again but for rounding.
SPREAD_TOLERANCE: Final = 1e-6


def steps_agree(case: Case) -> Finding:
    """Steps, responses and spans tell the same tokens at the same times."""
    steps = case.run.steps
    rank = case.rank_0
    if missing := missing_steps(case.run, rank):
        return missing
    if steps is None:
        return skipped(no_steps_reason(rank))
    faults: list[str] = []
    tokens = 0
    batches = sorted({*steps["batch"].to_pylist(), *case.run.responses["batch"].to_pylist()})
    for number in batches:
        own = steps.filter(pc.equal(steps["batch"], number))
        answers = case.run.responses.filter(pc.equal(case.run.responses["batch"], number))
        tokens += sum(own["rows"].to_pylist())
        faults += [f"batch {number}: {fault}" for fault in _step_faults(own, answers)]
        faults += [f"batch {number}: {fault}" for fault in _time_faults(own, rank, number)]
        if case.run.launch.get("device") == "cuda":
            faults += [f"batch {number}: {fault}" for fault in _even_faults(own)]
    return judged(faults, f"{steps.num_rows} steps of {len(batches)} batches chose {tokens} tokens")


def _step_faults(steps: pa.Table, answers: pa.Table) -> list[str]:
    """How a batch's steps differ from what its responses say."""
    if steps["step"].to_pylist() != list(range(steps.num_rows)):
        return ["its steps are not numbered from 0 on"]
    times = int_array(steps, "t_us")
    if (np.diff(times) < 0).any():
        return ["a step is earlier than the one before it"]
    kept = answers.filter(pc.greater(answers["generated_tokens"], 0))
    if kept["first_token_us"].null_count or kept["last_token_us"].null_count:
        return ["a response has tokens and no time of them"]
    none = answers.filter(pc.equal(answers["generated_tokens"], 0))
    if none["first_token_us"].null_count < none.num_rows:
        return ["a response has no token and a time of one"]
    first_us, last_us = int_array(kept, "first_token_us"), int_array(kept, "last_token_us")
    if not (np.isin(first_us, times).all() and np.isin(last_us, times).all()):
        return ["a response's first or last token was chosen at no step"]
    # Of steps at one time, a row's first is the earliest and its last the latest.
    first = np.searchsorted(times, first_us, side="left")
    last = np.searchsorted(times, last_us, side="right") - 1
    if (last - first + 1 < int_array(kept, "generated_tokens")).any():
        return ["a response has more tokens than steps between its first and its last"]
    return _count_faults(int_array(steps, "rows"), first, last, kept)


def _count_faults(rows: IntArray, first: IntArray, last: IntArray, kept: pa.Table) -> list[str]:
    """How what steps count differs from responses of which each has its first and last step."""
    tokens = int_array(kept, "generated_tokens")
    # An engine of requests puts one off at times: it has its first and its last token, and others
    # at steps between that nobody tells.
    put_off = (last - first + 1 > tokens) & ~_of_a_batch(kept)
    most = _counted(len(rows), first, np.where(put_off, last + 1, first + tokens))
    sat_out = _counted(len(rows), first[put_off] + 1, last[put_off])
    wrong = np.flatnonzero((rows > most) | (rows < most - sat_out))
    if len(wrong):
        return [f"step {wrong[0]} does not count the rows that responses tell"]
    if rows.sum() != tokens.sum():
        return [f"its steps chose {rows.sum()} tokens, its responses have {tokens.sum()}"]
    return []


def _of_a_batch(responses: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which were no requests of their own."""
    if "sent_us" not in responses.column_names:
        return np.ones(responses.num_rows, dtype=np.bool_)
    return np.asarray(responses["sent_us"].is_null().to_numpy(), dtype=np.bool_)


def _counted(steps: int, begins: IntArray, ends: IntArray) -> IntArray:
    """How many of the ranges from `begins` to before `ends` each step is in."""
    chosen = np.zeros(steps + 1, dtype=np.int64)
    np.add.at(chosen, begins, 1)
    np.add.at(chosen, ends, -1)
    return np.asarray(np.cumsum(chosen)[:-1], dtype=np.int64)


def _time_faults(steps: pa.Table, rank: RankSpans, number: int) -> list[str]:
    """How a batch's steps lie outside the spans of rank 0."""
    spans = {
        phase: (int(start_us), int(end_us))
        for phase, batch, start_us, end_us in zip(
            rank.phase, rank.batch, rank.start_us, rank.end_us, strict=True
        )
        if batch == number and phase in (Phase.PREFILL, Phase.DECODE, Phase.ANSWER)
    }
    if Phase.ANSWER in spans:
        spans = dict.fromkeys((Phase.PREFILL, Phase.DECODE), spans[Phase.ANSWER])
    if len(spans) < len((Phase.PREFILL, Phase.DECODE)):
        return ["it has no PREFILL or no DECODE"]
    times = int_array(steps, "t_us")
    if not len(times):
        return ["it has no step"]
    faults = []
    for name, inside, (start_us, end_us) in (
        ("prefill's step", times[:1], spans[Phase.PREFILL]),
        ("a decoding step", times[1:], spans[Phase.DECODE]),
    ):
        outside_us = np.maximum(start_us - inside, inside - end_us)
        if len(inside) and outside_us.max() > STEP_SLACK_US:
            faults.append(f"{name} lies {outside_us.max() / US_PER_S:.3f} s outside its span")
    return faults


def _even_faults(steps: pa.Table) -> list[str]:
    """Steps of a device that follow each other as none does: at once, or to the microsecond."""
    lasted_us = np.diff(int_array(steps, "t_us"))[1:]
    if len(lasted_us) < _LEAST_STEPS:
        return []
    if np.median(lasted_us) <= 0:
        return ["most of its steps are of one moment"]
    # A mean that is no whole number is told by two.
    if np.ptp(lasted_us) <= _EVEN_US:
        return [f"all its steps took {lasted_us[0]} us, to {_EVEN_US} us"]
    return []


def window_filled(case: Case) -> Finding:
    """The measured window is as long as was asked for, of whole passes through the prompts."""
    window = ModelFacts(case.run).part("window")
    least_s = case.run.launch.get("min_window_s")
    if missing := missing_part(case.run, "window"):
        return missing
    if not isinstance(least_s, int | float):
        return failed("model.json has a window, but launch.json no least length of one")
    passes, answered = window.get("passes"), case.run.responses.num_rows
    faults = []
    if passes is None or answered != passes * case.run.spec.prompts:
        faults.append(f"{answered} answers to {case.run.spec.prompts} prompts in {passes} passes")
    if window.get("min_window_s") != least_s:
        faults.append(f"{least_s} s were asked for, {window.get('min_window_s')} s went by")
    seconds = case.run_energy.duration_s
    if seconds < least_s - WINDOW_SLACK_S:
        faults.append(f"{seconds:.3f} s were measured, {least_s:g} s asked for")
    return judged(
        faults,
        f"{seconds:.1f} s in {passes} passes, asked for were {least_s:g} s",
        strain=least_s / seconds,
    )


def warmup_told(case: Case) -> Finding:
    """Whether the warm-up ended steady is told as its rates have it; one that did not is told."""
    warmup = ModelFacts(case.run).part("warmup")
    rates, steady = warmup.get("rates_tokens_per_s"), warmup.get("steady")
    if missing := missing_part(case.run, "warmup"):
        return missing
    launch = case.run.launch
    for said, asked in (
        ("least", "warmup_batches"),
        ("most_s", "max_warmup_s"),
        ("spread", "warmup_spread"),
    ):
        if said in warmup and asked in launch and warmup[said] != launch[asked]:
            return failed(f"`{asked}` is {launch[asked]}, but model.json says {warmup[said]}")
    if not isinstance(rates, list):
        return failed("`rates_tokens_per_s` must be a list in model.json, but is none")
    if warmup.get("batches", len(rates)) != len(rates):
        return failed(
            f"{warmup['batches']} batches were answered, but {len(rates)} rates are there"
        )
    if steady is None:
        return skipped(str(warmup.get("reason") or "no warm-up was asked for"))
    last = [float(rate) for rate in rates[-int(warmup["window"]) :]]
    spread = (max(last) - min(last)) / fmean(last)
    most = float(warmup["spread"])
    if steady is not (spread <= most + SPREAD_TOLERANCE):
        return failed(f"it says steady {steady}, but its last rates differ by {spread:.2%}")
    told = (
        f"the last {len(last)} of {len(rates)} batches differ by {spread:.2%}, at most {most:.2%}"
    )
    return passed(told if steady else f"not steady: {told}", strain=spread)


def memory_planned(case: Case) -> Finding:
    """What torch took of a GPU is on record beside the plan; a plan that is off is told."""
    performance = Performance(case.run_energy)
    if missing := missing_part(case.run, "memory"):
        return missing
    estimated = estimated_bytes(performance)
    allocated = performance.model.number("memory", "peak_allocated_bytes")
    if estimated is None or allocated is None:
        if case.run.launch.get("device") == "cpu":
            return skipped(performance.model.reason("memory") or "the work was done on CPU")
        return unseen(performance.model.reason("memory") or "memory is not on record")
    if faults := _memory_faults(performance.model):
        return judged(faults, "")
    expected = expected_bytes(performance) or estimated
    off = allocated / expected - 1.0
    planned = f"{estimated / 1e9:.3f} GB planned"
    if expected != estimated:
        planned = f"{expected / 1e9:.3f} GB expected of prompts as they are, {planned}"
    told = f"{allocated / 1e9:.3f} GB taken, {planned}: {off:+.1%}"
    within = abs(off) <= MEMORY_TOLERANCE
    return passed(told if within else f"the plan was off: {told}", strain=abs(off))


def _memory_faults(model: ModelFacts) -> list[str]:
    """Where what torch says of the ranks' memory contradicts itself."""
    memory = model.part("memory")
    faults = []
    for less, more in (
        ("allocated_bytes", "peak_allocated_bytes"),
        ("peak_allocated_bytes", "peak_reserved_bytes"),
        ("device_used_bytes", "device_total_bytes"),
    ):
        one, other = memory.get(less), memory.get(more)
        if isinstance(one, int | float) and isinstance(other, int | float) and one > other:
            faults.append(f"`{less}` must be at most `{more}`, but is {one} of {other} instead")
    ranks = memory.get("ranks")
    told = [rank for rank in ranks if isinstance(rank, dict)] if isinstance(ranks, list) else []
    for name in sorted({name for rank in told for name in rank} - {"rank"}):
        each = [rank[name] for rank in told if isinstance(rank.get(name), int | float)]
        if each and memory.get(name) != max(each):
            faults.append(
                f"`{name}` must be the largest of the ranks', {max(each)}, "
                f"but is {memory.get(name)} instead"
            )
    return faults


WORK_CHECKS: Final = (
    Check(
        name="steps",
        claim="steps, responses and spans tell the same",
        severity=Severity.WRONG,
        rule=(
            "steps, responses and spans tell the same tokens at the same times, and"
            " steps of a device differ as steps do"
        ),
        tolerance=f"{STEP_SLACK_US // 1000} ms between a step and its span",
        reason=("the device's clock drifts from the host's by some hundred microseconds a batch"),
        rules_out="steps that were made up, and tokens that were chosen at no step",
        look=steps_agree,
    ),
    Check(
        name="window",
        claim="the window is as long as asked for",
        severity=Severity.WEAK,
        rule="the measured window is of whole passes and as long as was asked for",
        tolerance=f"{WINDOW_SLACK_S:g} s",
        reason="the decision to end is made some lines away from the span's edge",
        rules_out="a window cut to the part that suits",
        look=window_filled,
    ),
    Check(
        name="warm-up",
        claim="the warm-up tells whether it was steady",
        severity=Severity.WEAK,
        rule=("model.json's word whether the warm-up was steady follows from the rates beside it"),
        tolerance=f"{SPREAD_TOLERANCE:g} of the spread",
        reason="rates are written in full",
        rules_out="a warm-up that was not steady and is told as such",
        look=warmup_told,
    ),
    Check(
        name="memory",
        claim="memory is told beside its plan",
        severity=Severity.WEAK,
        rule=("torch's figures of memory do not contradict each other, and stand beside the plan"),
        tolerance=f"none; a plan off by more than {MEMORY_TOLERANCE:.0%} is told",
        reason="a peak is no less than what it is the peak of",
        rules_out="figures of memory that were edited one by one",
        look=memory_planned,
    ),
)
"""Checks of the work, in the audit's order."""
