"""Stage: `python -m launcher.stage gsm8k alpaca hub:ORG/NAME`, once, where there is internet.

Compute nodes and air-gapped login nodes then take prompts and models from the cache. Where there is
no internet at all, `--from` takes files, or a clone of the hub's repository, that were carried
there.

Exit status: 0 all staged, 1 the hub cannot be reached or sent what it does not say, 2 the
command, a file or a repository is wrong.
"""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from telemetry.command import CommandParser, ExitCode, command, complain, needs_extra
from telemetry.document import due
from telemetry.named_paths import named_path
from telemetry.nearest import one_of, settled
from telemetry.next_line import typed
from telemetry.output import Output
from telemetry.waiting import waiting

with needs_extra("stage", "launch"):
    # The commands that only name data sets do without it; and loaded here it would read its
    # settings too early.
    if find_spec("datasets") is None:
        raise ModuleNotFoundError(name="datasets")
    from launcher.model_staging import MAIN, known_commit, stage_model
    from launcher.plan.staged_models import FILES, StagedModel, model_folder
    from workers.prompts.corpus import CORPORA
    from workers.prompts.source import cache_folder
    from workers.prompts.staging import StagedCopy, stage

HUB: Final = "hub:"
"""Before a model's name of the hub, as `model=` has it."""


@command("stage")
def main(arguments: Sequence[str] | None = None) -> int:
    """Stage what the command names; the exit status."""
    given = _parser().parse_args(arguments)
    asked = list(dict.fromkeys(given.datasets))
    models = [name.removeprefix(HUB) for name in asked if name.startswith(HUB)]
    names = [settled(one, _stageable()) or one for one in asked if not one.startswith(HUB)]
    try:
        cache = cache_folder() if given.cache is None else named_path("--cache", given.cache)
        origins = [named_path("--from", each, "a file or a folder") for each in given.origins]
        _check(given, names, models)
    except ValueError as error:
        return _refuse(str(error), ExitCode.BAD_INPUT)
    out = Output()
    copies: list[StagedCopy] = []
    fetched: list[StagedModel] = []
    try:
        for name in names:
            with waiting(f"staging {name}"):
                copies.append(stage(CORPORA[name], cache, origins=origins))
            out.say(_describe(copies[-1]))
            out.exact(f"  in {cache / name}")
            _tell(copies, fetched, cache)
        for name in models:
            before = known_commit(cache, name)
            with waiting(f"staging {HUB}{name}"):
                fetched.append(
                    stage_model(
                        name,
                        cache,
                        revision=given.revision or MAIN,
                        weights=not given.without_weights,
                    )
                )
            out.say(_describe_model(fetched[-1], before))
            out.exact(f"  in {model_folder(cache, name) / FILES}")
            _tell(copies, fetched, cache)
    except ValueError as error:
        return _refuse(str(error), ExitCode.BAD_INPUT)
    except RuntimeError as error:
        return _refuse(str(error), ExitCode.FAILED)
    except OSError as error:
        return _refuse(f"`--cache` must be a folder that can be written, but: {error}", 2)
    word = f"dataset={names[0]}" if names else f"model={HUB}{models[0]}"
    out.next(_next_command(word, names[:1], cache, is_default=given.cache is None))
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        module="launcher.stage",
        description="Put datasets and models where machines without internet find them.",
        epilog="datasets:\n"
        + "".join(f"  {name:<16}  {CORPORA[name].about}\n" for name in _stageable()),
        exits={
            ExitCode.DONE: "all staged",
            ExitCode.FAILED: "the hub cannot be reached, or sent what it does not say",
            ExitCode.BAD_INPUT: "the command, a file or a repository will not do",
        },
    )
    parser.add_argument(
        "datasets",
        nargs="+",
        metavar="DATASET",
        help=f"{', '.join(_stageable())}, or {HUB}ORG/NAME for a model of the hub",
    )
    parser.add_argument(
        "--cache",
        default=None,
        metavar="DIR",
        help="where staged copies lie (default: $JOULEGRID_CACHE, else ~/.cache/joulegrid)",
    )
    parser.add_argument(
        "--from",
        dest="origins",
        action="append",
        default=[],
        metavar="FILE",
        help="take this file, or a clone of the hub's repository, instead of the hub; "
        "given more than once, the files are read one after another",
    )
    parser.add_argument(
        "--revision",
        default=None,
        metavar="REVISION",
        help=f"of a model the branch, tag or commit (default: {MAIN})",
    )
    parser.add_argument(
        "--without-weights",
        action="store_true",
        help="of models config.json and the tokenizer alone, for random weights",
    )
    parser.add_json("what was staged, from where, and its SHA-256")
    return parser


