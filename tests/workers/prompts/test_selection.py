import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pytest

from telemetry.record.spec import _NAME
from tests.support.told import complaints
from workers.prompts.corpus import CORPORA, file_prompts
from workers.prompts.prompts_file import read_prompts
from workers.prompts.selection import Selection, select, write_prompts
from workers.prompts.source import PromptOrigin, PromptSource, cache_folder, identify
from workers.prompts.staging import stage


def write_questions(folder: Path, *questions: str, name: str = "questions.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in questions))
    return path


def resolve(
    cache: Path,
    corpus: str = "gsm8k",
    *,
    source: str = "auto",
    path: Path | None = None,
    columns: Sequence[str] | None = None,
    local: bool = True,
) -> PromptSource:
    return identify(corpus, source=source, path=path, columns=columns, cache=cache, local=local)


def choose(source: PromptSource, prompts: int = 16, seed: int = 1) -> Selection:
    return select(source, prompts=prompts, seed=seed)


def rows(selection: Selection) -> list[int]:
    return [prompt.source_row for prompt in selection.prompts]


def test_auto_takes_a_file_that_is_given_before_anything_else(tmp_path: Path) -> None:
    path = write_questions(tmp_path, "a")
    stage(CORPORA["gsm8k"], tmp_path, origins=[path])
    assert resolve(tmp_path, path=path).source is PromptOrigin.FILE


def test_auto_takes_a_staged_copy_before_the_sample_and_the_hub(tmp_path: Path) -> None:
    stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "a")])
    assert resolve(tmp_path, local=True).source is PromptOrigin.STAGED
    assert resolve(tmp_path, local=False).source is PromptOrigin.STAGED


def test_auto_takes_the_sample_for_local_work_and_the_hub_for_the_rest(tmp_path: Path) -> None:
    assert resolve(tmp_path, local=True).dataset == "gsm8k-sample"
    assert resolve(tmp_path, local=False).dataset == "gsm8k"


def test_auto_wants_the_file_of_a_corpus_that_has_neither_hub_nor_sample(tmp_path: Path) -> None:
    for local in (True, False):
        with pytest.raises(ValueError, match="path` must be a file for 'alpaca_seed', but is null"):
            resolve(tmp_path, "alpaca_seed", local=local)


def test_a_column_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = write_questions(tmp_path, "a")
    with pytest.raises(ValueError, match="`columns` must name each column once"):
        resolve(tmp_path, path=path, columns=["question", "question"])


def test_a_file_that_is_staged_twice_is_refused(tmp_path: Path) -> None:
    path = write_questions(tmp_path, "a")
    copy = write_questions(tmp_path, "a", name="copy.jsonl")
    for origins in ([path, path], [path, copy]):
        with pytest.raises(ValueError, match="`--from` must name each file once"):
            stage(CORPORA["gsm8k"], tmp_path / "cache", origins=origins)


def test_a_files_identity_is_the_digest_of_its_bytes_and_columns(tmp_path: Path) -> None:
    path = write_questions(tmp_path, "a")
    digest = hashlib.sha256(path.read_bytes() + b"\0question").hexdigest()[:8]
    assert resolve(tmp_path, path=path).dataset == f"gsm8k-{digest}"
    other = resolve(tmp_path, path=path, columns=["answer"])
    assert other.dataset != f"gsm8k-{digest}"
    assert _NAME.fullmatch(other.dataset)


def test_an_edited_file_is_another_dataset(tmp_path: Path) -> None:
    path = write_questions(tmp_path, "a", "b")
    before = resolve(tmp_path, path=path).dataset
    write_questions(tmp_path, "a", "c")
    assert resolve(tmp_path, path=path).dataset != before


