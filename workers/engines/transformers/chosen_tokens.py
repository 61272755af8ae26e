"""Chosen tokens: what a batch of the library's models has answered so far, step by step."""

import torch
from torch import Tensor

from workers.engines.base.finite_logits import LogitRanges
from workers.engines.base.generation import Generation
from workers.engines.base.sampling import Decoding, sample
from workers.engines.base.step_clock import StepClock


class ChosenTokens:
    """The tokens of one batch at a time, each step's chosen by this project's sampler.

    Args:
        decoding: how they are chosen, and where answers end.
        device: where they are.
        clock: tells when each step was done.
    """

    def __init__(self, decoding: Decoding, device: torch.device, clock: StepClock) -> None:
        self._decoding = decoding
        self._device = device
        self._clock = clock
        self._steps: list[Tensor] = []
        self._ended = torch.empty(0)
        self._most = 0
        self._generator = torch.Generator(device=device)
        # On a GPU the host runs ahead of the device.
        self._ranges = LogitRanges(waits=device.type == "cpu")

    def begin(self, rows: int, most: int, seed: int) -> None:
        """A new batch of so many rows, of at most so many tokens each."""
        self._steps = []
        self._ended = torch.zeros(rows, dtype=torch.bool, device=self._device)
        self._most = most
        self._generator.manual_seed(seed)
        self._ranges.begin(most, rows, self._device)

    def choose(self, logits: Tensor) -> None:
        """Choose the next token of every row by its logits, fp32 [rows, vocab].

        Raises:
            NonFiniteLogitsError: they are no numbers.
        """
        self._ranges.note(logits)
        decoding = self._decoding
        chosen = sample(logits, decoding.temperature, decoding.top_p, self._generator)
        self._steps.append(chosen)
        self._ended |= chosen == decoding.eos_id
        self._clock.mark()

    @property
    def last(self) -> Tensor:
        """The tokens that were chosen last, [rows, 1]."""
        return self._steps[-1][:, None]

    @property
    def go_on(self) -> bool:
        """Whether there is room and some row has not ended.

        The library's own loop, too, asks its device at every step.
        """
        if len(self._steps) >= self._most:
            return False
        return self._decoding.ignore_eos or not bool(self._ended.all())

    def answers(self) -> Generation:
        """The answers, each cut at its end.

        Raises:
            NonFiniteLogitsError: the model's logits are no numbers.
        """
        self._ranges.settle()
        rows = torch.stack(self._steps, dim=1).tolist()
        answers = [self._decoding.cut(row) for row in rows]
        return Generation(
            ids=[ids for ids, _ in answers],
            ended=[ended for _, ended in answers],
            first_steps=[0] * len(rows),
            step_us=self._clock.read_us(),
        )
