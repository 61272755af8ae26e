"""Own models: what `model=` names by a folder or by the hub becomes a configuration, once.

    model=/a/folder          its config.json; also ./folder and ~/folder
    model=hub:ORG/NAME       the same of the hub's model: of its staged copy, else of this machine's
                             cache of the hub

Nothing is fetched and no code of a folder is run: config.json is read as strict JSON. Weights are
random but where `weights` names a checkpoint; `weights=own` names the model's own folder, whose
.safetensors are then read.
"""

import functools
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import Point
from launcher.config.overrides import HUB, is_own_model
from launcher.plan.staged_models import COMMIT, CONFIG, HUB_NAME, find_staged
from telemetry.command import lacks
from telemetry.named_paths import named_path
from telemetry.next_line import typed
from workers.inputs.strict_json import parse_json, read_object
from workers.planning.own_configs import OwnModel, counted_model, has_row, own_model
from workers.prompts.source import cache_folder

OWN: Final = "own"
"""What `weights` holds where the model's own folder is meant."""
_LIBRARY: Final = "transformers"
_COUNTING: Final = "workers.engines.transformers.counting"


def with_own_model(point: Point) -> Point:
    """The point with its model read, where that is named by a folder or by the hub.

    Raises:
        BadInputError: there is no such folder, or its config.json is of no model that there is.
    """
    asked = point.config["model"]["name"]
    weights = point.config["weights"]
    if not isinstance(asked, str) or not is_own_model(asked):
        if weights == OWN:
            raise BadInputError(
                f"`weights` must be random or a checkpoint's folder where the model is named, but "
                f"is {OWN} with model={asked} instead"
            )
        return point
    try:
        if asked.startswith(HUB):
            folder, commit = _hub_folder(asked)
        else:
            folder, commit = _folder(asked), None
        path = folder / CONFIG
        content = read_object(path)
        model = own_model(content, str(path)) if has_row(content) else _counted(content, path)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    told: dict[str, Any] = {
        "name": model.shape.name,
        "asked": asked,
        "config": model.config,
        # Of the file as it is, whatever of it decides the arithmetic.
        "config_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        # Which of the hub's it is; a folder has none.
        "hub_commit": commit,
    }
    config = {**point.config, "model": told}
    if weights == OWN:
        config["weights"] = str(folder)
    return Point(config, point.overrides, point.chosen, point.repeat)


def model_config(config: Mapping[str, Any]) -> dict[str, str]:
    """What a composed configuration gives a spec of a model that has no name here."""
    said = config["model"].get("config")
    return {} if said is None else {"model_config": said}


def _counted(content: Mapping[str, Any], path: Path) -> OwnModel:
    """The model of an architecture without a row here, as the library counts it."""
    said = content.get("model_type")
    if not isinstance(said, str):
        return own_model(content, str(path))
    lacking = [name for name in ("torch", _LIBRARY) if importlib.util.find_spec(name) is None]
    if lacking:
        raise ValueError(
            f"{path}: architecture {said} has no row here and is counted by the library, which "
            f"must be where it is planned, but: {lacks(lacking[0], _LIBRARY)}"
        )
    counted = _count(json.dumps(content, sort_keys=True))
    if (fault := counted.get("fault")) is not None:
        raise ValueError(
            f"{path} must be of an architecture that can be counted, but {said} cannot: {fault}"
        )
    return counted_model(content, counted, str(path))


@functools.lru_cache(maxsize=64)
def _count(text: str) -> dict[str, Any]:
    """What the library counts, in a process of its own: a plan loads no torch."""
    done = subprocess.run(
        [sys.executable, "-m", _COUNTING],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    lines = done.stdout.splitlines()
    told = parse_json(lines[-1].encode(), "of what was counted") if lines else None
    if done.returncode != 0 or not isinstance(told, dict):
        said = " ".join(done.stderr.split())[-200:]
        raise ValueError(f"the library must count the model, but: {said}")
    return told


def _folder(asked: str) -> Path:
    folder = named_path("model", asked, f"a folder with {CONFIG}")
    if not (folder / CONFIG).is_file():
        what = "has none" if folder.is_dir() else "is no folder"
        raise ValueError(f"`model` must be a folder with {CONFIG}, but {folder} {what}")
    return folder


def _hub_folder(asked: str) -> tuple[Path, str]:
    """Where the model is staged, else where the hub's own library keeps it; its commit."""
    name = asked.removeprefix(HUB)
    if not HUB_NAME.fullmatch(name):
        raise ValueError(f"`model` must be {HUB}ORG/NAME, but is {asked!r} instead")
    if (found := find_staged(cache_folder(), name)) is not None:
        staged, files = found
        return files, staged.commit
    cache = _hub_cache()
    held = cache / f"models--{name.replace('/', '--')}"
    head = held / "refs" / "main"
    commit = head.read_text(encoding="utf-8").strip() if head.is_file() else ""
    folder = held / "snapshots" / commit
    if not COMMIT.fullmatch(commit) or not (folder / CONFIG).is_file():
        raise ValueError(
            f"`model` must be staged or lie in this machine's cache of the hub, but {name} is "
            f"neither staged nor in {cache}; where there is internet type "
            f"`{typed('launcher.stage', asked)}`, or name a folder that holds it"
        )
    return folder, commit


def _hub_cache() -> Path:
    """Where the hub's own library keeps what it fetched, by its own variables."""
    if said := os.environ.get("HF_HUB_CACHE"):
        return Path(said).expanduser()
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return Path(home).expanduser() / "hub"