@pytest.mark.parametrize(
    ("asked", "columns", "says"),
    [
        (("gsm9k", "auto", None), None, "`dataset` must be one of gsm8k, alpaca"),
        (
            ("gsm8k", "disk", None),
            None,
            "`dataset.source` must be one of auto, hub",
        ),
        (("gsm8k", "file", None), None, "`dataset.path` must be a file for 'gsm8k', but is null"),
        (("gsm8k", "hub", "q.jsonl"), None, "`path` and `columns` must be null with source hub"),
        (("gsm8k", "auto", None), ["text"], "`path` and `columns` must be null with source sample"),
        (("gsm8k", "file", "no.jsonl"), None, "does not exist"),
        (("gsm8k", "staged", None), None, "there is none; type `python -m launcher.stage gsm8k`"),
        (("alpaca_seed", "sample", None), None, "must not be sample for 'alpaca_seed'"),
        (("alpaca_seed", "hub", None), None, "is not on the hub"),
        (("file", "auto", None), ["text"], "`dataset.path` must be a file for 'file', but is null"),
        (("file", "auto", "q.jsonl"), None, "`columns` must name what makes a prompt of"),
        (("file", "auto", "q.jsonl"), [], "`columns` must name what makes a prompt of"),
        (("file", "auto", "q.jsonl"), "text", "`columns` must be a list of names"),
        (("file", "auto", "q.jsonl"), [""], "`columns` must be a list of names"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(
    tmp_path: Path, asked: tuple[str, str, str | None], columns: list[str] | None, says: str
) -> None:
    corpus, source, file = asked
    write_questions(tmp_path, "a", name="q.jsonl")
    path = tmp_path / file if file else None
    with pytest.raises(ValueError, match=r".") as caught:
        resolve(tmp_path, corpus, source=source, path=path, columns=columns)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_seed_gives_the_same_order(tmp_path: Path) -> None:
    source = resolve(tmp_path)
    assert choose(source, seed=7).prompts == choose(source, seed=7).prompts


def test_another_seed_gives_another_order(tmp_path: Path) -> None:
    source = resolve(tmp_path)
    assert rows(choose(source, seed=7)) != rows(choose(source, seed=8))


def test_fewer_prompts_are_the_beginning_of_more(tmp_path: Path) -> None:
    source = resolve(tmp_path)
    assert choose(source, 64).prompts[:5] == choose(source, 5).prompts


def test_the_order_is_numpys_permutation_of_that_seed(tmp_path: Path) -> None:
    order = np.random.default_rng(3).permutation(64)
    assert rows(choose(resolve(tmp_path), 64, seed=3)) == order.tolist()


def test_a_source_row_leads_back_to_the_file(tmp_path: Path) -> None:
    path = write_questions(tmp_path, "a", "", "b", " ", "c")
    selection = choose(resolve(tmp_path, path=path), 3)
    texts = file_prompts(path, ["question"])
    assert all(texts[prompt.source_row] == prompt.text for prompt in selection.prompts)
    assert sorted(rows(selection)) == [0, 2, 4]
    assert (selection.available, selection.empty) == (3, 2)


@pytest.mark.parametrize("prompts", [0, -1, True, 1.5])
def test_a_count_that_is_no_whole_number_is_refused(tmp_path: Path, prompts: int) -> None:
    with pytest.raises(ValueError, match="`prompts` must be a whole number of at least 1"):
        choose(resolve(tmp_path), prompts)


def test_more_prompts_than_there_are_are_refused_with_how_many_there_are(
    tmp_path: Path, public_data: Path
) -> None:
    source = resolve(tmp_path, path=public_data / "gsm8k_test.jsonl")
    with pytest.raises(
        ValueError, match=r"`prompts` must be at most 1319 for gsm8k-\w+, but is 50"
    ):
        choose(source, 5000)


def test_real_gsm8k_staged_is_the_same_as_its_file(tmp_path: Path, public_data: Path) -> None:
    path = public_data / "gsm8k_test.jsonl"
    direct = choose(resolve(tmp_path, path=path), 100)
    stage(CORPORA["gsm8k"], tmp_path, origins=[path])
    staged = choose(resolve(tmp_path, source="staged"), 100)
    assert staged.prompts == direct.prompts
    assert staged.source.dataset == direct.source.dataset


def test_a_hub_repository_a_staged_copy_and_a_file_give_equal_prompts(tmp_path: Path) -> None:
    questions = [f"How much is {n} and {n}?" for n in range(40)]
    train = write_questions(tmp_path, *questions[:30], name="train.jsonl")
    test = write_questions(tmp_path, *questions[30:], name="test.jsonl")
    clone = tmp_path / "clone"
    (clone / "main").mkdir(parents=True)
    for split in (train, test):
        table = datasets.Dataset.from_list([json.loads(x) for x in split.open()])
        table.to_parquet(clone / "main" / f"{split.stem}-00000-of-00001.parquet")
    (clone / "README.md").write_text(
        "---\nconfigs:\n- config_name: main\n  data_files:\n"
        "  - {split: train, path: main/train-*}\n  - {split: test, path: main/test-*}\n---\n"
    )
    whole = write_questions(tmp_path, *questions, name="whole.jsonl")
    stage(CORPORA["gsm8k"], tmp_path / "from_hub", origins=[clone])
    stage(CORPORA["gsm8k"], tmp_path / "from_files", origins=[train, test])
    from_hub = choose(resolve(tmp_path / "from_hub"))
    assert from_hub.source.dataset == "gsm8k"
    assert from_hub.prompts == choose(resolve(tmp_path / "from_files")).prompts
    assert from_hub.prompts == choose(resolve(tmp_path, path=whole)).prompts


def test_a_staged_copy_that_was_altered_is_refused(tmp_path: Path) -> None:
    stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "a", "b")])
    record = tmp_path / "gsm8k" / "staged.json"
    record.write_text(record.read_text().replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(ValueError, match="must hold prompts of SHA-256 0"):
        choose(resolve(tmp_path), 1)


def test_a_staged_copy_without_its_data_is_refused(tmp_path: Path) -> None:
    stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "a", "b")])
    for file in (tmp_path / "gsm8k" / "data").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match="must be a staged copy of gsm8k, but cannot be read"):
        choose(resolve(tmp_path), 1)


