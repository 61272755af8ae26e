"""Spec checks: was what the spec says also asked for, loaded and answered with?"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from analysis.audit.check import Case, Finding, failed, judged, unseen
from analysis.audit.kept_format import kept_asked, kept_faults
from analysis.audit.release import missing_model
from analysis.performance.families import FAMILY_BEFORE
from analysis.performance.model_record import ModelFacts
from analysis.tables.point import RANDOM
from telemetry.boards.spellings import board_called
from telemetry.nearest import folded
from telemetry.record.files import read_json
from telemetry.record.shares import of_board, own_value, per_cent, was_of_board
from telemetry.record.spec import SETTING_FIELDS, RunSpec

# What decides the work and stands under the same name in the launcher's composed configuration.
_SAME_NAME: Final = (
    *("dtype", "quantization", "gpus", "prompts", "batch_size", "max_prompt_len", "max_gen_len"),
    *("temperature", "top_p", "ignore_eos", "seed", "arrivals_per_s", "arrivals_seed"),
)
_LAUNCH_KEYS: Final = (
    *("warmup_batches", "max_warmup_batches", "warmup_spread", "max_warmup_s", "min_window_s"),
    "logit_error",
)
# Width, layers and heads: arXiv 2302.13971, table 2; the two small ones are the project's own.
_LLAMA_SIZES: Final = {
    "nano": (256, 4, 32),
    "micro": (512, 8, 32),
    "7b": (4096, 32, 32),
    "13b": (5120, 40, 40),
    "30b": (6656, 60, 52),
    "65b": (8192, 80, 64),
}
# Parts of `engine` in model.json that one engine alone writes, and one that both do otherwise.
_OF_ENGINE: Final[dict[str, dict[str, Any]]] = {
    "fast": {"kernels": None, "prefill": None, "sampling": "rejection, no sort"},
    "reference": {"kernels": "eager", "graph": False, "sampling": "full sort"},
}
# The engine that goes on to the end of its batch only where ends are ignored.
_STOPPING: Final = "fast"
_AUTO: Final = "auto"
_ASKED: Final = "asked"
_MODEL: Final = "simulated"
_HOST: Final = "host"
_RANDOM: Final = "random"
_CPU: Final = "cpu"
# Keys whose values are names, which the launcher takes in other letters: model=7B, gpu=RTX-4090.
_NAMES: Final = frozenset(
    {
        *("model", "engine", "dataset", "telemetry", "cluster", "dtype", "quantization"),
        *("model.name", "engine.name", "dataset.name", "telemetry.source", "kv_dtype"),
    }
)
_BOARDS: Final = frozenset({"gpu", "cluster.gpu"})
# A run's tokenizer is named by its file's first hex digits.
_DIGEST_DIGITS: Final = 8
# And a checkpoint by so many of the digest of its files' digests and names.
_WEIGHT_DIGITS: Final = 16


def order_says_so(case: Case) -> Finding:
    """The configuration that the launcher composed, and what was typed, say what the spec says."""
    provenance = case.run.provenance
    config = provenance.get("config")
    if not isinstance(config, dict) or not config:
        return failed("provenance.json holds no composed configuration of the launcher")
    faults = [
        f"`{name}` is {wanted!r} in the spec, but the launcher was given {given!r}"
        for name, wanted, given in _asked(case.run.spec, config)
        if not _same(wanted, given)
    ]
    device, wanted = case.run.launch.get("device"), "cuda" if _on_gpu(case.run.spec) else "cpu"
    if device is not None and device != wanted:
        faults.append(f"`gpu` is {case.run.spec.gpu} in the spec, but the work was for {device}")
    faults += _launch_faults(case.run.launch, config)
    faults += _source_faults(case, config)
    faults += _thread_faults(case)
    faults += _override_faults(provenance, config)
    faults += _submission_faults(case, config)
    command = provenance.get("command")
    words = " ".join(map(str, command)) if isinstance(command, list) else ""
    return judged(faults, f"spec, launch.json and configuration agree: {words[:120]}")


def _on_gpu(spec: RunSpec) -> bool:
    return not spec.simulated and spec.gpu != _CPU


def _asked(spec: RunSpec, config: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Field, value in the spec and value in the configuration, of all that both have."""
    for name in _SAME_NAME:
        if name in config:
            yield name, getattr(spec, name), config[name]
    yield from (*_settings_asked(spec, config), kept_asked(spec, config))
    if isinstance(model := config.get("model"), dict):
        yield "model_config", spec.model_config, model.get("config")
    for name in ("model", "engine"):
        if isinstance(config.get(name), dict):
            yield name, getattr(spec, name), config[name].get("name")
    if config.get("gpu") not in (None, "auto"):
        yield "gpu", spec.gpu, config["gpu"]
    if "weights" in config:
        yield "weights", spec.weights == _RANDOM, config["weights"] == _RANDOM
    dataset = config.get("dataset")
    if isinstance(dataset, dict) and dataset.get("name"):
        name = str(dataset["name"])
        of_it = spec.dataset == name or spec.dataset.startswith(f"{name}-")
        yield "dataset", spec.dataset, spec.dataset if of_it else name
    if isinstance(repeats := config.get("repeats"), int):
        yield "repeat", spec.repeat, min(spec.repeat, repeats - 1)


