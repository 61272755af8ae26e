"""Hub: how its datasets are read, with its library quiet and in its place.

Downloads go to <cache>/huggingface. A fetch sends the name of a public dataset and the releases of
the libraries that ask, never the user's token. A hub out of reach is given up after the library's
own five tries, some 25 seconds.
"""

import logging
import os
import textwrap
from pathlib import Path
from typing import Any, Final

from workers.prompts.corpus import Corpus, row_prompt
from workers.prompts.prompt_row import PromptRow
from workers.prompts.rows import quoted
from workers.prompts.task_rows import row_asked

# A library's reason is quoted up to here: some are paragraphs of advice about other problems.
_MAX_REASON_CHARS: Final = 240


def hub_texts(corpus: Corpus, cache: Path, *, clone: Path | None = None) -> list[PromptRow]:
    """What every row asks of the hub's dataset, or of a local clone of its repository.

    Raises:
        ValueError: the corpus is not on the hub, or the clone is not that dataset.
        RuntimeError: the hub cannot be reached, with the command for a machine that can.
    """
    if corpus.hub is None:
        raise ValueError(
            f"`source` must be a file for {corpus.name!r}, which is not on the hub, "
            "but is the hub instead"
        )
    if clone is None and Path(corpus.hub).exists():
        # load_dataset would take such a folder for the hub's dataset and say nothing.
        raise ValueError(
            f"the working folder must not hold {corpus.hub!r} when the hub's is meant, but does; "
            f"type `{staging_command(corpus)} --from {corpus.hub}` to stage that folder"
        )
    datasets = quiet_datasets(cache)
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415 (comes with datasets)

    # The bases name the error of whichever HTTP library the hub's client is built on (requests,
    # httpx, httpx2 by release): a dead network leaks through as that, and it need be no OSError.
    failures = (OSError, ValueError, datasets.exceptions.DatasetsError, *HfHubHTTPError.__bases__)
    try:
        loaded = datasets.load_dataset(
            corpus.hub if clone is None else str(clone),
            corpus.config,
            split=corpus.split,
            revision=corpus.revision if clone is None else None,
            cache_dir=str(cache / "huggingface" / "datasets"),
            token=False,
        )
    except failures as error:
        if clone is not None:
            raise ValueError(
                f"{quoted(clone)} must be a clone of the hub's {corpus.hub}, but cannot be read: "
                f"{one_line(error)}"
            ) from error
        raise RuntimeError(
            f"the hub's {corpus.hub} must be reachable, but is not ({one_line(error)}); "
            f"where there is internet type `{staging_command(corpus)}`, "
            f"without it `{staging_command(corpus)} --from FILE`"
        ) from error
    return [
        _asked(corpus, row, f"in row {number} of {corpus.hub}")
        for number, row in enumerate(loaded, start=1)
    ]


def _asked(corpus: Corpus, row: Any, place: str) -> PromptRow:
    if corpus.task is not None:
        return row_asked(row, corpus.task, place)
    return PromptRow(text=row_prompt(row, corpus.columns, place))


def hub_origin(corpus: Corpus) -> dict[str, Any]:
    """Where on the hub a corpus is."""
    return {
        "hub": corpus.hub,
        "config": corpus.config,
        "split": corpus.split,
        "revision": corpus.revision,
        **task_origin(corpus),
    }


def task_origin(corpus: Corpus) -> dict[str, Any]:
    """What its rows are asked as; nothing of a corpus whose texts are taken as they are."""
    return {} if corpus.task is None else {"task": corpus.task.to_mapping()}


def staging_command(corpus: Corpus) -> str:
    """What to type to stage a corpus."""
    return f"python -m launcher.stage {corpus.name}"


def quiet_datasets(cache: Path) -> Any:
    """The `datasets` module with its downloads in the cache, and no bars or telemetry."""
    # Read by huggingface_hub when it is first imported: later is too late, and harmless.
    os.environ.setdefault("HF_HOME", str(cache / "huggingface"))
    for switch in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(switch, "1")
    # Half a second that neither naming a source nor reading a prompts file should take.
    import datasets  # noqa: PLC0415
    from huggingface_hub.utils import logging as hub_logging  # noqa: PLC0415

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    hub_logging.get_logger().setLevel(logging.ERROR)
    return datasets


def one_line(error: BaseException) -> str:
    """An error and its reason on one line, cut where advice about other problems begins."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return textwrap.shorten(line, width=_MAX_REASON_CHARS, placeholder=" …")
