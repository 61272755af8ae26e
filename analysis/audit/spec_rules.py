"""Spec rules: what is asked of what was asked for, and what each answer is worth."""

from typing import Final

from analysis.audit.check import Check, Severity
from analysis.audit.spec_checks import model_as_asked, order_says_so, tokenizer_as_asked

SPEC_CHECKS: Final = (
    Check(
        name="launch",
        claim="the launcher was given what the spec says",
        severity=Severity.WRONG,
        rule=(
            "spec.json, launch.json, submitted.json, the composed configuration, "
            "the overrides and the command say the same"
        ),
        tolerance="one part in 1e9 of a number",
        reason="the same number is written down in JSON and on a command line",
        rules_out="a spec that was edited to other work than was asked for",
        look=order_says_so,
    ),
    Check(
        name="model",
        claim="the model is the one asked for",
        severity=Severity.WRONG,
        rule=(
            "model.json names the model, engine, numbers and weights of the spec, "
            "the sizes of the published model, and the GPUs held that many bytes"
        ),
        tolerance="none; of memory at least a rank's share of the weights",
        reason="what is loaded is named and sized by who loads it",
        rules_out=("another, smaller or random model than the one that the numbers are told of"),
        look=model_as_asked,
    ),
    Check(
        name="tokenizer",
        claim="the tokenizer is the one asked for",
        severity=Severity.WRONG,
        rule=(
            "the shard of responses names the tokenizer of the spec, its digest, "
            "and as many ids as the model has"
        ),
        tolerance="none",
        reason="a tokenizer is named by its file's digest",
        rules_out="tokens counted by another tokenizer than the one that is named",
        look=tokenizer_as_asked,
    ),
)
"""Checks of what was asked for, in the audit's order."""
