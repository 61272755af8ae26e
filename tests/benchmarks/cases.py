"""Case: shapes that contenders decode, one for each row of the figures they are held against."""

from dataclasses import dataclass
from typing import Final

from telemetry.record.spec import RunSpec

TEMPERATURE, TOP_P = 0.8, 0.95


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is decoded: the same for all contenders."""

    name: str
    model: str
    gpus: int
    batch: int
    prompt_len: int
    new: int
    device: str = "cuda"
    dtype: str = "fp16"

    def spec(self, engine: str, quantization: str = "none", kv_dtype: str | None = None) -> RunSpec:
        """The case as a run of this project."""
        return RunSpec(
            model=self.model,
            engine=engine,
            dtype=self.dtype,
            quantization=quantization,
            kv_dtype=kv_dtype,
            weights="random",
            tokenizer="none",
            gpu="h200" if self.device == "cuda" else "cpu",
            gpus=self.gpus,
            gpus_per_node=self.gpus,
            dataset="fixed-synthetic",
            prompts=self.batch,
            batch_size=self.batch,
            max_prompt_len=self.prompt_len,
            max_gen_len=self.new,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            ignore_eos=True,
            seed=1,
            power_cap_w=None,
            sm_clock_mhz=None,
            repeat=0,
        )


CASES: Final = {
    case.name: case
    for case in (
        Case(name="7b-b64", model="7b", gpus=1, batch=64, prompt_len=128, new=128),
        # Positions up to 512, as in the figures that these are held against.
        Case(name="7b-b1", model="7b", gpus=1, batch=1, prompt_len=384, new=128),
        Case(name="7b-b256", model="7b", gpus=1, batch=256, prompt_len=384, new=128),
        Case(name="prefill-64x128", model="7b", gpus=1, batch=64, prompt_len=128, new=2),
        Case(name="13b-b64", model="13b", gpus=1, batch=64, prompt_len=128, new=128),
        Case(name="65b-g2", model="65b", gpus=2, batch=64, prompt_len=128, new=128),
        Case(name="65b-g4", model="65b", gpus=4, batch=64, prompt_len=128, new=128),
        Case(name="65b-g8", model="65b", gpus=8, batch=64, prompt_len=128, new=128),
        # Heads that share keys and values: of 3B three, of Mistral four.
        *(
            Case(name=f"{model}-b{batch}", model=name, gpus=1, batch=batch, prompt_len=128, new=128)
            for model, name, batch in (
                ("llama-3.2-1b", "llama-3.2-1b", 64),
                ("llama-3.2-3b", "llama-3.2-3b", 1),
                ("llama-3.2-3b", "llama-3.2-3b", 64),
                ("mistral-7b", "mistral-7b-v0.1", 64),
            )
        ),
        # The cache as large as the weights, and rows that leave the window of 4,096 positions.
        Case(
            name="mistral-7b-long",
            model="mistral-7b-v0.1",
            gpus=1,
            batch=32,
            prompt_len=4032,
            new=128,
        ),
        # On a CPU, in seconds: whether the benchmark works, not how fast anything is.
        *(
            Case(
                name=name,
                model="nano",
                gpus=gpus,
                batch=2,
                prompt_len=8,
                new=6,
                device="cpu",
                dtype="fp32",
            )
            for name, gpus in (("smoke", 1), ("smoke-g2", 2))
        ),
    )
}


def prompts_of(case: Case) -> list[list[int]]:
    """The prompts of a case: random ids, all of one length, the same for every contender."""
    import torch  # noqa: PLC0415

    from workers.models.llama.shape import VOCAB_SIZE  # noqa: PLC0415

    draws = torch.Generator().manual_seed(3)
    ids: list[list[int]] = torch.randint(
        3, VOCAB_SIZE, (case.batch, case.prompt_len), generator=draws, device="cpu"
    ).tolist()
    return ids
