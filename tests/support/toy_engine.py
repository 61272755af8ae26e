"""Toy engine: what another package has to bring: one file, and one entry point that names `TOY`.

It tells neither phases nor steps nor logits, and loads no weights: each answer counts on from its
prompt's last token.
"""

from collections.abc import Sequence
from typing import Any

from workers.planning.engine_facts import EngineFacts
from workers.planning.workspace import RankWork

_VOCAB = 32_000


class ToyEngine:
    """Answers one batch at a time, as a whole."""

    clock = None
    weight_bytes = None
    model = None

    def __init__(self, max_gen_len: int) -> None:
        self._max_gen_len = max_gen_len

    def answer(self, prompts: Sequence[Sequence[int]], seed: int) -> Any:
        from workers.engines.base.generation import Generation  # noqa: PLC0415 (it loads torch)

        del seed
        ids = [
            [(prompt[-1] + step) % _VOCAB for step in range(self._max_gen_len)]
            for prompt in prompts
        ]
        return Generation(ids=ids, ended=[False] * len(ids), first_steps=None, step_us=None)

    def describe(self) -> dict[str, Any]:
        return {"name": "toy", "kernels": "none"}

    def close(self) -> None:
        return None


def open_toy(context: Any) -> ToyEngine:
    return ToyEngine(context.spec.max_gen_len)


def no_workspace(work: RankWork) -> int:
    del work
    return 0


TOY = EngineFacts(
    name="toy",
    opens=f"{__name__}:open_toy",
    quantizations=("none",),
    decodes_to_full_length=True,
    reads_prompts_whole=True,
    whole_embedding=False,
    folds_norms=False,
    gives_logits=False,
    workspace=no_workspace,
)
