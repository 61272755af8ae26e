"""Other work: which points of ours stand beside a change of the paper where none did its work.

A change against one's own base is a share, and other work under the same caps has one too: another
model, batch or data set. It is shown with all in which it differs. Work of one length stands
beside the paper's nearest length, and beside a mean over lengths where it has not all. The paper's
own work at other lengths is no other work: there a length is missing.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from analysis.paper.matching import Parts, kin
from analysis.paper.point import GridPoint
from analysis.paper.published import Published, published


@dataclass(frozen=True, kw_only=True)
class _Work:
    model: str
    """Name of the model."""
    dataset: str
    """Name of the prompts."""
    batch_size: int
    """Prompts answered together."""
    gpus: int
    """GPUs of it."""

    def is_the_papers(self, number: Published) -> bool:
        """Whether it is what the number is of, whatever the length."""
        return (
            self.model == number.model
            and self.batch_size == number.batch_size
            and any(kin(self.dataset, one) for one in number.datasets)
        )

    def distance(self, number: Published) -> tuple[bool, bool, float, bool]:
        """How far it is from the paper's: the less the sooner it is taken."""
        return (
            self.model != number.model,
            not any(kin(self.dataset, one) for one in number.datasets),
            abs(math.log(self.batch_size / number.batch_size)),
            self.gpus != number.gpus,
        )


def other_works(number: Published, points: Iterable[GridPoint]) -> Iterator[Parts]:
    """Points of each other work, the nearest first: for each length of the number, or for one."""
    works: dict[_Work, dict[int, list[GridPoint]]] = {}
    for point in points:
        work = _Work(
            model=str(point["model"]),
            dataset=point.corpus,
            batch_size=int(str(point["batch_size"])),
            gpus=int(str(point["gpus"])),
        )
        if work.is_the_papers(number):
            continue
        by_length = works.setdefault(work, {})
        by_length.setdefault(int(str(point["max_gen_len"])), []).append(point)
    for work in sorted(works, key=lambda one: one.distance(number)):
        own = works[work]
        if all(length in own for length in number.max_gen_lens):
            yield tuple(tuple(own[length]) for length in number.max_gen_lens)
            continue
        for length in sorted(own, key=lambda one: _apart(one, number.max_gen_lens)):
            if _nearest(number, length) in number.max_gen_lens:
                yield (tuple(own[length]),)


def work_differences(number: Published, points: Sequence[GridPoint]) -> tuple[str, ...]:
    """In what the work of points is another than the paper's, its data set left out."""
    told = [f"model {point['model']}" for point in points if point["model"] != number.model]
    told += [
        f"batch {point['batch_size']}"
        for point in points
        if point["batch_size"] != number.batch_size
    ]
    lengths = sorted({int(str(point["max_gen_len"])) for point in points})
    if lengths != sorted(number.max_gen_lens):
        told.append(f"{', '.join(map(str, lengths))} tokens")
    return tuple(dict.fromkeys(told))


def _nearest(number: Published, length: int) -> int:
    """Of the lengths that the paper's table has the one that is nearest, by their ratio."""
    lengths = {
        one for each in published() if each.source == number.source for one in each.max_gen_lens
    }
    return min(sorted(lengths), key=lambda one: _apart(one, (length,)))


def _apart(length: int, others: Sequence[int]) -> float:
    return min(abs(math.log(length / other)) for other in others)
