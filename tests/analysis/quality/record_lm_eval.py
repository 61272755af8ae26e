"""Has lm-eval score the cases of lm_eval.json anew and writes down what it says, by hand.

In a virtual environment of its own, as its releases want others than this project's:

    pip install lm_eval==0.4.13 'transformers<5' 'datasets<4.5' jieba fuzzywuzzy rouge
    python tests/analysis/quality/record_lm_eval.py

Nothing of this project is asked: what stands in the file is lm-eval's alone. transformers 4 is the
last that has the SQuAD program which lm-eval's CoQA scores by.
"""

import importlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

CASES = Path(__file__).with_name("lm_eval.json")
LIBRARIES = ("lm_eval", "transformers", "rouge-score", "sacrebleu")


def of_task(task: str) -> Any:
    """A task's file, as lm-eval's own loader reads it."""
    root = Path(importlib.import_module("lm_eval").__path__[0]) / "tasks"
    yaml: Any = importlib.import_module("yaml")
    # Tags such as !function are of no matter for filters and metrics of these.
    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_multi_constructor("!", lambda *_: None)
    return yaml.load((root / task).read_text(encoding="utf-8"), Loader=loader)


def coqa(answer: str, reference: str) -> dict[str, float]:
    """SQuAD's exact match and F1, by which lm-eval scores CoQA."""
    scored: Any = importlib.import_module("lm_eval.tasks.coqa.utils")
    return dict(scored.compute_scores([reference], answer))


def longbench(answer: str, references: list[str]) -> dict[str, float]:
    """F1 of the nearest answer, by which lm-eval scores NarrativeQA in LongBench."""
    scored: Any = importlib.import_module("lm_eval.tasks.longbench.metrics")
    return dict(scored.get_qa_f1_score({"answers": references}, [answer]))


def by_exact_match(task: str, answer: str, reference: str) -> dict[str, float]:
    """A task's exact match behind each of its filters, or without one."""
    told = of_task(task)
    (metric,) = told["metric_list"]
    arguments = {
        name: value for name, value in metric.items() if name.startswith(("ignore", "regexes"))
    }
    filters: Any = importlib.import_module("lm_eval.filters")
    registry: Any = importlib.import_module("lm_eval.api.registry")
    found = {}
    for one in told.get("filter_list", [{"name": "none", "filter": []}]):
        said = [[answer]]
        for step in one["filter"]:
            keys = {name: value for name, value in step.items() if name != "function"}
            said = list(filters.get_filter(step["function"])(**keys).apply(said, [{}]))
        kept = said[0] if one["filter"] else answer
        score = registry.get_metric("exact_match")(
            predictions=[kept], references=[reference], **arguments
        )
        found[one["name"]] = float(score["exact_match"])
    return found


def truthfulqa(answer: str, right: list[str], wrong: list[str]) -> dict[str, Any]:
    """TruthfulQA's scores of a written answer, and the references that lm-eval makes for them."""
    scored: Any = importlib.import_module("lm_eval.tasks.truthfulqa.utils")
    row = {"question": "", "correct_answers": right, "incorrect_answers": wrong}
    made = scored.preprocess_function(row)
    found = scored.process_results_gen(made, [answer])
    held = {name: made[name] for name in ("correct_answers", "incorrect_answers")}
    return {**held, **{name: float(value) for name, value in found.items()}}


def cnn(answer: str, reference: str) -> dict[str, float]:
    """ROUGE as lm-eval scores CNN/DailyMail: stemmed, rougeL."""
    scored: Any = importlib.import_module("lm_eval.tasks.cnn_dailymail.utils")
    return dict(scored.calculate_rouge_scores([answer], [reference]))


def main() -> None:
    """Score every case and write the file."""
    told = json.loads(CASES.read_text(encoding="utf-8"))
    told["releases"] = {name: version(name) for name in LIBRARIES}
    for case in told["words"]:
        case["lm_eval"] = coqa(case["answer"], case["reference"])
    for case in told["nearest"]:
        case["lm_eval"] = longbench(case["answer"], case["references"])
    for case in told["numbers"]:
        case["lm_eval"] = by_exact_match("gsm8k/gsm8k.yaml", case["answer"], case["reference"])
    for case in told["yes_or_no"]:
        case["lm_eval"] = by_exact_match(
            "super_glue/boolq/seq2seq.yaml", case["answer"], f" {case['reference']}"
        )
    for case in told["truthful"]:
        case["lm_eval"] = truthfulqa(case["answer"], case["right"], case["wrong"])
    for case in told["summaries"]:
        case["lm_eval"] = cnn(case["answer"], case["reference"])
    CASES.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
