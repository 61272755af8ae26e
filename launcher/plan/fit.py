"""Fit: what `auto` stands for: formats, amounts of work and of measuring that a machine can hold.

    dtype         fp16 on a GPU, fp32 on one that has none (before compute capability 5.3)
    quantization  none; on this machine's own GPUs int8, else int4, where no point fits unrounded
                  and dtype is left open too
    engine        reference; fast where weights, keys or values are rounded to fewer bits
    batch_size    64, 32, 16, ... 1: the first that all points which fit at all can hold, on this
                  machine in 0.92 of the room, as it may have a screen
    max_gen_len   128, 64, 32: the first of which a batch takes 20 s at most
    prompts       whole batches of 45 s together, at least one, at most 64 prompts and what the data
                  sets have
    the measuring five batches of warm-up at most, a window of 5 s at least, 5 s of rest

    on CPU        fp32; bf16 where no point fits in fp32 and one fits three quarters of the memory;
                  16 prompts in batches of 8 with 32 new tokens; where that is more than a minute of
                  all cores at their best: 8, 4, 2 or 1 prompts with fewer; one batch of warm-up, no
                  least window, 1 s of rest

One rule chooses once for all points of a grid that compute on the same kind of device, so that what
is left open differs between none of them. What is given stays as it is given.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from launcher.config.hydra_plugins import Point
from launcher.config.keys import whole_key
from launcher.plan.cluster import Cluster
from launcher.plan.kept_format import kv_dtype_asked
from launcher.plan.limits import too_large
from launcher.plan.own_models import model_config
from launcher.plan.pace import gpu_batch_s, least_cpu_s
from telemetry.boards.table import BOARDS
from telemetry.record.spec import SETTING_FIELDS, RunSpec
from workers.planning.engine_facts import DEFAULT_ENGINE, engine_facts
from workers.planning.memory import estimate
from workers.planning.own_configs import shape_of
from workers.planning.weight_formats import WEIGHT_ONLY

AUTO: Final = "auto"
"""What a key holds that is left to the plan."""
RULE: Final = "launcher/plan/fit.py: what fits, once for all points on one kind of device"
"""What the record says of how open keys were chosen."""
# Which engine rounds weights.
_ROUNDING_ENGINE: Final = "fast"
# The batch of arXiv 2310.03003, and halves of it.
_BATCHES: Final = (64, 32, 16, 8, 4, 2, 1)
# 128 as in docs/results.md; fewer than 32 tokens say little of decoding.
_NEW_TOKENS: Final = (128, 64, 32)
# The bundled samples have so many.
_MOST_PROMPTS: Final = 64
# Three minutes in all: a minute of warm-up, which ends with a batch, and half a minute before.
_BATCH_S: Final = 20.0
_WINDOW_S: Final = 45.0
# (prompts, batch, new tokens): the first is what a laptop answers of a tiny model in seconds.
_CPU_WORK: Final = ((16, 8, 32), (8, 8, 16), (4, 4, 16), (2, 2, 8), (1, 1, 4))
# At their best; a laptop's cores reach a third of it.
_CPU_S: Final = 60.0
# A laptop's memory is also its desktop's: what fills it to the brim makes it swap.
_SPARE_SHARE: Final = 0.75
# A desktop's card holds its screens and a browser too: 1 to 2 GB of 24.
_SCREEN_SHARE: Final = 0.92
# CUDA C programming guide: arithmetic in half precision begins with it.
_HALF_PRECISION: Final = (5, 3)
_MEASURING: Final[Mapping[str, Mapping[str, Any]]] = {
    # As README's measured runs: the rate settles within a few batches of seconds each.
    "cuda": {"max_warmup_batches": 5, "min_window_s": 5.0, "telemetry.idle_s": 5.0},
    "cpu": {"max_warmup_batches": None, "min_window_s": 0.0, "telemetry.idle_s": 1.0},
}
_WORK: Final = (*("dtype", "engine.name", "quantization", "batch_size", "prompts", "max_gen_len"),)
_KEYS: Final = (*_WORK, *_MEASURING["cpu"])
_GIVEN: Final = (
    *("gpus", "max_prompt_len", "temperature", "top_p", "ignore_eos", "seed"),
    *SETTING_FIELDS,
)
# Beside what may be open: what memory and time hang on.
_DECIDING: Final = ("model.name", "gpus", "max_prompt_len", "warmup_batches", "kv_dtype")
# What is no choice where nothing else is left open.
_PLAIN: Final = {"engine": [DEFAULT_ENGINE], "quantization": ["none"]}
# What a person types for a key.
_WORDS: Final = {"engine.name": "engine"}

_TAKEN: Final = frozenset(
    {
        *(*_WORK, "gpus", "engine", "max_warmup_batches", "min_window_s"),
        *("telemetry.idle_s", "cluster.gpus_per_node", "kv_dtype"),
    }
)

Place = Callable[[Mapping[str, Any]], tuple[object, Cluster]]
"""A point's GPU and the cluster with its device decided."""
Available = Callable[[Mapping[str, Any]], int | None]
"""How many prompts a point's data set has; None where nobody knows."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A point of which something is left open, or beside which it is."""

    config: Mapping[str, Any]
    """Its composed configuration."""
    gpu: object
    """The name of its GPU."""
    cluster: Cluster
    """Where it runs."""
    open: tuple[str, ...]
    """The keys that are left to the plan."""
    available: int | None = None
    """How many prompts its data set has; None where nobody knows."""

    @property
    def decides(self) -> str:
        """All of it that decides what fits: equal for points that differ in seed or sampling."""
        own = (read_key(self.config, key) for key in (*_KEYS, *_DECIDING))
        return repr((self.gpu, id(self.cluster), self.open, self.available, *own))

    def work(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """What is chosen for its open keys; an engine and a rounding that go together."""
        found = {key: chosen[key] for key in self.open}
        if "dtype" not in self.open and "quantization" in found:
            # Who names the format of numbers means it.
            found["quantization"] = "none"
        engine = found.get("engine.name") or read_key(self.config, "engine.name")
        bits = found.get("quantization") or read_key(self.config, "quantization")
        kept = kv_dtype_asked({**self.config, "dtype": found.get("dtype", self.config["dtype"])})
        if (bits != "none" or kept is not None) and "engine.name" in found:
            found["engine.name"] = _ROUNDING_ENGINE
        elif bits != "none" and "quantization" in found and not _rounds(engine, bits):
            found["quantization"] = "none"
        return found

    def spec(self, chosen: Mapping[str, Any]) -> RunSpec | None:
        """Its spec with these in place of what is open; None where it can be none."""
        work = {key: read_key(self.config, key) for key in _WORK}
        work |= {key: value for key, value in self.work(chosen).items() if key in _WORK}
        engine = work.pop("engine.name")
        try:
            spec = RunSpec.from_mapping(
                {
                    **{key: self.config[key] for key in _GIVEN},
                    **{**work, "engine": engine, "model": self.config["model"]["name"]},
                    **model_config(self.config),
                    "kv_dtype": kv_dtype_asked({**self.config, "dtype": work["dtype"]}),
                    # Neither memory nor time hangs on these.
                    **{"weights": "random", "tokenizer": "any", "dataset": "any", "repeat": 0},
                    **{"gpu": self.gpu, "gpus_per_node": self.config["gpus"]},
                }
            )
            known = spec.gpu == "cpu" or spec.gpu_kind in BOARDS
            if not known or shape_of(spec).parallel_fault(spec.gpus) is not None:
                return None
            return None if engine_facts(spec.engine).fault(spec) else spec
        except (TypeError, ValueError):
            # Whoever checks the point has the words for it.
            return None

    def fits(self, chosen: Mapping[str, Any], share: float = 1.0) -> bool:
        """Whether it can be, and so large a share of the room that there is holds it."""
        spec = self.spec(chosen)
        return spec is not None and too_large(spec, self.cluster, estimate(spec), share) is None


def settle_open(
    points: Sequence[Point], place: Place, available: Available = lambda _: None
) -> tuple[list[Point], tuple[str, ...]]:
    """The points with every `auto` of work and measuring chosen, and a note for each choice.

    Raises:
        ValueError: a point's GPU or cluster is none.
    """
    kinds: dict[tuple[str, str], list[int]] = {}
    cases: dict[int, _Case] = {}
    for index, point in enumerate(points):
        if opened := tuple(key for key in _KEYS if read_key(point.config, key) == AUTO):
            gpu, cluster = place(point.config)
            cases[index] = _Case(
                config=point.config,
                gpu=gpu,
                cluster=cluster,
                open=opened,
                available=available(point.config) if "prompts" in opened else None,
            )
            kinds.setdefault((cluster.executor, cluster.device), []).append(index)
    settled = list(points)
    notes: list[str] = []
    for members in kinds.values():
        # A grid of thousands has a handful that differ in what fits.
        group = list({cases[index].decides: cases[index] for index in members}.values())
        chosen = _no_more_than_there_are(group, _choose(group))
        for index in members:
            settled[index] = _settled(points[index], cases[index], chosen)
        notes += _notes(group, chosen, " alike for all points" if len(members) > 1 else "")
    return settled, tuple(notes)


def or_auto(said: str) -> str:
    """What is said of a value that a key cannot have, with what this module takes of it beside.

    The key stands as it is typed, `telemetry.period_ms`.
    """
    said = whole_key(said)
    key = said.partition("`")[2].partition("`")[0]
    if key not in _TAKEN or not said.startswith(f"`{key}` must be "):
        return said
    return said.replace(", but is ", f" or {AUTO}, but is ", 1)


def read_key(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; None where there is none."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _choose(cases: Sequence[_Case]) -> dict[str, Any]:
    device = cases[0].cluster.device
    chosen: dict[str, Any] = {
        **_MEASURING[device],
        "dtype": _dtype(cases),
        "engine.name": DEFAULT_ENGINE,
        # The least of everything: what does not fit with it fits with nothing.
        **{"quantization": "none", "batch_size": 1, "prompts": 1, "max_gen_len": _NEW_TOKENS[-1]},
    }
    # A minimum of warm-up that is given is no more than the most that is chosen.
    if chosen["max_warmup_batches"] is not None:
        most = max([chosen["max_warmup_batches"], *_given(cases, "warmup_batches")])
        chosen["max_warmup_batches"] = most
    if device == "cpu":
        halved = {**chosen, "dtype": "bf16"}
        if not _fitting(cases, chosen) and _fitting(cases, halved, _SPARE_SHARE):
            chosen = halved
        return _cpu_work(cases, chosen)
    if cases[0].cluster.executor == "local":
        rounded = [{**chosen, "quantization": name} for name in WEIGHT_ONLY]
        chosen = next((one for one in rounded if _fitting(cases, one)), chosen)
    return _gpu_work(cases, chosen)


def _gpu_work(cases: Sequence[_Case], chosen: dict[str, Any]) -> dict[str, Any]:
    able = _fitting(cases, chosen)
    most = min(_given(cases, "prompts"), default=_MOST_PROMPTS)
    sizes = [size for size in _BATCHES if size == 1 or size <= most]
    batch_s = 0.0
    for new in _NEW_TOKENS:
        chosen["max_gen_len"] = new
        chosen["batch_size"] = next(
            size
            for size in sizes
            if size == 1
            or (able and all(_fit_beside_a_screen(case, chosen, size) for case in able))
        )
        batch_s = max(map(gpu_batch_s, _specs(able, chosen)), default=0.0)
        if batch_s <= _BATCH_S and all(case.fits(chosen) for case in able):
            break
    batch = max([chosen["batch_size"], *_given(cases, "batch_size")])
    batches = max(1, int(_WINDOW_S / batch_s)) if batch_s else 1
    chosen["prompts"] = min(_MOST_PROMPTS, batches * batch)
    return chosen


def _no_more_than_there_are(cases: Sequence[_Case], chosen: dict[str, Any]) -> dict[str, Any]:
    least = min((case.available for case in cases if case.available), default=chosen["prompts"])
    return {**chosen, "prompts": min(chosen["prompts"], least)}


def _fit_beside_a_screen(case: _Case, chosen: Mapping[str, Any], size: int) -> bool:
    share = _SCREEN_SHARE if case.cluster.executor == "local" else 1.0
    return case.fits({**chosen, "batch_size": size}, share)


def _cpu_work(cases: Sequence[_Case], chosen: dict[str, Any]) -> dict[str, Any]:
    able = _fitting(cases, chosen)
    for prompts, batch, new in _CPU_WORK:
        chosen |= {"prompts": prompts, "batch_size": batch, "max_gen_len": new}
        times = [
            least_cpu_s(spec, case.cluster, max(_given([case], "warmup_batches"), default=0))
            for case in able
            if (spec := case.spec(chosen)) is not None
        ]
        if max(times, default=0.0) <= _CPU_S and all(case.fits(chosen) for case in able):
            break
    if not able:
        # Nothing runs: the table shows what was meant.
        prompts, batch, new = _CPU_WORK[0]
        chosen |= {"prompts": prompts, "batch_size": batch, "max_gen_len": new}
    return chosen


def _fitting(cases: Sequence[_Case], chosen: Mapping[str, Any], share: float = 1.0) -> list[_Case]:
    return [case for case in cases if case.fits(chosen, share)]


def _specs(cases: Sequence[_Case], chosen: Mapping[str, Any]) -> Iterator[RunSpec]:
    return (spec for case in cases if (spec := case.spec(chosen)) is not None)


def _given(cases: Sequence[_Case], key: str) -> Iterator[int]:
    for case in cases:
        value = read_key(case.config, key)
        if type(value) is int and value > 0:
            yield value


def _rounds(engine: object, bits: str) -> bool:
    try:
        return bits in engine_facts(str(engine)).quantizations
    except ValueError:
        return False


def _dtype(cases: Sequence[_Case]) -> str:
    on_gpu = cases[0].cluster.device == "cuda"
    return "fp16" if on_gpu and all(map(_has_fp16, cases)) else "fp32"


def _has_fp16(case: _Case) -> bool:
    board = BOARDS.get(str(case.gpu))
    told = None if board is None else board.compute_capability
    return told is None or tuple(map(int, told.split("."))) >= _HALF_PRECISION


def _settled(point: Point, case: _Case, chosen: Mapping[str, Any]) -> Point:
    config = dict(point.config)
    values = case.work(chosen)
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        if group:
            config[group] = {**config[group], name: value}
        else:
            config[key] = value
    told = {_WORDS.get(key, key): value for key, value in values.items()}
    before = point.chosen.get("values", {})
    whole = {**point.chosen, "rule": RULE, "values": {**before, **told}}
    return Point(config, point.overrides, whole, point.repeat)


def _notes(cases: Sequence[_Case], chosen: Mapping[str, Any], alike: str) -> Iterator[str]:
    values: dict[str, list[Any]] = {}
    for case in cases:
        for key, value in case.work(chosen).items():
            if value not in values.setdefault(_WORDS.get(key, key), []):
                values[_WORDS.get(key, key)].append(value)
    words = [
        f"{key}={','.join('null' if value is None else f'{value}' for value in values[key])}"
        for key in (_WORDS.get(key, key) for key in _KEYS)
        if key in values
    ]
    if all(_PLAIN.get(key) == found for key, found in values.items()):
        return
    cpu = cases[0].cluster.device == "cpu"
    where = "this CPU" if cpu else ", ".join(sorted({str(case.gpu) for case in cases}))
    yield (
        f"chosen for {where}{alike}: {' '.join(words)}; any of them can be given "
        "(docs/grid.md has the rule)"
    )
    if set(values.get("quantization", ())) - {"none"}:
        yield (
            f"nothing of this fits in {chosen['dtype']}: weights are rounded to "
            f"{chosen['quantization']}, by engine {_ROUNDING_ENGINE}"
        )