def test_a_staged_copy_replaced_after_it_was_named_is_refused(tmp_path: Path) -> None:
    stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "a", "b")])
    source = resolve(tmp_path)
    stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "c", "d")])
    with pytest.raises(ValueError, match="but was replaced or removed"):
        choose(source, 1)


def test_reading_a_staged_copy_leaves_nothing_behind_in_it(tmp_path: Path) -> None:
    stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "a", "b")])
    before = sorted(tmp_path.rglob("*"))
    choose(resolve(tmp_path), 2)
    assert sorted(tmp_path.rglob("*")) == before


def test_staging_leaves_alone_a_folder_that_is_no_staged_copy(tmp_path: Path) -> None:
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "thesis.tex").write_text("irreplaceable")
    with pytest.raises(ValueError, match="must be free or a staged copy, but is something else"):
        stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "a")])
    assert (tmp_path / "gsm8k" / "thesis.tex").read_text() == "irreplaceable"


def test_a_failed_staging_leaves_the_old_copy(tmp_path: Path) -> None:
    stage(CORPORA["gsm8k"], tmp_path, origins=[write_questions(tmp_path, "a", "b")])
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{")
    with pytest.raises(ValueError, match="on line 1"):
        stage(CORPORA["gsm8k"], tmp_path, origins=[bad])
    assert len(choose(resolve(tmp_path), 2).prompts) == 2


def test_the_hub_out_of_reach_is_one_line_with_the_command_to_type(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from workers.prompts.source import identify\n"
        "from workers.prompts.selection import select\n"
        "s = identify('gsm8k', source='hub', path=None, columns=None,"
        " cache=Path('cache'), local=False)\n"
        "try: select(s, prompts=1, seed=1)\n"
        "except RuntimeError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ
        | {"HF_HUB_OFFLINE": "1", "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("\n") == 1
    assert "the hub's openai/gsm8k must be reachable, but is not" in done.stdout
    assert "`python -m launcher.stage gsm8k`" in done.stdout
    assert complaints(done.stderr) == []
    assert not (tmp_path / ".cache").exists()


def test_a_local_folder_is_never_taken_for_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openai" / "gsm8k").mkdir(parents=True)
    write_questions(tmp_path / "openai" / "gsm8k", "a", name="train.jsonl")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="the working folder must not hold 'openai/gsm8k'"):
        choose(resolve(tmp_path, source="hub"), 1)


def test_a_prompts_file_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    selection = choose(resolve(tmp_path), 4)
    sha256, path = write_prompts(selection, tmp_path / "prompts")
    assert path == tmp_path / "prompts" / f"{sha256}.jsonl"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["prompt"], line["source_row"]) for line in lines] == [
        (prompt.text, prompt.source_row) for prompt in selection.prompts
    ]


def test_writing_the_same_prompts_again_changes_nothing(tmp_path: Path) -> None:
    _, first = write_prompts(choose(resolve(tmp_path), 4), tmp_path / "prompts")
    written = first.stat().st_mtime_ns
    _, second = write_prompts(choose(resolve(tmp_path), 4), tmp_path / "prompts")
    assert second == first
    assert second.stat().st_mtime_ns == written
    assert list((tmp_path / "prompts").iterdir()) == [first]


def test_a_damaged_prompts_file_is_written_whole_again(tmp_path: Path) -> None:
    selection = choose(resolve(tmp_path), 4)
    sha256, path = write_prompts(selection, tmp_path / "prompts")
    path.write_bytes(path.read_bytes()[:-5])
    write_prompts(selection, tmp_path / "prompts")
    assert len(read_prompts(path, sha256)) == 4


