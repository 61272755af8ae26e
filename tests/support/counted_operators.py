"""Operators: which of torch's a piece of code starts, on any device, `meta` included."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, operators that are more than another view of a tensor are counted by name.

    Not under `inference_mode`, which hides what an operator is made of.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if not func.is_view:  # type: ignore[attr-defined]
            self.counts[func.overloadpacket.__name__] += 1  # type: ignore[attr-defined]
        return func(*args, **(kwargs or {}))


def operators_of(work: Callable[[], object]) -> Counter[str]:
    """What a piece of code starts, by name."""
    with Operators() as operators:
        work()
    counts: Counter[str] = operators.counts
    return counts
