"""Parameter: one parameter of a model: its name, its size, and how ranks share it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of the whole model."""

    name: str
    """Dotted, as the family's released checkpoints have it and as its module has it."""
    size: tuple[int, ...]
    """Of the whole parameter, all ranks together."""
    split_dim: int | None
    """The dimension that ranks share; None when every rank holds all of it."""
    std: float | None
    """Standard deviation where weights are drawn; None for one that is all ones then."""

    def part_size(self, parts: int) -> tuple[int, ...]:
        """The size of each of `parts` equal slices; the whole where it is not shared."""
        return tuple(
            length // parts if at == self.split_dim else length
            for at, length in enumerate(self.size)
        )