def _settings_asked(spec: RunSpec, config: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The same of caps and clocks, which may be asked for in per cent of the board's own."""
    for name in SETTING_FIELDS:
        given, wanted = config.get(name), getattr(spec, name)
        share = per_cent(given) if isinstance(given, str) else None
        own = own_value(spec.gpu, name)
        if share is not None and own is not None:
            # Records from before have a clock in whole MHz.
            old = was_of_board(own, share)
            given = old if wanted == old else of_board(name, own, share)
        if name in config:
            yield name, wanted, given


def _launch_faults(launch: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    telemetry = config.get("telemetry")
    telemetry = telemetry if isinstance(telemetry, dict) else {}
    asked = {name: config[name] for name in _LAUNCH_KEYS if name in config}
    asked |= {name: telemetry[name] for name in ("period_ms", "idle_s") if name in telemetry}
    return [
        f"`{name}` is {launch[name]!r} in launch.json, but the launcher was given {value!r}"
        for name, value in asked.items()
        if name in launch and not _same(launch[name], value)
    ]


def _source_faults(case: Case, config: Mapping[str, Any]) -> list[str]:
    """Readings of another source than was asked for.

    Left open, a modelled board has its model, and work without a GPU its host's sensors.
    """
    telemetry = config.get("telemetry")
    asked = telemetry.get("source") if isinstance(telemetry, dict) else None
    told = case.run.launch.get("telemetry")
    if None in (asked, told) or told == asked:
        return []
    spec = case.run.spec
    chosen = _MODEL if spec.simulated else _HOST if spec.gpu == _CPU else _AUTO
    # Records from before the launcher named the host's sensors leave work without a GPU open, too.
    if asked == _AUTO and told in (chosen, None if spec.simulated else _AUTO):
        return []
    return [f"`telemetry` is {told} in launch.json, but the launcher was given {asked}"]


def _thread_faults(case: Case) -> list[str]:
    """Ranks that worked with other threads than launch.json asks for."""
    asked = case.run.launch.get("threads")
    if not isinstance(asked, int):
        return []
    return [
        f"rank {rank['rank']} had {rank['threads']} threads, asked for were {asked}"
        for rank in case.run.manifest["ranks"]
        if rank.get("threads", asked) != asked
    ]


def _submission_faults(case: Case, config: Mapping[str, Any]) -> list[str]:
    cluster = config.get("cluster")
    if not isinstance(cluster, dict) or not case.attempt.submitted.is_file():
        return []
    submitted = read_json(case.attempt.submitted)
    asked = {"cluster": cluster.get("name"), "executor": cluster.get("executor")}
    return [
        f"`{name}` is {submitted[name]} in submitted.json, but the launcher was given {value}"
        for name, value in asked.items()
        if value is not None and submitted.get(name, value) != value
    ]


def _override_faults(provenance: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Where the point's overrides differ from what they composed, or from the command."""
    overrides, command = provenance.get("overrides"), provenance.get("command")
    if not isinstance(overrides, list) or not isinstance(command, list):
        return ["provenance.json holds no command with its overrides"]
    point = dict(_assignments(overrides))
    chosen = _chosen(provenance)
    faults = [
        f"`{name}` is {value!r} as it was chosen, but composed is {_composed(config, name)!r}"
        for name, value in chosen.items()
        if not _same(value, _composed(config, name))
    ]
    for name, given in point.items():
        composed = _composed(config, name)
        # Left to the plan, which wrote down what it made of it.
        left_open = given == _AUTO and name in chosen
        if composed is not None and not left_open and _plain(given) and not _same(given, composed):
            faults.append(f"`{name}` is {given} in the overrides, but composed is {composed!r}")
    typed = dict(_assignments(command))
    for name in sorted(set(typed) & set(point)):
        if not _plain(typed[name]) or not _plain(point[name]):
            continue
        words = typed[name].split(",")
        # Which cluster it is to be is settled before anything is composed.
        settled = name == "cluster" and _AUTO in words
        if not settled and not any(_typed_for(name, one, point[name]) for one in words):
            faults.append(f"`{name}` is {typed[name]} in the command, but {point[name]} was run")
    if point and not set(typed) & set(point):
        faults.append("the command gives none of the overrides that were run")
    return faults


def _composed(config: Mapping[str, Any], name: str) -> Any:
    """The composed value of a dotted key, for a group its option; None where there is none."""
    value: Any = config
    for part in name.split("."):
        # Of a model that was named by its folder, what was asked stands beside its name.
        known = _ASKED if part == "name" and isinstance(value, dict) and _ASKED in value else part
        value = value.get(known) if isinstance(value, dict) else None
    return value.get("name") if isinstance(value, dict) else value


def _chosen(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    """By key, what the plan chose of what was left to it; a value that is no mapping is none."""
    chosen = provenance.get("chosen")
    values = chosen.get("values") if isinstance(chosen, dict) else None
    return values if isinstance(values, dict) else {}


def _assignments(words: list[Any]) -> Iterator[tuple[str, str]]:
    for word in words:
        name, equals, value = str(word).partition("=")
        if equals and not name.startswith("-"):
            key = name.lstrip("+~")
            # A folder, or a model of the hub, is no option of the group.
            yield "model.name" if key == "model" and "/" in value else key, value


def _plain(text: str) -> bool:
    """False for Hydra's lists, mappings, sweeps by function and quoted texts."""
    return not set(text) & set("()[]{}'\"\\")


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one, whichever way JSON or a command line has them."""
    if isinstance(one, str) or isinstance(other, str):
        return _as_text(one) == _as_text(other)
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    return math.isclose(float(one), float(other), rel_tol=1e-9)


def _typed_for(name: str, typed: str, ran: str) -> bool:
    """Whether a word of the command is the value that was run: names are taken in other letters."""
    if name in _NAMES:
        return folded(typed) == folded(ran)
    if name in _BOARDS:
        return ran in (typed, board_called(typed))
    return _same(ran, typed)


def _as_text(value: Any) -> str:
    text = str(value).lower()
    if text in ("none", "null", ""):
        return "null"
    try:
        return repr(float(text))
    except ValueError:
        return text


def model_as_asked(case: Case) -> Finding:
    """What rank 0 says that it loaded is what the spec names."""
    spec, model = case.run.spec, ModelFacts(case.run)
    if missing := missing_model(case.run):
        return missing
    shape, weights, engine = model.part("shape"), model.part("weights"), model.part("engine")
    said = {
        "model": shape.get("name"),
        "dtype": case.run.model.get("dtype"),
        "quantization": case.run.model.get("quantization"),
        "engine": engine.get("name"),
    }
    faults = [
        f"`{name}` must be {getattr(spec, name)} by the spec, but is {value} in model.json instead"
        for name, value in said.items()
        if value != getattr(spec, name)
    ]
    for name, wanted in _OF_ENGINE.get(spec.engine, {}).items():
        if name not in engine or (wanted is not None and engine[name] != wanted):
            faults.append(f"the engine {spec.engine} does not have {name} {engine.get(name)!r}")
    stops = engine.get("stops_early")
    if spec.engine == _STOPPING and isinstance(stops, bool) and stops is spec.ignore_eos:
        faults.append(f"`ignore_eos` is {spec.ignore_eos} in the spec, but `stops_early` {stops}")
    faults += [*kept_faults(spec, engine), *_error_faults(case)]
    faults += _size_faults(spec, model)
    faults += _weight_faults(spec, weights, case.run.launch)
    faults += _room_faults(case, model)
    return judged(faults, f"{spec.model} by {spec.engine} in {spec.dtype}, {spec.weights} weights")


def _error_faults(case: Case) -> list[str]:
    """An error of the logits that was told, and not to be measured."""
    told = case.run.model.get("logit_error")
    if case.run.launch.get("logit_error") is not False or not isinstance(told, dict):
        return []
    return [
        f"`{name}` of the logits is {told[name]!r}, but launch.json says not to measure it"
        for name in ("max_abs", "rms", "relative_rms", "kl_nats", "argmax_agreement")
        if told.get(name) is not None
    ]


def _size_faults(spec: RunSpec, model: ModelFacts) -> list[str]:
    shape = model.part("shape")
    family = model.part("arithmetic").get("family", FAMILY_BEFORE)
    sizes = _LLAMA_SIZES.get(spec.model)
    said = tuple(shape.get(name) for name in ("dim", "layers", "heads"))
    if family != FAMILY_BEFORE or sizes is None or said == sizes:
        return []
    return [f"{spec.model} has dim, layers and heads {sizes}, but model.json says {said}"]


def _weight_faults(
    spec: RunSpec, weights: Mapping[str, Any], launch: Mapping[str, Any]
) -> list[str]:
    faults = []
    kind, path = weights.get("kind"), launch.get("weights_path")
    if (kind == _RANDOM) is not (spec.weights == _RANDOM):
        faults.append(f"`weights` is {spec.weights} in the spec, but {kind} were loaded")
    if "weights_path" in launch and (path is None) is not (spec.weights == _RANDOM):
        faults.append(f"`weights` is {spec.weights} in the spec, but launch.json names {path}")
    if kind == _RANDOM and weights.get("seed", spec.seed) != spec.seed:
        faults.append(f"`seed` is {spec.seed} in the spec, but weights were of {weights['seed']}")
    if kind != _RANDOM:
        digest, files = weights.get("digest"), weights.get("files")
        if digest is not None and digest != spec.weights:
            faults.append(f"`weights` is {spec.weights} in the spec, but those of {digest} ran")
        if isinstance(files, list) and _digest_of(files) != spec.weights:
            faults.append(f"`weights` is {spec.weights}, but its files are {_digest_of(files)}")
    return faults


def _digest_of(files: Sequence[Mapping[str, Any]]) -> str:
    """What a spec names a checkpoint of these files."""
    lines = "".join(f"{file['sha256']}  {file['name']}\n" for file in files)
    return f"sha256-{hashlib.sha256(lines.encode()).hexdigest()[:_WEIGHT_DIGITS]}"


def _room_faults(case: Case, model: ModelFacts) -> list[str]:
    """Ranks' GPUs that never held as much as their share of the weights."""
    weight_bytes = model.weight_bytes
    if weight_bytes is None or case.run.spec.simulated:
        return []
    share = weight_bytes / case.run.spec.gpus
    held = {
        device: float(series.value.max())
        for (_, device, _), series in case.run.series(["gpu_memory_used_bytes"]).items()
        if len(series.value)
    }
    peak = model.number("memory", "peak_allocated_bytes")
    lacking = (
        [f"torch took {peak:.3g} bytes at most, a rank's weights are {share:.3g}"]
        if peak is not None and _on_gpu(case.run.spec) and peak < share
        else []
    )
    return lacking + [
        f"{rank.gpu_uuid} held {held[rank.gpu_uuid]:.3g} bytes at most, its weights {share:.3g}"
        for rank in case.run_energy.ranks
        if rank.gpu_uuid in held and held[rank.gpu_uuid] < share
    ]


def tokenizer_as_asked(case: Case) -> Finding:
    """The tokenizer that made the ids is the one of the spec, with as many ids as the model.

    Random weights know no ids, and their answers no language: a tokenizer of fewer ids will do.
    """
    wanted, told = case.run.spec.tokenizer, case.run.manifest.get("tokenizer")
    if not isinstance(told, dict):
        return unseen("not recorded: the responses do not say which tokenizer made them")
    faults = []
    name, sha256, vocab = (told.get(key) for key in ("name", "sha256", "vocab_size"))
    if name != wanted:
        faults.append(f"`tokenizer` is {wanted} in the spec, but {name} made the ids")
    if isinstance(sha256, str) and not str(name).endswith(sha256[:_DIGEST_DIGITS]):
        faults.append(f"{name} is not named by its SHA-256, {sha256[:12]}…")
    ids = ModelFacts(case.run).number("shape", "vocab")
    known = f"{name} of {vocab} ids"
    if ids is not None and vocab != ids:
        fewer = isinstance(vocab, int) and vocab < ids
        if not (fewer and case.run.spec.weights == RANDOM):
            faults.append(f"{name} has {vocab} ids, the model {ids:.0f}")
        known += f", of the model's {ids:.0f}: its weights are random"
    return judged(faults, known)
