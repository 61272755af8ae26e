"""The work: LLaMA on FairScale ranks, prompts in, generated tokens and spans out."""
