"""LLaMA v1 on FairScale's layers."""
