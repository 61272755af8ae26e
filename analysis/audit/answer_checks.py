"""Answer checks: were the prompts asked as ordered, and could the model have said that?"""

from collections import Counter, defaultdict
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.audit.check import Case, Check, Finding, Severity, judged, unseen
from analysis.performance.model_record import ModelFacts
from analysis.runs.table_arrays import int_array
from telemetry.record.schema import Phase

_RANDOM: Final = "random"
_SYNTHETIC: Final = "fixed-synthetic"
# From here on a random model's next token is as good as drawn: nearly all of 32,000 ids are equally
# likely, so that two answers of so many tokens are not the same by chance.
TELLING_TEMPERATURE: Final = 0.5
"""From here on up an answer shows that it was drawn."""
TELLING_TOP_P: Final = 0.5
"""The same of nucleus sampling."""
_TELLING_TOKENS: Final = 8
# A greedy choice can turn at a tie that rounding decides, not at every other prompt's first token.
_MOST_TURNED: Final = 0.5


def batches_as_asked(case: Case) -> Finding:
    """Each pass asks the prompts in order, `batch_size` at a time, the last batch the rest."""
    spec, responses = case.run.spec, case.run.responses
    a_pass = -(-spec.prompts // spec.batch_prompts)
    batch, row, prompt = (int_array(responses, name) for name in ("batch", "row", "prompt"))
    faults = [
        f"response {batch[at]}/{row[at]} is to prompt {prompt[at]}, in batches of "
        f"{spec.batch_prompts} it is to {batch[at] % a_pass * spec.batch_prompts + row[at]}"
        for at in np.flatnonzero(prompt != batch % a_pass * spec.batch_prompts + row)
    ]
    if len(row) and (row.max() >= spec.batch_prompts or row.min() < 0):
        faults.append(f"a batch has row {row.max()}, asked for were {spec.batch_prompts} a batch")
    sizes = Counter(batch.tolist())
    for number, size in sorted(sizes.items()):
        rest = spec.prompts - number % a_pass * spec.batch_prompts
        if size != min(spec.batch_prompts, rest):
            faults.append(f"batch {number} has {size} prompts, not {min(spec.batch_prompts, rest)}")
    for rank in case.run_energy.ranks:
        for phase in (Phase.ENCODE, Phase.PREFILL, Phase.DECODE, Phase.ANSWER):
            own = [rank.batch[index] for index in rank.measured(phase)]
            if own and own != sorted(sizes):
                faults.append(f"rank {rank.rank} has {len(own)} spans {phase}, not {len(sizes)}")
    return judged(faults, f"{len(sizes)} batches of {spec.batch_prompts} or the rest")


def lengths_as_asked(case: Case) -> Finding:
    """Prompts are as long as they may be, and answers end where the spec lets them."""
    spec, responses = case.run.spec, case.run.responses
    given, made = (int_array(responses, name) for name in ("prompt_tokens", "generated_tokens"))
    faults = []
    if len(given) and not (given.min() >= 1 and given.max() <= spec.max_prompt_len):
        faults.append(
            f"prompts have {given.min()} to {given.max()} tokens, not 1 to {spec.max_prompt_len}"
        )
    if spec.dataset == _SYNTHETIC and len(given) and given.min() < spec.max_prompt_len:
        faults.append(f"a prompt has {given.min()} tokens, {_SYNTHETIC} has {spec.max_prompt_len}")
    cut = case.run.manifest.get("prompts", {}).get("cut")
    longest = responses.filter(pc.equal(responses["prompt_tokens"], spec.max_prompt_len))
    filled = pc.count_distinct(longest["prompt"]).as_py()
    if isinstance(cut, int) and cut > filled:
        faults.append(f"{cut} prompts were cut, but {filled} have {spec.max_prompt_len} tokens")
    several = responses.group_by("prompt").aggregate([("prompt_tokens", "count_distinct")])
    if (pc.max(several["prompt_tokens_count_distinct"]).as_py() or 0) > 1:
        faults.append("a prompt has other tokens in one pass than in another")
    ended = responses["ended"]
    if ended.null_count < responses.num_rows:
        went_on = pc.fill_null(pc.invert(ended), False).to_numpy()
        short = np.flatnonzero(went_on & (made < spec.max_gen_len))
        if len(short):
            faults.append(
                f"{len(short)} answers are shorter than {spec.max_gen_len} tokens and did not end"
            )
        stopped = pc.sum(ended).as_py() or 0
        if spec.ignore_eos and stopped:
            faults.append(f"{stopped} answers ended, and the spec ignores ends")
    elif spec.ignore_eos and (made < spec.max_gen_len).any():
        faults.append("an answer is shorter than the spec makes each")
    asked = pc.sum(responses["prompt_tokens"]).as_py() or 0
    told = _prompt_tokens_of_spans(case)
    if told != asked:
        faults.append(f"spans count {told} tokens of prompts, responses {asked}")
    return judged(faults, f"prompts of {_span(given)} tokens, answers of {_span(made)}")


def _prompt_tokens_of_spans(case: Case) -> int:
    spans = case.run.spans
    measured = pc.and_(
        pc.equal(spans["rank"], 0), pc.fill_null(pc.greater_equal(spans["batch"], 0), False)
    )
    return int(pc.sum(spans.filter(measured)["prompt_tokens"]).as_py() or 0)


def _span(values: np.ndarray) -> str:
    if not len(values):
        return "no"
    low, high = int(values.min()), int(values.max())
    return str(low) if low == high else f"{low} to {high}"


def answers_possible(case: Case) -> Finding:
    """Ids are the vocabulary's, the same ids read the same, and sampling shows where there was any.

    The vocabulary itself is not on record: whether a text is that of its ids cannot be decided.
    """
    spec, responses = case.run.spec, case.run.responses
    vocab = ModelFacts(case.run).number("shape", "vocab")
    told = case.run.manifest.get("tokenizer")
    if vocab is None and isinstance(told, dict):
        vocab = told.get("vocab_size")
    ids = pc.list_flatten(responses["generated_ids"])
    faults = []
    if len(ids):
        low, high = pc.min_max(ids).as_py().values()
        if low < 0 or (vocab is not None and high >= vocab):
            faults.append(f"ids run from {low} to {high}, the vocabulary from 0 to {vocab:.0f} - 1")
    texts: dict[tuple[int, ...], str] = {}
    answers: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for row in responses.select(["prompt", "generated_ids", "text"]).to_pylist():
        key = tuple(row["generated_ids"])
        answers[row["prompt"]].append(key)
        if texts.setdefault(key, row["text"]) != row["text"]:
            faults.append(f"the same ids are two texts in answers to prompt {row['prompt']}")
    faults += _sampling_faults(case, answers, len(texts), responses)
    if vocab is None and not faults:
        return unseen("the size of the vocabulary is not on record")
    return judged(
        faults,
        f"{len(texts)} different answers of {responses.num_rows}, at temperature "
        f"{spec.temperature:g}",
    )


def _sampling_faults(
    case: Case,
    answers: dict[int, list[tuple[int, ...]]],
    different: int,
    responses: pa.Table,
) -> list[str]:
    """What cannot be at the spec's temperature: only what chance or rounding cannot explain."""
    spec = case.run.spec
    most = max((len(one) for own in answers.values() for one in own), default=0)
    if spec.temperature == 0.0:
        again = [own for own in answers.values() if len(own) > 1 and own[0]]
        turned = sum(any(one[:1] != own[0][:1] for one in own) for own in again)
        if again and turned > _MOST_TURNED * len(again):
            return [f"{turned} of {len(again)} prompts were answered otherwise at temperature 0"]
        return []
    drawn = spec.temperature >= TELLING_TEMPERATURE and spec.top_p >= TELLING_TOP_P
    if (
        spec.weights == _RANDOM
        and drawn
        and most >= _TELLING_TOKENS
        and responses.num_rows > 1
        and different == 1
    ):
        return [
            f"all {responses.num_rows} answers are the same, drawn at temperature "
            f"{spec.temperature:g} from a random model"
        ]
    return []


ANSWER_CHECKS: Final = (
    Check(
        name="batches",
        claim="prompts were asked in batches as asked",
        severity=Severity.WRONG,
        rule=(
            "each pass asks the prompts in order, `batch_size` at a time, and every"
            " rank has a span of every batch"
        ),
        tolerance="none",
        reason="the spec says how many there are",
        rules_out=(
            "batches of another size than the one that is told, and batches that were left out"
        ),
        look=batches_as_asked,
    ),
    Check(
        name="lengths",
        claim="prompts and answers are as long as asked",
        severity=Severity.WRONG,
        rule=(
            "prompts and answers are as long as the spec lets them, end where it "
            "lets them, and spans count the prompts' tokens alike"
        ),
        tolerance="none",
        reason="the spec says how long they may be",
        rules_out="shorter work than the one that is told",
        look=lengths_as_asked,
    ),
    Check(
        name="answers",
        claim="the model can have answered so",
        severity=Severity.WRONG,
        rule=(
            "ids lie in the vocabulary, the same ids read the same, and answers "
            "differ or agree as the temperature has it"
        ),
        tolerance=f"{_MOST_TURNED:.0%} of prompts answered otherwise at temperature 0",
        reason="rounding decides ties, not every other prompt's first token",
        rules_out="answers that were made up or copied from each other",
        look=answers_possible,
    ),
)
"""Checks of the answers, in the audit's order."""
