"""Spellings: which board somebody means, a user or a batch system, by another name than a row's.

A GRES type or a node's feature is a site's own word: `a100`, `nvidia_a100-sxm4-80gb`, which Slurm
makes of the driver's, `tesla_v100`, `h100_pcie`, `rtx_4090`, `hbm40g`. It is cut into marks; a row
is meant where each mark stands in one of its forms' names, or in its own: so no row needs a list.

Where several rows have all marks, the one is meant whose short name the word is without what only
says how it is built: `a100` is the row a100, whose board has 80 GB. What the node's driver then
names decides (`telemetry.boards.agreement`).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from telemetry.boards.agreement import SIMULATED
from telemetry.boards.board import GIB, Board, Form
from telemetry.boards.sensors_only import SENSORS_ONLY
from telemetry.boards.table import BOARDS, board_of
from telemetry.nearest import settled

_WITH_MEMORY: Final = re.compile(r"(?P<name>.+?)[-_ ]?(?P<gib>\d+) ?gi?b?", re.IGNORECASE)
# A vendor's 80 GB are 79.6 GiB of an H100's driver, its 141 GB are 140.4 of an H200's.
_MEMORY_SHARE: Final = 0.02
# Words of a name that tell no two boards apart.
_NOISE: Final = frozenset(
    {
        *("nvidia", "tesla", "geforce", "quadro", "generation", "gpu", "gpus", "gb"),
        *("hbm2", "hbm2e", "hbm3", "hbm3e", "nvlink", "sku", "brd", "mem", "type"),
    }
)
# Digital Research Alliance of Canada's word for the V100 of 32 GB.
_WORDS: Final = {"v100l": ("v100", "32gb")}
_SIZE: Final = re.compile(r"(?:hbm|m|mem)?(\d{2,3})(?:g|gb|gib)|m(\d{2})")
_BARE_SIZE: Final = re.compile(r"\d{2,3}")
# rtx4090 is written rtx_4090 and 4090 too; rtx6000ada RTX 6000 Ada and rtx_ada_6000.
_RTX: Final = re.compile(r"rtx[^a-z0-9]*(ada)?[^a-z0-9]*(\d{4})[^a-z0-9]*(ada(?![a-z0-9]))?")
_CONSUMER: Final = re.compile(r"[2-9]0[5-9]0")
# One word of a product and how it is built: h100pcie, a100sxm4, a100m80.
_GLUED: Final = re.compile(r"([a-z]{1,2}\d{1,3}s?)(sxm\d?|pcie|nvl|m\d{2}|\d{2}gb?)")
# Of a product's word alone nobody knows whether it is the one with a row or the one without.
_TELLING: Final = 2
# How boards of one row may be built.
_BUILDS: Final = re.compile(r"sxm\d?|pcie|nvl")
_SLICE: Final = re.compile(r"\d+g\.\d+gb", re.IGNORECASE)


def board_called(given: str) -> str | None:
    """The name of the row, or simulated row, that `given` is; None where it is none.

    Case and the marks between words count for nothing, a driver's own name is a board's
    (`NVIDIA A100-SXM4-80GB`), and so is a row's with its memory (`A100-80GB`).
    """
    text = given.strip()
    if text.casefold().startswith(SIMULATED):
        modelled = board_called(text[len(SIMULATED) :])
        return modelled and f"{SIMULATED}{modelled}"
    if row := settled(text, BOARDS):
        return row
    if board := board_of(text):
        return board.name
    memory = _WITH_MEMORY.fullmatch(text)
    row = memory and settled(memory["name"], BOARDS)
    if memory is None or row is None:
        return None
    has_gib = BOARDS[row].memory_bytes / GIB
    return row if abs(int(memory["gib"]) / has_gib - 1) <= _MEMORY_SHARE else None


def board_names() -> list[str]:
    """All names that `gpu` may hold of a board: the rows, and each simulated."""
    return [*BOARDS, *(f"{SIMULATED}{name}" for name in BOARDS)]


def boards_called(spelled: str) -> tuple[Board, ...]:
    """The rows that a site may mean by `spelled`, the likeliest first; none where it names none.

    A slice of a board (MIG) is no board, and a name that is also another product's, in no row, is
    nobody's.
    """
    if _SLICE.search(spelled):
        return ()
    exact = [
        board for board in BOARDS.values() if spelled.lower() in map(_as_slurm, board.driver_names)
    ]
    if exact:
        return tuple(exact)
    marks = frozenset(_marks(spelled))
    if not any(_names_product(mark) for mark in marks):
        return ()
    found = [
        board
        for board in BOARDS.values()
        if any(_has_all(known, marks) for known in _known_marks(board))
    ]
    plain = "-".join(mark for mark in _marks(spelled) if not _BUILDS.fullmatch(mark))
    named = [board for board in found if board.name == plain]
    stranger = any(_has_all(frozenset(_marks(name)), marks) for name in SENSORS_ONLY)
    if stranger and not named and len(marks) < _TELLING:
        return ()
    return (*named, *(board for board in found if board not in named))


def board_meant(gpu_type: str, features: Sequence[str] = ()) -> Board | None:
    """The row that a node's GPUs are of, by Slurm's type of them and the node's features.

    A type decides; where it says nothing (none, `gpu:nvidia`) the features do, which must agree.
    Where several rows are left, a feature that tells memory, such as `hbm40g`, decides; else the
    likeliest is taken. None where nothing names a row.
    """
    typed = bool(_SLICE.search(gpu_type)) or any(_marks(gpu_type))
    common: Sequence[Board] | None = boards_called(gpu_type) if typed else None
    for word in () if typed else features:
        if named := boards_called(word):
            common = [one for one in named if common is None or one in common]
    if not common:
        return None
    sizes = {mark for word in features for mark in _marks(word) if mark.endswith("gb")}
    sized = [one for one in common if any(sizes & known for known in _known_marks(one))]
    return (sized or common)[0]


def _as_slurm(driver_name: str) -> str:
    """A driver's name as Slurm makes a type of it (AutoDetect=nvml in gres.conf)."""
    return driver_name.lower().replace(" ", "_")


