"""Decoding beside its peers: tokens/s, steps, watts and joules, contenders taking turns.

    python -m tests.benchmarks.decode --case 7b-b64 [--contenders reference,fast,transformers]
        [--llama-v1 DIR] [--rounds 3] [--seconds 6] [--out FILE]
    python -m tests.benchmarks.decode --case 7b-b64 --watcher
    python -m tests.benchmarks.decode --case smoke

Contenders: `reference`, `fast`, `fast-int8`, `fast-fp8`, `fast-int4` (this project's engines,
through its own classes; `-kv8` behind any of `fast` keeps keys and values in fp8, `fast-kv8`,
`fast-int4-kv8`), `transformers-eager`, `transformers-static` and `transformers-compiled` (its
engines of the library), `transformers` (the library's class of the model, static cache and its own
compile; one GPU) and `llama-v1` (facebookresearch/llama, branch llama_v1, from the clone that
--llama-v1 names). All have random weights of the true shape, the same prompts of equal length,
temperature 0.8 and top-p 0.95, and no row stops early. In every round each takes a turn of at least
--seconds; those that do not fit the GPU together are loaded for each of their turns.

The bound is the least time that the card's memory needs for a step: weights and every row's keys
and values read once, at the bandwidth of a copy measured in the same run. Prefill's is its
arithmetic at the rate of a large product of matrices. Watts and joules are the driver's 50 Hz power
within the decoding; the counter's whole turn, prefill included, stands beside it. `--watcher`
instead asks what the project's watcher costs: each turn once watched, between two that are not.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from telemetry.record.spec import ITEM_BYTES, KV_ITEM_BYTES
from telemetry.watcher.process import WatcherProcess
from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.contenders import Answered, Contender, engine_of
from tests.benchmarks.meter import Meter
from tests.support.watched_attempts import make_attempt
from workers.planning.families import find_shape
from workers.planning.memory import estimate

# A case of no more new tokens is about its prefill; the engine's last step is no speed of decoding.
_PREFILL_ALONE: Final = 2
# A card with a process of its own for each contender: the rest is contexts and fragments.
_ROOM: Final = 0.94

_SPEEDS: Final = """
import json, sys, torch
device = sys.argv[1]
size = 1 << (32 if device == "cuda" else 26)
n = 8192 if device == "cuda" else 512
dtype = torch.float16 if device == "cuda" else torch.float32
source = torch.zeros(size // 2, dtype=torch.float16, device=device)
target = torch.empty_like(source)
a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
def seconds(work, times):
    import time
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    work(); wait()
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            work()
        wait()
        best = min(best, (time.perf_counter() - start) / times)
    return best
print(json.dumps({
    "bytes_per_s": 2 * size / seconds(lambda: target.copy_(source), 4),
    "flops": 2 * n**3 / seconds(lambda: torch.mm(a, b), 10),
    "torch": torch.__version__,
    "memory_bytes": torch.cuda.mem_get_info()[1] if device == "cuda" else None,
    "name": torch.cuda.get_device_name() if device == "cuda" else "CPU",
}))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one case and print it; exit status 1 where no contender could run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", choices=sorted(CASES), required=True)
    parser.add_argument("--contenders", help="separated by commas; default: all that can run")
    parser.add_argument("--llama-v1", type=Path, metavar="DIR", help="a clone of its branch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="least length of one turn")
    parser.add_argument("--watcher", action="store_true", help="what the watcher costs a decode")
    parser.add_argument("--out", type=Path, help="write all turns as JSON")
    given = parser.parse_args(arguments)
    case = CASES[given.case]
    names = given.contenders.split(",") if given.contenders else _all_of(case, given.llama_v1)
    if "llama-v1" in names and given.llama_v1 is None:
        parser.error("`--llama-v1` must name a clone for the contender llama-v1, but is missing")
    speeds = _measure_speeds(case)
    _say(
        f"{case.name}: {case.model} over {case.gpus} x {speeds['name']}, batch {case.batch}, "
        f"prompt {case.prompt_len}, {case.new} new, {case.dtype}; "
        f"torch {speeds['torch']}; a copy moves "
        f"{speeds['bytes_per_s'] / 1e12:.2f} TB/s, a product {speeds['flops'] / 1e12:.0f} TFLOP/s"
    )
    stage = _Stage(case, speeds, given.llama_v1)
    try:
        if given.watcher:
            return _cost_of_watching(stage, names, given.rounds, given.seconds)
        turns = _take_turns(stage, names, given.rounds, given.seconds)
    finally:
        stage.close()
    for name in names:
        _say(_summary(case, name, turns.get(name, []), speeds))
    if given.out is not None:
        content = {"case": case.name, "speeds": speeds, "turns": turns, "about": stage.about}
        given.out.write_text(json.dumps(content, indent=1) + "\n")
    return 0 if any(turns.values()) else 1


class _Stage:
    """The contenders that are loaded; one that does not fit beside the others waits outside."""

    def __init__(self, case: Case, speeds: dict[str, Any], llama_v1: Path | None) -> None:
        self.case = case
        self._llama_v1 = llama_v1
        self._room_bytes = speeds["memory_bytes"]
        self._loaded: dict[str, Contender] = {}
        self._meters: dict[str, Meter] = {}
        self._batches: dict[str, int] = {}
        self.about: dict[str, str] = {}

    def enter(self, name: str) -> Contender:
        """The contender, loaded; others go first where there is no room for it beside them."""
        if name in self._loaded:
            return self._loaded[name]
        while self._loaded and self._room_bytes is not None:
            needed = sum(_needs_bytes(self.case, one) for one in (*self._loaded, name))
            if needed <= self._room_bytes * _ROOM:
                break
            self._leave(next(iter(self._loaded)))
        contender = Contender(name, self.case, self._llama_v1)
        self._loaded[name] = contender
        if name not in self.about:
            self.about[name] = contender.about
            _say(f"  {name}: {contender.about}")
        if self.case.device == "cuda":
            self._meters[name] = Meter(contender.uuids)
        return contender

    def turn(self, name: str, seconds: float) -> dict[str, Any]:
        """One turn: as many whole batches as `seconds` needs, with the energy it took."""
        contender = self.enter(name)
        if name not in self._batches:
            once = contender.answer(1)[0].step_us[-1] / 1e6
            self._batches[name] = max(1, -int(-seconds // once))
        meter = self._meters.get(name)
        before_j = meter.counter_j() if meter else 0.0
        answered = contender.answer(self._batches[name])
        turn = _reading(self.case, answered)
        if meter is not None:
            turn["counter_j"] = meter.counter_j() - before_j
            turn["decode_j"] = meter.energy_j(
                [
                    (one.start_us + one.step_us[0], one.start_us + one.step_us[-1])
                    for one in answered
                ]
            )
            turn["memory_bytes"] = contender.memory_bytes()
        return turn

    def dismiss(self, name: str) -> None:
        """Take a contender that failed off the card."""
        if name in self._loaded:
            self._leave(name)

    def close(self) -> None:
        for name in list(self._loaded):
            self._leave(name)

    def _leave(self, name: str) -> None:
        if name in self._meters:
            self._meters.pop(name).close()
        self._loaded.pop(name).close()


def _take_turns(
    stage: _Stage, names: Sequence[str], rounds: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    given_up: set[str] = set()
    for number in range(rounds):
        # Every other round backwards, so that no one always follows the same.
        for name in names if number % 2 == 0 else reversed(names):
            if name in given_up:
                continue
            try:
                turns[name].append(stage.turn(name, seconds))
            except RuntimeError as error:
                given_up.add(name)
                stage.dismiss(name)
                _say(f"  {name} is left out: {error}")
    return turns


def _cost_of_watching(stage: _Stage, names: Sequence[str], rounds: int, seconds: float) -> int:
    """Print each contender's rate watched over not watched; written before: 0.999 of it or more."""
    for name in names:
        stage.turn(name, seconds)
        ratios = []
        for _ in range(rounds):
            bare = [_tokens_per_s(stage.turn(name, seconds))]
            with tempfile.TemporaryDirectory() as folder:
                source = "nvml" if stage.case.device == "cuda" else "host"
                launch = {"telemetry": source, "period_ms": 100}
                run, _ = make_attempt(Path(folder), launch=launch)
                with WatcherProcess(Path(folder), run.run_id, 1, "n1") as watch:
                    watch.wait_ready(60)
                    watched = _tokens_per_s(stage.turn(name, seconds))
            bare.append(_tokens_per_s(stage.turn(name, seconds)))
            ratios.append(watched / statistics.mean(bare))
            _say(f"  {name}: watched {watched:.1f}, bare {bare[0]:.1f} and {bare[1]:.1f} tokens/s")
        _say(
            f"{name}: rate watched over not watched {statistics.median(ratios):.4f} "
            f"({min(ratios):.4f} to {max(ratios):.4f}, n={rounds})"
        )
    return 0


def _reading(case: Case, answered: Sequence[Answered]) -> dict[str, Any]:
    steps = [
        later - earlier
        for one in answered
        for earlier, later in zip(one.step_us, one.step_us[1:], strict=False)
    ]
    return {
        "batches": len(answered),
        "prefill_us": [one.step_us[0] for one in answered],
        "step_us": steps,
        "decoded_tokens": case.batch * len(steps),
        "decode_us": sum(steps),
        "turn_us": answered[-1].start_us + answered[-1].step_us[-1] - answered[0].start_us,
    }


def _tokens_per_s(turn: dict[str, Any]) -> float:
    return float(turn["decoded_tokens"] / turn["decode_us"] * 1e6)


def _summary(case: Case, name: str, turns: Sequence[dict[str, Any]], speeds: dict[str, Any]) -> str:
    """One contender's median turn on a line, and the range of its turns."""
    if not turns:
        return f"{name}: did not run"
    rates = sorted(_tokens_per_s(turn) for turn in turns)
    rate = statistics.median(rates)
    steps = sorted(step for turn in turns for step in turn["step_us"])
    prefill_s = statistics.median(us for turn in turns for us in turn["prefill_us"]) / 1e6
    bound_s = step_bound_s(case, name, speeds)
    prefill_bound_s = _prefill_flops(case) / (speeds["flops"] * case.gpus)
    prefill = f"prefill {prefill_s:.4f} s (bound {prefill_bound_s:.4f})"
    if case.new <= _PREFILL_ALONE:
        read = sum(turn["batches"] for turn in turns) * case.batch * case.prompt_len
        energy_j = [turn["counter_j"] for turn in turns if "counter_j" in turn]
        cost = f"; {sum(energy_j) / read:.5f} J per prompt token" if energy_j else ""
        return f"{name}: {prefill}, n={sum(turn['batches'] for turn in turns)}{cost}"
    words = [
        f"{name}: decode {rate:.0f} tokens/s ({rates[0]:.0f} to {rates[-1]:.0f}, n={len(rates)})",
        f"{case.batch / rate * 1e3:.2f} ms/step (p50 {_quantile(steps, 0.5) / 1e3:.2f}, "
        f"p95 {_quantile(steps, 0.95) / 1e3:.2f})",
        f"bound {case.batch / bound_s:.0f}, share {rate * bound_s / case.batch:.1%}",
        prefill,
    ]
    joules = [
        (turn["decode_j"] / turn["decoded_tokens"], turn["decode_j"] / turn["decode_us"] * 1e6)
        for turn in turns
        if turn.get("decode_j") is not None
    ]
    if joules:
        token_j, power_w = (statistics.median(column) for column in zip(*joules, strict=True))
        whole = [
            turn["counter_j"] / (turn["decoded_tokens"] + turn["batches"] * case.batch)
            for turn in turns
        ]
        words.append(
            f"{power_w:.0f} W over {case.gpus} GPUs, {token_j:.4f} J/token decoding, "
            f"{statistics.median(whole):.4f} J/token prefill included"
        )
    if memory := turns[-1].get("memory_bytes"):
        expected = _needs_bytes(case, name)
        words.append(
            f"allocated {memory['allocated'] / 1e9:.2f} GB, estimated {expected / 1e9:.2f} in all"
        )
    return "; ".join(words)


def step_bound_s(case: Case, name: str, speeds: dict[str, Any]) -> float:
    """Least seconds of one decoding step: all weights and all caches read once, mean length."""
    shape = find_shape(case.model)
    _, quantization, kv_dtype = engine_of(name)
    item_bytes = ITEM_BYTES[case.dtype]
    # 8 bits with a scale a row, or 4 with a 16-bit scale for each 128; the tables stay as they are.
    rounded = {"int8": 1.0, "fp8": 1.0, "int4": 0.5 + item_bytes / 128}
    matrix_bytes = rounded.get(quantization, item_bytes)
    weights = shape.layers * shape.layer_matrix_params * matrix_bytes
    weights += shape.vocab * shape.dim * item_bytes
    length = min(case.prompt_len + case.new / 2, shape.window or case.prompt_len + case.new)
    caches = shape.kv_numbers * KV_ITEM_BYTES[kv_dtype or case.dtype] * case.batch * length
    return float((weights + caches) / (speeds["bytes_per_s"] * case.gpus))


def _prefill_flops(case: Case) -> float:
    shape = find_shape(case.model)
    tokens = case.batch * case.prompt_len
    matrices = 2 * shape.layers * shape.layer_matrix_params * tokens
    # Position p meets p + 1 keys and as many values.
    attention = 4 * shape.dim * shape.layers * tokens * (case.prompt_len + 1) / 2
    return matrices + attention + 2 * shape.vocab * shape.dim * case.batch


def _needs_bytes(case: Case, name: str) -> int:
    """What a contender takes of each GPU, by the project's estimate; peers as the reference."""
    engine, quantization, kv_dtype = engine_of(name)
    ours = engine in {"reference", "fast"}
    spec = case.spec(engine, quantization, kv_dtype) if ours else case.spec("reference")
    return estimate(spec).total_bytes


def _all_of(case: Case, llama_v1: Path | None) -> list[str]:
    """The contenders that can run a case here."""
    from workers.planning.engine_facts import ENGINE_FACTS  # noqa: PLC0415

    names: list[str] = [name for name in ("reference", "fast") if name in ENGINE_FACTS]
    if llama_v1 is not None:
        names.insert(0, "llama-v1")
    if case.gpus == 1 and importlib.util.find_spec("transformers"):
        names.append("transformers")
    return names


def _measure_speeds(case: Case) -> dict[str, Any]:
    """A copy's bandwidth and a product's rate, in a process that leaves nothing behind."""
    done = subprocess.run(
        [sys.executable, "-c", _SPEEDS, case.device],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the card's speed must be measured, but: {done.stderr.strip()}")
    speeds: dict[str, Any] = json.loads(done.stdout)
    return speeds


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
