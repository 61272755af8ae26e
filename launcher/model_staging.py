"""Model staging: a hub's model is fetched once, where there is internet, for nodes without.

Fetched are config.json, the tokenizer's files and .safetensors of one commit: no pickle, no code.
What came is held against what the hub says of that commit, file by file, before any of it takes
the place of an earlier copy. The user's token is sent only where `HF_TOKEN` says one, as gated
models need it.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from launcher.plan.staged_models import (
    COMMIT,
    CONFIG,
    FILES,
    HUB_NAME,
    RECORD,
    StagedFile,
    StagedModel,
    find_staged,
    model_folder,
)
from telemetry.record.files import file_sha256, write_json
from telemetry.record.folders import replace_folder
from workers.inputs.strict_json import read_object
from workers.prompts.hub import one_line

MAIN: Final = "main"
"""The branch that is taken where no other is asked for."""
_SINGLE: Final = "model.safetensors"
_INDEX: Final = "model.safetensors.index.json"
# As transformers' tokenizers save themselves; none of them is run.
_TOKENIZER: Final = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model"),
    *("special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"),
)
# How the hub's repositories call weights that are pickles, or another framework's.
_NEVER_READ: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")


def stage_model(
    model: str, cache: Path, *, revision: str = MAIN, weights: bool = True
) -> StagedModel:
    """Put a model of the hub into the cache; a copy that is there is replaced when all is there.

    Args:
        model: ORG/NAME of the hub.
        cache: the folder of staged copies; made if it is not there.
        revision: a branch, a tag or a commit.
        weights: False takes config.json and the tokenizer's files alone, for random weights.

    Raises:
        ValueError: the name is none, or the repository has no config.json or no .safetensors.
        RuntimeError: the hub cannot be reached, refuses a file, or sent another than it says.
        OSError: the cache cannot be written.
    """
    if not HUB_NAME.fullmatch(model):
        raise ValueError(f"`DATASET` must be hub:ORG/NAME, but is {f'hub:{model}'!r} instead")
    target = model_folder(cache, model)
    if target.exists() and not (target / RECORD).is_file():
        raise ValueError(
            f"{str(target)!r} must be free or a staged copy, but is something else; "
            "name another cache"
        )
    fresh = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        (fresh / FILES).mkdir(parents=True)
        commit, listed = _listed(model, revision)
        staged = [
            _fetch(model, commit, name, listed[name], fresh / FILES)
            for name in _wanted(model, commit, listed, fresh / FILES, weights=weights)
        ]
        # The library's own notes on what it fetched.
        shutil.rmtree(fresh / FILES / ".cache", ignore_errors=True)
        files = tuple(sorted(staged, key=lambda one: one.name))
        copy = StagedModel(model=model, revision=revision, commit=commit, files=files)
        write_json(fresh / RECORD, copy.to_mapping())
        stale = replace_folder(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if stale is not None:
        shutil.rmtree(stale, ignore_errors=True)
    return copy


def known_commit(cache: Path, model: str) -> str | None:
    """The commit of a copy that is staged already; None of one that is not, or is not whole."""
    try:
        found = find_staged(cache, model)
    except ValueError:
        return None
    return None if found is None else found[0].commit


def _wanted(
    model: str, commit: str, listed: Mapping[str, Any], folder: Path, *, weights: bool
) -> Iterator[str]:
    """Which files are fetched, in order; an index has been when its parts are asked for."""
    if CONFIG not in listed:
        raise ValueError(f"{model} must hold {CONFIG} at {commit}, but holds none")
    yield CONFIG
    yield from (name for name in _TOKENIZER if name in listed)
    if not weights:
        return
    if _INDEX in listed:
        yield _INDEX
        parts = read_object(folder / _INDEX).get("weight_map")
        names = sorted({str(name) for name in parts.values()}) if isinstance(parts, dict) else []
        if not names:
            raise ValueError(f"{_INDEX} of {model} must name the files of weights, but names none")
        for name in names:
            if name not in listed or "/" in name or not name.endswith(".safetensors"):
                raise ValueError(
                    f"{_INDEX} of {model} must name .safetensors beside it, but names {name!r}"
                )
        yield from names
    elif _SINGLE in listed:
        yield _SINGLE
    else:
        never = sorted(name for name in listed if name.endswith(_NEVER_READ))
        held = f"holds {never[0]} alone, which is never read" if never else "holds none"
        raise ValueError(
            f"{model} must hold weights as .safetensors, but {held}; "
            "--without-weights stages its configuration for random weights"
        )


def _listed(model: str, revision: str) -> tuple[str, Mapping[str, Any]]:
    """The commit that a revision is now, and what the hub says of each of its files."""
    library = _library()
    try:
        told = library.HfApi(**_asking()).model_info(model, revision=revision, files_metadata=True)
    except _failures() as error:
        raise _unreachable(model, error) from error
    commit = str(told.sha)
    if not COMMIT.fullmatch(commit):
        raise RuntimeError(f"the hub must say a commit of {model}, but says {commit[:60]!r}")
    if COMMIT.fullmatch(revision) and commit != revision:
        raise RuntimeError(f"the hub must have {model} at {revision}, but says {commit} instead")
    return commit, {one.rfilename: one for one in told.siblings or ()}


def _fetch(model: str, commit: str, name: str, known: Any, folder: Path) -> StagedFile:
    """One file of a commit, as the hub says that it is."""
    library = _library()
    try:
        library.hf_hub_download(model, name, revision=commit, local_dir=folder, **_asking())
    except _failures() as error:
        raise _unreachable(f"{name} of {model}", error) from error
    path = folder / name
    size, sha256 = path.stat().st_size, file_sha256(path, follow=True)
    if known.size is not None and size != known.size:
        raise RuntimeError(
            f"{name} of {model} must have {known.size} bytes, as the hub says, but {size} came"
        )
    if known.lfs is not None and sha256 != known.lfs.sha256:
        raise RuntimeError(
            f"{name} of {model} must have SHA-256 {known.lfs.sha256}, as the hub says, "
            f"but {sha256} came"
        )
    if known.lfs is None and known.blob_id is not None and _blob_id(path) != known.blob_id:
        raise RuntimeError(
            f"{name} of {model} must be git's blob {known.blob_id}, as the hub says, "
            f"but {_blob_id(path)} came"
        )
    return StagedFile(name=name, bytes=size, sha256=sha256)


def _blob_id(path: Path) -> str:
    """What git calls a file's content; files beside the large ones are short."""
    content = path.read_bytes()
    # A name in git's own sense: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def _asking() -> dict[str, Any]:
    """Whom the hub's library asks, and as whom."""
    return {
        "endpoint": os.environ.get("HF_ENDPOINT") or None,
        "token": os.environ.get("HF_TOKEN") or False,
    }


def _library() -> Any:
    """The hub's own library, quiet."""
    # Read when it is first imported: later is too late, and harmless.
    for switch in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(switch, "1")
    # Its other way of fetching keeps a cache of its own in the user's home.
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    import huggingface_hub  # noqa: PLC0415
    from huggingface_hub.utils import logging as hub_logging  # noqa: PLC0415

    hub_logging.get_logger().setLevel(logging.ERROR)
    return huggingface_hub


def _failures() -> tuple[type[Exception], ...]:
    """How the hub's library fails: by the errors of whichever HTTP library it is built on, too."""
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    return (OSError, ValueError, *HfHubHTTPError.__bases__)


def _unreachable(what: str, error: BaseException) -> RuntimeError:
    return RuntimeError(f"the hub must give {what}, but does not ({one_line(error)})")
