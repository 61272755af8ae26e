"""Bounded: who is asked over a network gets so long and no longer, whatever he does meanwhile.

A bound on each reading alone is none on the whole: one may answer a byte every nine seconds, and a
name that nobody serves is looked up for a minute.
"""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(act: Callable[[], T], patience_s: float, raises: tuple[type[Exception], ...]) -> T:
    """What `act` gives within a time; what it does afterwards is nobody's matter any more.

    Args:
        act: asks; it runs beside, and is left alone where it is late.
        patience_s: how long it has.
        raises: what it is known to raise, which is raised here.

    Raises:
        TimeoutError: it has not come to an end.
    """
    answers: queue.SimpleQueue[tuple[T] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((act(),))
        except raises as error:
            answers.put(error)

    # A process that is at its end waits for no daemon.
    threading.Thread(target=run, daemon=True, name="asks").start()
    try:
        answer = answers.get(timeout=patience_s)
    except queue.Empty:
        raise TimeoutError(f"must answer within {patience_s:g} s, but did not") from None
    if isinstance(answer, Exception):
        raise answer
    return answer[0]