def _check(given: Any, names: Sequence[str], models: Sequence[str]) -> None:
    """Refuse what cannot be done to what is named, with one line."""
    if fault := _models_fault(given, models):
        raise ValueError(fault)
    if given.origins and len(names) > 1:
        raise ValueError("`--from` must be given with one dataset, but is given with several")
    if strangers := [name for name in names if name not in _stageable()]:
        raise ValueError(one_of("DATASET", _stageable(), strangers[0], things="data sets"))


def _tell(copies: Sequence[StagedCopy], models: Sequence[StagedModel], cache: Path) -> None:
    if (document := due()) is not None:
        document.fill("stage", _document(copies, models, cache))


def _models_fault(given: Any, models: Sequence[str]) -> str | None:
    """Why what is asked of models cannot be done to those that are named; None when it can."""
    if given.origins and models:
        return (
            f"`--from` must be given with a dataset, but is given with {HUB}{models[0]}; a model's "
            "folder needs no staging: model=FOLDER"
        )
    if given.revision is not None and len(models) != 1:
        return f"`--revision` must be given with one model {HUB}ORG/NAME, but is not"
    if given.without_weights and not models:
        return f"`--without-weights` must be given with a model {HUB}ORG/NAME, but is not"
    return None


def _document(
    copies: Sequence[StagedCopy], models: Sequence[StagedModel], cache: Path
) -> dict[str, Any]:
    staged = [{**dataclasses.asdict(copy), "folder": str(cache / copy.corpus)} for copy in copies]
    fetched = [
        {**one.to_mapping(), "folder": str(model_folder(cache, one.model) / FILES)}
        for one in models
    ]
    return {"cache": str(cache), "staged": staged, "models": fetched}


def _describe_model(model: StagedModel, before: str | None) -> str:
    """What was staged of a model, and whether its revision moved since the last time."""
    count = len(model.files)
    size = sum(one.bytes for one in model.files)
    weights = "with weights" if model.with_weights else "without weights"
    moved = f", was {before[:12]} before" if before not in (None, model.commit) else ""
    return (
        f"{HUB}{model.model}: {count} files of {size} bytes, {weights}, {model.revision} at "
        f"{model.commit[:12]}{moved}"
    )


def _stageable() -> list[str]:
    return [name for name, corpus in CORPORA.items() if corpus.stageable]


def _describe(copy: StagedCopy) -> str:
    empty = copy.rows - copy.prompts
    left_out = f" ({empty} empty rows left out)" if empty else ""
    return (
        f"{copy.corpus}: {copy.prompts} prompts{left_out}, recorded as {copy.dataset}, "
        f"sha256 {copy.sha256[:16]}"
    )


def _next_command(word: str, names: Sequence[str], cache: Path, *, is_default: bool) -> str:
    # A cache named by hand is found again only if the launcher is told of it.
    place = "" if is_default else f"JOULEGRID_CACHE={shlex.quote(str(cache))} "
    # What is not on the hub is configured as a file, so the staged copy must be asked for.
    local = any(not CORPORA[name].hub for name in names)
    source = ("dataset.source=staged",) if local else ()
    engine = () if names else ("engine=transformers",)
    return place + typed("launcher", word, *engine, *source)


def _refuse(line: str, status: int) -> int:
    complain("stage", " ".join(line.split()))
    return status


if __name__ == "__main__":
    sys.exit(main())
