"""Peers: other people's ways to decode the same shapes, each as its authors tell one to."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.cases import TEMPERATURE, TOP_P, Case, prompts_of


class Transformers:
    """Transformers' own class with its static cache, which `generate` compiles on a GPU."""

    def __init__(self, case: Case) -> None:
        import torch  # noqa: PLC0415
        from transformers import __version__  # noqa: PLC0415

        from tests.support.checkpoints import hugging_face_class, hugging_face_config  # noqa: PLC0415
        from workers.models.base.torch_dtypes import TORCH_DTYPES  # noqa: PLC0415
        from workers.models.llama.shape import SHAPES  # noqa: PLC0415

        config = hugging_face_config(
            SHAPES[case.model], positions=case.prompt_len + case.new, pad_token_id=0
        )
        with torch.device(case.device):
            make: Callable[..., Any] = hugging_face_class(SHAPES[case.model])._from_config
            self._model = make(config, dtype=TORCH_DTYPES[case.dtype])
        self._model.train(False)
        # Given as an argument, None would be taken for "as the model's configuration says".
        self._model.generation_config.eos_token_id = None
        self._marks = _Marks(case.device)
        self._ids = torch.tensor(prompts_of(case), device=case.device)
        self._case = case
        self._about = f"transformers {__version__}, static cache, its own compile"

    def answer(self) -> list[int]:
        from transformers import LogitsProcessorList  # noqa: PLC0415

        self._marks.start()
        self._model.generate(
            self._ids,
            attention_mask=self._ids.new_ones(self._ids.shape),
            cache_implementation="static",
            do_sample=True,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            top_k=0,
            max_new_tokens=self._case.new,
            # Called once a step, between the logits and their sampling: one mark late is one
            # mark early the step before, so differences are whole steps.
            logits_processor=LogitsProcessorList([self._mark]),
        )
        return self._marks.read_us()

    def _mark(self, ids: Any, scores: Any) -> Any:
        del ids
        self._marks.mark()
        return scores

    def describe(self) -> str:
        return self._about


class LlamaV1:
    """The public code of LLaMA v1 from a clone of its own; nothing of it stands here."""

    def __init__(self, case: Case, *, rank: int, port: int, clone: Path) -> None:
        import torch  # noqa: PLC0415
        import torch.distributed as dist  # noqa: PLC0415
        from fairscale.nn.model_parallel.initialize import (  # noqa: PLC0415
            initialize_model_parallel,
        )

        from workers.models.llama.shape import SHAPES  # noqa: PLC0415

        torch.cuda.set_device(rank)
        dist.init_process_group(
            "nccl",
            init_method=f"tcp://127.0.0.1:{port}",
            rank=rank,
            world_size=case.gpus,
        )
        initialize_model_parallel(case.gpus)
        torch.manual_seed(1)
        sys.path.insert(0, str(clone))
        theirs = importlib.import_module("llama")
        shape = SHAPES[case.model]
        arguments = theirs.ModelArgs(
            dim=shape.dim,
            n_layers=shape.layers,
            n_heads=shape.heads,
            vocab_size=shape.vocab,
            norm_eps=shape.norm_eps,
            max_batch_size=case.batch,
            max_seq_len=case.prompt_len + case.new,
        )
        # As its example does: its layers take their format and their place from this.
        torch.set_default_tensor_type("torch.cuda.HalfTensor")
        model = theirs.Transformer(arguments)
        torch.set_default_tensor_type("torch.FloatTensor")
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.fill_(1.0) if "norm" in name else weight.normal_(0.0, 0.02)
        self._marks = _Marks(case.device)
        self._generator = theirs.LLaMA(_Marked(model, self._marks), _Echo(prompts_of(case)))
        self._case = case

    def answer(self) -> list[int]:
        self._marks.start()
        names = [str(row) for row in range(self._case.batch)]
        self._generator.generate(
            names, max_gen_len=self._case.new, temperature=TEMPERATURE, top_p=TOP_P
        )
        return self._marks.read_us()

    def describe(self) -> str:
        return "facebookresearch/llama, branch llama_v1, on FairScale, eager"


class _Marked:
    """Its model, with a mark after each forward pass."""

    def __init__(self, model: Any, marks: "_Marks") -> None:
        self._model = model
        self._marks = marks
        self.params = model.params

    def forward(self, *given: Any) -> Any:
        logits = self._model.forward(*given)
        self._marks.mark()
        return logits


class _Echo:
    """In the place of its tokenizer: row names in, the fixed prompts out."""

    pad_id, bos_id, eos_id = -1, 1, 2

    def __init__(self, prompts: list[list[int]]) -> None:
        self._prompts = prompts

    def encode(self, row: str, *, bos: bool, eos: bool) -> list[int]:
        del bos, eos
        return self._prompts[int(row)]

    def decode(self, ids: list[int]) -> str:
        return str(len(ids))


class _Marks:
    """Moments in the device's own order of work."""

    def __init__(self, device: str) -> None:
        import torch  # noqa: PLC0415

        from workers.engines.base.step_clock import StepClock  # noqa: PLC0415

        self._clock = StepClock(torch.device(device))
        self.start: Callable[[], None] = self._clock.start
        self.mark: Callable[[], None] = self._clock.mark
        self.read_us: Callable[[], list[int]] = self._clock.read_us