def test_prompts_are_read_as_they_were_chosen(tmp_path: Path) -> None:
    odd = ["line\nbreak", "sep\u2028arator", "nul \x00", 'quote " and \\', "🥐 ", "next\x85line"]
    selection = choose(resolve(tmp_path, path=write_questions(tmp_path, *odd)), 6)
    sha256, path = write_prompts(selection, tmp_path)
    assert read_prompts(path, sha256) == [prompt.text for prompt in selection.prompts]
    assert sorted(read_prompts(path, sha256)) == sorted(odd)


def test_a_prompts_file_that_was_altered_is_refused(tmp_path: Path) -> None:
    sha256, path = write_prompts(choose(resolve(tmp_path), 4), tmp_path)
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(ValueError, match=f"must have SHA-256 {sha256}, but has"):
        read_prompts(path, sha256)


def test_a_prompts_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be the run's prompts, but is no file"):
        read_prompts(tmp_path / "no.jsonl", "0" * 64)


@pytest.mark.parametrize(
    "name", ["with blanks.jsonl", 'it\'s "so".jsonl', "two\nlines.jsonl", "[a]*.jsonl"]
)
def test_a_hostile_file_name_changes_nothing(tmp_path: Path, name: str) -> None:
    path = write_questions(tmp_path, "a", "b", name=name)
    plain = write_questions(tmp_path, "a", "b", name="plain.jsonl")
    hostile = choose(resolve(tmp_path, path=path), 2)
    assert hostile.prompts == choose(resolve(tmp_path, path=plain), 2).prompts
    cache = tmp_path / "cache" / name
    stage(CORPORA["gsm8k"], cache, origins=[path])
    assert choose(resolve(cache), 2).prompts == hostile.prompts


@pytest.mark.parametrize(("seed", "count"), [(0, 1), (1, 7), (4_294_967_295, 64)])
def test_the_order_is_that_of_the_datasets_library_s_shuffle(
    tmp_path: Path, seed: int, count: int
) -> None:
    texts = [f"question {row}" if row % 5 else "" for row in range(80)]
    path = write_questions(tmp_path, *texts)
    chosen = select(resolve(tmp_path, path=path), prompts=count, seed=seed)
    table = datasets.Dataset.from_dict({"row": [row for row in range(80) if row % 5]})
    theirs = table.shuffle(seed=seed)["row"][:count]
    assert [prompt.source_row for prompt in chosen.prompts] == list(theirs)


def test_choosing_prompts_that_lie_here_needs_no_datasets_library(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from workers.prompts.selection import select\n"
        "from workers.prompts.source import identify\n"
        "source = identify('gsm8k', source='sample', path=None, columns=None,\n"
        "    cache=Path(sys.argv[1]), local=True)\n"
        "print(len(select(source, prompts=4, seed=1).prompts), 'datasets' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "4 False\n"


def test_ranks_read_prompts_without_the_datasets_library(tmp_path: Path) -> None:
    sha256, path = write_prompts(choose(resolve(tmp_path), 4), tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from workers.prompts.prompts_file import read_prompts\n"
        "from workers.prompts.source import identify\n"
        "assert len(read_prompts(Path(sys.argv[1]), sys.argv[2])) == 4\n"
        "identify('gsm8k', source='auto', path=None, columns=None, cache=Path('x'), local=True)\n"
        "print({'datasets', 'pyarrow', 'torch', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), sha256], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_the_origin_names_what_an_auditor_needs(tmp_path: Path) -> None:
    path = write_questions(tmp_path, "a")
    file_digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert choose(resolve(tmp_path, path=path), 1).origin == {
        "files": [{"name": "questions.jsonl", "sha256": file_digest}]
    }
    assert json.dumps(choose(resolve(tmp_path, path=path), 1).origin)


def test_the_cache_is_where_the_environment_says_else_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("JOULEGRID_CACHE", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "joulegrid"
    monkeypatch.setenv("JOULEGRID_CACHE", "~/scratch")
    assert cache_folder() == tmp_path / "scratch"


def test_the_hubs_library_keeps_its_downloads_in_the_cache_and_sends_no_telemetry(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path; from workers.prompts.hub import quiet_datasets\n"
        "quiet_datasets(Path(sys.argv[1]))\n"
        "from huggingface_hub import constants as c\n"
        "print(c.HF_HUB_CACHE, c.HF_HUB_DISABLE_TELEMETRY, c.HF_HUB_DISABLE_PROGRESS_BARS)"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{tmp_path}/huggingface/hub True True\n"