def _marks(spelled: str) -> Iterator[str]:
    """What a name is made of, each mark in one spelling."""
    text = _RTX.sub(lambda found: f" rtx{found[2]} {found[1] or found[3] or ''} ", spelled.lower())
    for index, word in enumerate(re.split(r"[^a-z0-9]+", text)):
        if not word or word in _NOISE:
            continue
        if word in _WORDS:
            yield from _WORDS[word]
        elif consumer := _CONSUMER.fullmatch(word):
            yield f"rtx{consumer[0]}"
        elif glued := _GLUED.fullmatch(word):
            yield glued[1]
            yield from _marks(glued[2])
        elif size := _SIZE.fullmatch(word):
            yield f"{size[1] or size[2]}gb"
        elif index and _BARE_SIZE.fullmatch(word):
            yield f"{word}gb"
        else:
            yield word


def _names_product(mark: str) -> bool:
    return any(
        mark in known
        for board in BOARDS.values()
        for known in _known_marks(board)
        if not mark.endswith("gb") and not _BUILDS.fullmatch(mark) and mark != "ada"
    )


def _known_marks(board: Board) -> Iterator[frozenset[str]]:
    """The marks of each form, with those of the row."""
    own = {*_marks(board.name), *_marks(board.product)}
    # 80 GB is the row's too, so that a type without the form's name has it.
    return (frozenset({*own, *_form_marks(form)}) for form in board.forms)


def _form_marks(form: Form) -> Iterator[str]:
    for name in form.driver_names:
        yield from _marks(name)


def _has_all(known: frozenset[str], marks: frozenset[str]) -> bool:
    return all(mark in known or _is_built_so(known, mark) for mark in marks)


def _is_built_so(known: frozenset[str], mark: str) -> bool:
    """Whether a module's socket, with or without its number, is one of these."""
    return mark.startswith("sxm") and any(
        one == "sxm" or (mark == "sxm" and one.startswith("sxm")) for one in known
    )
