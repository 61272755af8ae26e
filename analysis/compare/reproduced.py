"""Reproduced: whether one side was made after the other, by its own record, and came out so."""

from collections.abc import Iterator, Sequence
from typing import Final

from analysis.compare.sentences import within
from analysis.compare.sides import Member, Side
from analysis.compare.verdict import Judgement
from analysis.runs.campaign import reproduces
from telemetry.record.files import file_sha256

_PERCENT: Final = 100.0


def reproduced(original: Side, new: Side, verdicts: Sequence[Judgement]) -> Iterator[str]:
    """What there is to say of `new` as a reproduction of `original`; nothing where it is none.

    `verdicts` are those of energy per token of the two's cells.
    """
    try:
        after = [member for member in new.members if reproduces(member.run) is not None]
    except ValueError as error:
        yield f"what {new.letter} was made after cannot be read: {error}"
        return
    if not after:
        return
    seals = {
        (member.run.run_id, file_sha256(member.run.attempt.seal)) for member in original.members
    }
    strange = [member for member in after if _named(member) not in seals]
    if len(strange) == len(after):
        return
    yield (
        f"{new.letter} was made after {original.letter}: {len(after) - len(strange)} of its "
        f"{len(new.members)} runs name a seal that {original.letter} has"
        + (f"; {_named(strange[0])[0]} is not as it was then" if strange else "")
    )
    if verdicts:
        shown, cells = within(verdicts)
        margin = f"{verdicts[0].margin * _PERCENT:g} %"
        told = f"energy per token within {margin} is shown in {shown} of {cells} cells"
        if shown == cells:
            yield f"{original.letter} is reproduced by {new.letter}: {told}"
        else:
            differing = sum(one.differs_beyond for one in verdicts)
            word = "is not reproduced" if differing else "is not shown to be reproduced"
            beyond = f", a difference beyond it in {differing}" if differing else ""
            yield f"{original.letter} {word} by {new.letter}: {told}{beyond}"


def _named(member: Member) -> tuple[str, str]:
    found = reproduces(member.run)
    assert found is not None
    return found.run_id, found.seal_sha256
