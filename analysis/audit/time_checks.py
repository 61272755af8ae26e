"""Time checks: do independent writers agree on what was done when, and for how long?"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from analysis.audit.check import Case, Finding, judged, skipped, unseen
from analysis.audit.release import missing_model
from analysis.performance.model_record import ModelFacts
from analysis.runs.rank_spans import RankSpans, measured_window_us
from analysis.runs.table_arrays import int_array
from analysis.runs.unreadable import UNREADABLE, shortened
from telemetry.clock import US_PER_MS, US_PER_S
from telemetry.record.arithmetic import Arithmetic
from telemetry.record.clock_offset import HostOffset
from telemetry.record.files import read_json
from telemetry.record.schema import Phase

# The record's own words of a length differ from the spans' by a few lines of code; 8 ms at most in
# 34 recorded runs.
LENGTH_SLACK_S: Final = 0.5
WINDOW_SLACK_S: Final = 0.05
# Shards are opened right before the first batch; a shared disk may take its time.
_OPENED_SLACK_S: Final = 10.0
# After a steady warm-up the same batch went 2.7 % slower to 0.6 % faster in 22 real runs; boards
# that warm up further, or meet a cap, lose some percent.
PACE_TOLERANCE: Final = 0.15
# By rank 0's own clock the tokens took 0.1 to 0.7 % longer in 34 recorded runs.
_LEAST_TOOK: Final = 0.98
_MOST_TOOK: Final = 1.1
# Rank 0 writes how it ended when all ranks and watchers are gone: 1.5 s at most in 34 runs.
END_SLACK_S: Final = 60.0
# Watchers begin before and go after the ranks.
WATCH_SLACK_S: Final = 5.0
# In half of their batches ranks wait for each other: 1.7 ms at most in 22 recorded runs.
MEETING_US: Final = 100 * US_PER_MS
# NTP slews a clock by 500 ppm at most (adjtimex(2)), two clocks away from each other by twice that.
MOST_DRIFT: Final = 1000e-6
# A busy machine answers late once more than its round trips tell.
STEADY_US: Final = 1 * US_PER_MS
# A clock known to no better than a poll's time puts a node's power into other phases.
MOST_ERROR_US: Final = 100 * US_PER_MS
# A watcher's first and last poll, and 1 % of the others, in 21 recorded runs; on a busy node more.
TICKS_SLACK: Final = 5
TICKS_TOLERANCE: Final = 0.1
REST_SLACK_S: Final = 0.1

_BEFORE: Final = (Phase.STARTUP, Phase.IDLE, Phase.LOAD, Phase.WARMUP)
_WORDS: Final = frozenset(Phase)


def phases_lawful(case: Case) -> Finding:
    """Every rank went through the phases in their order, with the rest and warm-up asked for."""
    launch = case.run.launch
    faults = []
    first: tuple[tuple[str, int | None], ...] | None = None
    for rank in case.run_energy.ranks:
        where = f"rank {rank.rank}"
        faults += [f"{where}: {fault}" for fault in _order_faults(rank)]
        faults += [f"{where}: {fault}" for fault in _asked_faults(rank, launch)]
        went = tuple(zip(rank.phase, rank.batch, strict=True))
        first = first or went
        if went != first:
            faults.append(f"{where}: its phases are not those of the first rank")
    told = ModelFacts(case.run).part("engine").get("phases")
    made = {phase for phase, number in first or () if number is not None and number >= 0}
    made &= {Phase.ENCODE, Phase.PREFILL, Phase.DECODE, Phase.ANSWER}
    if isinstance(told, list) and made and made != set(told):
        faults.append(f"batches have {', '.join(sorted(made))}, the engine {', '.join(told)}")
    arithmetic = ModelFacts(case.run).arithmetic
    if made & {Phase.PREFILL} and isinstance(arithmetic, Arithmetic):
        # An encoder's pass that is told as a prefill would be charged to the decoder.
        if arithmetic.encoder is not None and Phase.ENCODE not in made:
            faults.append("the model has an encoder, and no batch an encode of it")
        elif arithmetic.encoder is None and Phase.ENCODE in made:
            faults.append("batches have an encode, and the model has no encoder")
    return judged(faults, f"{len(first or ())} phases a rank, from startup to shutdown")


def _order_faults(rank: RankSpans) -> Iterator[str]:
    if strangers := sorted(set(rank.phase) - _WORDS):
        yield f"`phase` must be one of {', '.join(sorted(_WORDS))}, but is {strangers[0]!r} instead"
        return
    opening = [phase for phase in rank.phase if phase in _BEFORE]
    place = [_BEFORE.index(Phase(phase)) for phase in opening]
    if list(rank.phase[: len(opening)]) != opening or place != sorted(set(place)):
        yield f"it began with {', '.join(rank.phase[: len(opening) + 1])}"
    if Phase.STARTUP not in opening or Phase.LOAD not in opening:
        yield "it has no startup or no load"
    if rank.phase[-1] != Phase.SHUTDOWN or rank.phase.count(Phase.SHUTDOWN) > 1:
        yield "it does not end with its one shutdown"
    work = rank.phase[len(opening) : -1]
    before = Phase.OVERHEAD.value
    for phase in work:
        lawful = {
            Phase.ENCODE: (Phase.OVERHEAD,),
            Phase.PREFILL: (Phase.OVERHEAD, Phase.ENCODE),
            Phase.ANSWER: (Phase.OVERHEAD,),
            Phase.DECODE: (Phase.PREFILL,),
            Phase.OVERHEAD: (Phase.DECODE, Phase.ANSWER),
        }.get(Phase(phase), ())
        if before not in lawful:
            yield f"{phase} follows {before}"
            return
        before = phase
    numbers = [
        number
        for phase, number in zip(rank.phase, rank.batch, strict=True)
        if phase in (Phase.PREFILL, Phase.ANSWER)
    ]
    if numbers != list(range(len(numbers))):
        yield "its batches are not numbered from 0 on"
    encoded = rank.batches(rank.measured(Phase.ENCODE)).tolist()
    if encoded and encoded != numbers:
        yield f"{len(encoded)} of its batches have an encode, of {len(numbers)}"


def _asked_faults(rank: RankSpans, launch: Mapping[str, Any]) -> Iterator[str]:
    """Where its rest or warm-up is not what launch.json asks for."""
    idle_s, batches = launch.get("idle_s"), launch.get("warmup_batches")
    rested_s = float(rank.seconds(rank.of(Phase.IDLE)).sum())
    idle_s = float(idle_s) if isinstance(idle_s, int | float) else rested_s
    if (idle_s > 0) is not (Phase.IDLE in rank.phase) or rested_s < idle_s - REST_SLACK_S:
        yield f"{idle_s:g} s of idle were asked for, it rested {rested_s:.3f} s"
    if isinstance(batches, int) and (batches > 0) is not (Phase.WARMUP in rank.phase):
        yield f"{batches} batches of warm-up were asked for, its spans say otherwise"


def lengths_agree(case: Case) -> Finding:
    """Window, warm-up, begin and end are as long in spans as other files of the run say."""
    if missing := missing_model(case.run):
        return missing
    model, run_energy = ModelFacts(case.run), case.run_energy
    rank = case.rank_0
    faults = []
    told_s = model.number("window", "seconds")
    seconds = run_energy.duration_s
    # Rank 0 tells of its own; ranks of a busy machine leave their last batch apart.
    begun_us, ended_us = measured_window_us((rank,)) or (0, 0)
    own_s = (ended_us - begun_us) / US_PER_S
    for length_s, slack_s in ((own_s, WINDOW_SLACK_S), (seconds, LENGTH_SLACK_S)):
        if told_s is not None and abs(told_s - length_s) > slack_s:
            faults = [f"the window is {length_s:.3f} s in spans, {told_s:.3f} s in model.json"]
    batches = model.number("window", "batches")
    counted = len(rank.measured(Phase.PREFILL)) + len(rank.measured(Phase.ANSWER))
    if batches is not None and batches != counted:
        faults.append(f"spans have {counted} batches, model.json {batches:.0f}")
    warm_s = model.number("warmup", "seconds")
    spent_s = float(rank.seconds(rank.of(Phase.WARMUP)).sum())
    if warm_s is not None and abs(warm_s - spent_s) > LENGTH_SLACK_S:
        faults.append(f"the warm-up is {spent_s:.3f} s in spans, {warm_s:.3f} s in model.json")
    faults += _opened_faults(case, rank)
    faults += _pace_faults(case, model)
    faults += _progress_faults(case, seconds)
    ended_us = int(read_json(case.attempt.ended)["t_us"])
    last_us = max(one.life_us[1] for one in run_energy.ranks)
    after_s = (ended_us - last_us) / US_PER_S
    if not -WATCH_SLACK_S <= after_s <= END_SLACK_S:
        faults.append(f"the attempt ended {after_s:.3f} s after its last span")
    return judged(
        faults,
        f"a window of {seconds:.3f} s, the end {after_s:.3f} s after the last span",
        strain=after_s / END_SLACK_S,
    )


def _pace_faults(case: Case, model: ModelFacts) -> list[str]:
    """Where a GPU's batches took other times than the same batch in a warm-up that was steady."""
    warmup, steps, spec = model.part("warmup"), case.run.steps, case.run.spec
    rates = warmup.get("rates_tokens_per_s")
    if case.run.launch.get("device") != "cuda" or warmup.get("steady") is not True:
        return []
    if steps is None or not isinstance(rates, list) or not rates:
        return []
    a_pass = -(-spec.prompts // spec.batch_prompts)
    batch, t_us = int_array(steps, "batch"), int_array(steps, "t_us")
    # The warm-up answers the first batch of a pass, and counts from its first step to its last.
    paces = []
    for number in np.unique(batch[batch % a_pass == 0]):
        own = t_us[batch == number]
        if len(own) > 1 and own[-1] > own[0]:
            rows = min(spec.batch_prompts, spec.prompts)
            paces.append(rows * (len(own) - 1) / (own[-1] - own[0]) * US_PER_S)
    if not paces:
        return []
    pace, warm = float(np.median(paces)), float(rates[-1])
    if abs(pace / warm - 1.0) <= PACE_TOLERANCE:
        return []
    return [f"its steps make {pace:.0f} tokens/s, the same batch in the warm-up {warm:.0f}"]


def _progress_faults(case: Case, seconds: float) -> list[str]:
    """Where what rank 0 last told people who waited is not what the spans and responses say."""
    if not case.attempt.progress.is_file():
        return []
    progress = read_json(case.attempt.progress)
    counted, rate = progress.get("generated_tokens"), progress.get("tokens_per_s")
    wanted = case.run.spec.prompts
    for name in ("prompts_total", "prompts_done"):
        if progress.get("phase") == Phase.SHUTDOWN and progress.get(name, wanted) != wanted:
            return [f"progress.json counts {progress[name]} of `{name}`, the spec {wanted}"]
    passes = progress.get("pass")
    if progress.get("phase") == Phase.SHUTDOWN and isinstance(passes, int):
        answered = case.run.responses.num_rows
        if answered != passes * wanted:
            return [f"progress.json counts {passes} passes, responses are {answered} of {wanted}"]
    if progress.get("phase") != Phase.SHUTDOWN or not isinstance(counted, int):
        return []
    held = int(pc.sum(case.run.responses["generated_tokens"]).as_py() or 0)
    if counted != held:
        return [f"progress.json counts {counted} tokens, the responses {held}"]
    if not isinstance(rate, int | float) or not rate > 0:
        return []
    took_s = counted / rate
    # Its time is a little longer than the window: it ends when the last answers are written.
    least_s, most_s = (
        _LEAST_TOOK * seconds - WINDOW_SLACK_S,
        _MOST_TOOK * seconds + LENGTH_SLACK_S,
    )
    if least_s <= took_s <= most_s:
        return []
    return [f"{counted} tokens took {took_s:.3f} s in progress.json, {seconds:.3f} s in spans"]


def _opened_faults(case: Case, rank: RankSpans) -> list[str]:
    """The shard of responses is opened when the first batch is about to begin."""
    starts = [
        *rank.start_us[rank.measured(Phase.ENCODE)],
        *rank.start_us[rank.measured(Phase.PREFILL)],
        *rank.start_us[rank.measured(Phase.ANSWER)],
    ]
    faults = []
    for name, metadata in case.shard_metadata():
        clock = metadata.get("clock")
        if not name.startswith("responses/") or not isinstance(clock, dict) or not starts:
            continue
        opened_us = int(clock["monotonic_us"]) + int(clock["offset_us"])
        apart_s = (int(min(starts)) - opened_us) / US_PER_S
        if abs(apart_s) > _OPENED_SLACK_S:
            faults.append(f"{name} was opened {apart_s:.1f} s before the first batch began")
    return faults


def watchers_agree(case: Case) -> Finding:
    """Each watcher wrote as many rows as it counted, and watched as long as the ranks worked."""
    records = {path.stem: path for path in sorted(case.attempt.watchers.glob("*.json"))}
    faults = []
    rows: dict[str, int] = {}
    damaged: set[str] = set()
    for part in case.run.manifest.get("parts", []):
        kind, host = str(part["path"]).split("/")[1:3]
        if kind == "samples":
            rows[host] = rows.get(host, 0) + int(part["rows"])
            damaged |= {host} if part["damage"] else set()
    first_us = min(rank.life_us[0] for rank in case.run_energy.ranks)
    last_us = max(rank.life_us[1] for rank in case.run_energy.ranks)
    missing = sorted(set(case.run.hosts) - set(records))
    for host in sorted(set(case.run.hosts) & set(records)):
        record = read_json(records[host])
        exit_path = case.attempt.watchers / f"{host}.exit.json"
        died = bool(read_json(exit_path).get("deaths")) if exit_path.is_file() else False
        counted = record.get("rows")
        if counted != rows.get(host, 0) and not died and host not in damaged:
            faults.append(
                f"{host}: its watcher counted {counted} rows, {rows.get(host, 0)} are there"
            )
        faults += [f"{host}: {fault}" for fault in _watch_faults(record, first_us, last_us)]
        ready, ended = case.run.hosts[host], read_json(exit_path) if exit_path.is_file() else {}
        if not died:
            faults += [f"{host}: {fault}" for fault in _exit_faults(record, ended, ready)]
    if missing and not faults:
        return unseen(f"{missing[0]}: nothing is on record of how its watching went")
    return judged(faults, f"{sum(rows.values())} rows of {len(records) // 2 or len(rows)} watchers")


def _watch_faults(record: Mapping[str, Any], first_us: int, last_us: int) -> Iterator[str]:
    started_us, ended_us = record.get("started_us"), record.get("ended_us")
    slack_us = WATCH_SLACK_S * US_PER_S
    if isinstance(started_us, int) and started_us > first_us + slack_us:
        yield f"its watcher began {(started_us - first_us) / US_PER_S:.1f} s after the ranks"
    if not isinstance(started_us, int) or not isinstance(ended_us, int):
        return
    if ended_us < last_us - slack_us:
        yield f"its watcher ended {(last_us - ended_us) / US_PER_S:.1f} s before the ranks"


def _exit_faults(
    record: Mapping[str, Any], ended: Mapping[str, Any], ready: Mapping[str, Any]
) -> Iterator[str]:
    """Where a watcher that never died says otherwise than who started it, or than its own time."""
    if ended.get("exit_code", 0) != 0 or ended.get("early", False):
        yield f"its watcher ended {'early ' if ended.get('early') else ''}by {ended['exit_code']}"
    if "pid" in ended and ended["pid"] != ready.get("pid", ended["pid"]):
        yield f"its watcher was process {ready['pid']}, and {ended['pid']} ended"
    started_us, ended_us = record.get("started_us"), record.get("ended_us")
    if not isinstance(started_us, int) or not isinstance(ended_us, int):
        return
    for what, stamp_us, of_us in (
        ("said that it was ready", ready.get("ready_us"), started_us),
        ("was seen to end", ended.get("t_us"), ended_us),
    ):
        if isinstance(stamp_us, int) and abs(stamp_us - of_us) > WATCH_SLACK_S * US_PER_S:
            apart_s = (stamp_us - of_us) / US_PER_S
            yield f"its watcher {what} {apart_s:.1f} s after its own record has it"
    period_ms, ticks = ready.get("period_ms"), record.get("ticks")
    if isinstance(period_ms, int) and isinstance(ticks, int):
        due = (ended_us - started_us) / (period_ms * US_PER_MS)
        took = ticks + int(record.get("ticks_missed", 0))
        if abs(took - due) > TICKS_SLACK + TICKS_TOLERANCE * due:
            yield f"its watcher polled {took} times, every {period_ms} ms were {due:.0f}"


def clocks_agree(case: Case) -> Finding:
    """Every node's clock was measured, well enough, and ranks that wait for each other agree."""
    ranks = list(case.run_energy.ranks)
    hosts = sorted({rank.host for rank in ranks})
    if len(hosts) == 1:
        return skipped("the run is of one node")
    if "clocks" not in case.run.manifest:
        return unseen("not recorded: the run is from before nodes' clocks were")
    faults = []
    worst_us = 0
    for host in hosts:
        try:
            offset = HostOffset.read(case.attempt.clocks / f"{host}.json")
        except UNREADABLE as error:
            faults.append(f"{host}: its clock is not on record: {shortened(error)}")
            continue
        if offset.host != host:
            faults.append(f"{host}: the clock on record as its own is of {offset.host}")
        worst_us = max(worst_us, offset.error_us)
        faults += [f"{host}: {fault}" for fault in _offset_faults(offset, case.rank_0.host)]
        if offset.error_us > MOST_ERROR_US:
            faults.append(
                f"{host}: its clock is known to {offset.error_us / US_PER_S:.3f} s, "
                f"at most {MOST_ERROR_US / US_PER_S:g} s are of use"
            )
    for rank in ranks[1:]:
        apart_us = _apart_us(ranks[0], rank)
        if apart_us is not None and apart_us > MEETING_US + 2 * worst_us:
            faults.append(
                f"rank {rank.rank} on {rank.host} is {apart_us / US_PER_S:.3f} s off rank "
                f"{ranks[0].rank} wherever they waited for each other"
            )
    return judged(
        faults,
        f"{len(hosts)} clocks known to {worst_us / US_PER_S:.4f} s",
        strain=worst_us / MOST_ERROR_US,
    )


def _offset_faults(offset: HostOffset, reference: str) -> Iterator[str]:
    """What a measured offset cannot say."""
    if offset.reference_host != reference:
        yield f"its clock is told against {offset.reference_host}, not against rank 0's {reference}"
    for reading in (offset.start, offset.end):
        if reading is None:
            continue
        if offset.host == reference and reading.offset_us:
            yield f"the reference's clock is {reading.offset_us} us off itself"
        # The answer came somewhere within the round trip: half of it is the least bound.
        if reading.error_us < reading.round_trip_us // 2:
            yield (
                f"its clock is known to {reading.error_us} us by a round trip of "
                f"{reading.round_trip_us} us"
            )
    yield from _drift_fault(offset)


def _drift_fault(offset: HostOffset) -> Iterator[str]:
    """Where a clock moved against the reference by more than two clocks can."""
    if offset.end is None:
        return
    moved_us = abs(offset.end.offset_us - offset.start.offset_us)
    took_us = abs(offset.end.t_us - offset.start.t_us)
    most_us = offset.start.error_us + offset.end.error_us + STEADY_US + MOST_DRIFT * took_us
    if moved_us > most_us:
        yield (
            f"its clock moved by {moved_us / US_PER_S:.4f} s against rank 0's within "
            f"{took_us / US_PER_S:.1f} s, at most {most_us / US_PER_S:.4f} s is possible"
        )


def _apart_us(one: RankSpans, other: RankSpans) -> int | None:
    """How far the nearer edge of half of two ranks' batches is apart; None when they share none.

    Of all phases the least, as not in all of them do ranks wait for each other.
    """
    least: int | None = None
    for phase in (Phase.ENCODE, Phase.PREFILL, Phase.DECODE, Phase.ANSWER):
        a, b = one.measured(phase), other.measured(phase)
        if not len(a) or len(a) != len(b):
            continue
        edges = (one.start_us[a] - other.start_us[b], one.end_us[a] - other.end_us[b])
        nearer = np.sort(np.minimum(*(np.abs(edge) for edge in edges)))
        half = int(nearer[(len(nearer) - 1) // 2])
        least = half if least is None else min(least, half)
    return least
