"""Rebuild: composed points from sealed runs: their work and measurement, this place's cluster.

What decides the work comes from the seal: the spec, the prompts' very bytes, the settings of the
launch. What is this place's comes from its own configuration and from the words typed: the cluster,
where checkpoints and tokenizers lie, which board, how DCGM is reached.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.plan.fit import AUTO
from launcher.plan.originals import LeftOut, Original
from telemetry.nearest import did_you_mean
from telemetry.record.differing import SPEC_FIELDS, differing, told
from telemetry.record.reproduces import KEY
from telemetry.record.spec import SETTING_FIELDS, RunSpec
from workers.prompts.corpus import CORPORA

RECORDED: Final = "recorded"
"""Key below `dataset` of a rebuilt point: the prompts file that is read instead of a data set."""
HERE: Final = (
    *("cluster", "gpu", "results", "weights", "tokenizer", "telemetry"),
    *("plan", "allow_dirty", "wait", "retry", "verify_weights", "compose", "history"),
    *("signing_key", "allowed_signers", "power", "power_lock_before_mhz"),
)
"""Keys that may be given beside `reproduce`: this place's, and how the call goes."""
# A board of another kind is asked for by a word; how ranks are spread over nodes is the cluster's.
_MAY_DIFFER: Final = ("gpu", "gpus_per_node")
_FROM_SPEC: Final = (
    *("dtype", "quantization", "gpus", "prompts", "batch_size", "max_prompt_len", "max_gen_len"),
    *("temperature", "top_p", "ignore_eos", "seed", "arrivals_per_s", "arrivals_seed"),
    *SETTING_FIELDS,
)
_FROM_LAUNCH: Final = (
    *("warmup_batches", "max_warmup_batches", "warmup_spread", "max_warmup_s", "min_window_s"),
    "logit_error",
)
_WATCHED: Final = ("period_ms", "idle_s", "gpu_fields")
_RANDOM: Final = "random"
_DRAWN_FROM: Final = ("source", "path", "columns", "task")


def given_keys(words: Iterable[str]) -> frozenset[str]:
    """The keys that were typed beside `reproduce`.

    Raises:
        BadInputError: one of them is a part of what is made again.
    """
    keys = frozenset(word.partition("=")[0] for word in words if not word.startswith("-"))
    for key in sorted(keys):
        if key.split(".")[0] not in HERE:
            meant = did_you_mean(key, HERE)
            own = f"; this place's own keys are {', '.join(HERE)}"
            raise BadInputError(f"`{key}` must be left to the original, but is given{meant or own}")
    return keys


def rebuilt(
    originals: Sequence[Original], base: Point, given: frozenset[str]
) -> tuple[list[Point], list[LeftOut]]:
    """A point for each original that this place can try, and why it cannot try the others.

    Args:
        originals: the sealed runs.
        base: what this place's configuration and the words typed come to.
        given: the keys that were typed.
    """
    points: list[Point] = []
    left: list[LeftOut] = []
    for original in sorted(originals, key=lambda one: (one.spec.repeat, one.spec.run_id)):
        if reason := _lacking(original, base.config, given):
            left.append(LeftOut(run_id=original.spec.run_id, reason=reason))
            continue
        config = _config(original, base.config, given)
        points.append(Point(config, base.overrides, repeat=original.spec.repeat))
    return points, left


def other_work(original: RunSpec, planned: RunSpec) -> str | None:
    """Why a planned point would be other work than the original; None when it is the same."""
    specs = [original.to_mapping(), planned.to_mapping()]
    names = [name for name in differing(specs, SPEC_FIELDS) if name not in _MAY_DIFFER]
    if original.simulated != planned.simulated:
        names.insert(0, "gpu")
    if not names:
        return None
    return (
        f"it would be other work here: {told(specs[1], names)} instead of {told(specs[0], names)}"
    )


def _config(original: Original, base: Mapping[str, Any], given: frozenset[str]) -> dict[str, Any]:
    spec, launch = original.spec, original.launch
    config = copy.deepcopy(dict(base))
    config.update({name: getattr(spec, name) for name in _FROM_SPEC})
    config["kv_dtype"] = spec.kv_dtype or AUTO
    config.update({name: getattr(launch, name) for name in _FROM_LAUNCH})
    config["model"] = {"name": spec.model}
    if spec.model_config is not None:
        config["model"]["config"] = spec.model_config
    config["engine"] = {"name": spec.engine}
    config["repeats"] = spec.repeat + 1
    config["experiment"] = original.config.get("experiment")
    config["dataset"] = _dataset(original, base["dataset"])
    if "gpu" not in given:
        config["gpu"] = spec.gpu
    if not _any_given(given, "weights"):
        config["weights"] = launch.weights_path or _RANDOM
    # The very weights: a checkpoint of another digest is refused.
    config["weights_digest"] = None if spec.weights == _RANDOM else spec.weights
    if "tokenizer" not in given:
        config["tokenizer"] = original.config.get("tokenizer")
    watch = config["telemetry"]
    watch.update({name: _listed(getattr(launch, name)) for name in _WATCHED})
    if not _any_given(given, "telemetry", but=("dcgm_bindings", "dcgm_address")):
        asked = original.config.get("telemetry")
        watch["source"] = asked["source"] if isinstance(asked, dict) else launch.telemetry
    if "cluster.threads" not in given:
        config["cluster"]["threads"] = launch.threads
    config[KEY] = original.seal.to_mapping()
    return config


def _dataset(original: Original, base: Mapping[str, Any]) -> dict[str, Any]:
    """The prompts' own file; where that is lost, the data set that they were drawn from."""
    name = _corpus(original)
    if not original.prompts_lost:
        recorded = {
            "dataset": original.spec.dataset,
            "path": str(original.prompts),
            "task": original.launch.task,
        }
        source = {"source": "record", "path": None, "columns": None}
        return {"name": name, **source, RECORDED: recorded}
    asked = original.config.get("dataset")
    asked = asked if isinstance(asked, dict) else {}
    return {**base, "name": name, **{key: asked[key] for key in _DRAWN_FROM if key in asked}}


def _lacking(original: Original, base: Mapping[str, Any], given: frozenset[str]) -> str | None:
    """What this place has not, and what to type; None when it has all."""
    launch = original.launch
    if base["cluster"]["executor"] == "local":
        folder = launch.weights_path
        if folder is not None and "weights" not in given and not Path(folder).exists():
            return f"its checkpoint is not here: give weights=FOLDER of {original.spec.weights}"
    tokenizer = original.config.get("tokenizer")
    if tokenizer and "tokenizer" not in given and not Path(str(tokenizer)).is_file():
        return f"its tokenizer is not here: give tokenizer=FILE of {original.spec.tokenizer}"
    if _corpus(original) is None:
        return f"its data set {original.spec.dataset} is of no corpus that is known here"
    return None


def _corpus(original: Original) -> str | None:
    """The corpus that a run's prompts are of: its name begins the data set's."""
    dataset = original.spec.dataset
    named = [name for name in CORPORA if dataset == name or dataset.startswith(f"{name}-")]
    return max(named, key=len, default=None)


def _any_given(given: frozenset[str], key: str, but: Sequence[str] = ()) -> bool:
    left_out = {f"{key}.{name}" for name in but}
    return any(each.split(".")[0] == key and each not in left_out for each in given)


def _listed(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
