import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telemetry.record.spec import _NAME
from tests.workers.inputs.test_kinds import POINTER
from workers.prompts.corpus import CORPORA, file_prompts
from workers.tokenizers.tokenizer import BUNDLED_MODEL, Tokenizer, identify, load
from workers.tokenizers.train import corpus_lines, library_texts, train


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return load(None)


def copy_model(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(BUNDLED_MODEL.read_bytes())
    return path


def test_the_bundled_vocabulary_has_exactly_llamas_size(tokenizer: Tokenizer) -> None:
    assert tokenizer.vocab_size == 32_000


def test_begin_end_and_padding_ids_are_llamas(tokenizer: Tokenizer) -> None:
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (1, 2, -1)


def test_the_bundled_record_is_of_the_bundled_model() -> None:
    record = json.loads(BUNDLED_MODEL.with_suffix(".json").read_bytes())
    assert record["sha256"] == hashlib.sha256(BUNDLED_MODEL.read_bytes()).hexdigest()


def test_encoding_begins_with_the_begin_id_and_never_ends_with_the_end_id(
    tokenizer: Tokenizer,
) -> None:
    ids = tokenizer.encode("A short sentence.")
    assert ids[0] == tokenizer.bos_id
    assert tokenizer.bos_id not in ids[1:]
    assert tokenizer.eos_id not in ids


def test_an_empty_text_is_the_begin_id_alone(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("") == [1]


@pytest.mark.parametrize(
    "text",
    [
        "Plain words, 12345 digits and 6.5 kg.",
        "naïve Straße žluťoučký",
        "日本語 と 🦆👩‍👩‍👧🏽 und ﷽",
        " leading, double  and trailing ",
        "tab\tnewline\n\r\n null \x00 end",
        "</s><s><unk>▂",
    ],
)
def test_text_comes_back_whole(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_lower_block_character_comes_back_as_a_blank(tokenizer: Tokenizer) -> None:
    # SentencePiece spells a blank with U+2581: the one character that is not told from another.
    assert tokenizer.decode(tokenizer.encode("a▁b")) == "a b"


def test_each_digit_is_its_own_token(tokenizer: Tokenizer) -> None:
    pieces = [tokenizer.decode([token]) for token in tokenizer.encode("x2026")[-4:]]
    assert pieces == ["2", "0", "2", "6"]


def test_begin_and_end_ids_decode_to_nothing(tokenizer: Tokenizer) -> None:
    ids = [*tokenizer.encode("one two"), tokenizer.eos_id]
    assert tokenizer.decode(ids) == "one two"


def test_half_a_character_decodes_to_the_replacement_character(tokenizer: Tokenizer) -> None:
    duck = tokenizer.encode("🦆")
    assert "\ufffd" in tokenizer.decode(duck[:-2])


@pytest.mark.parametrize("token", [-1, 32_000])
def test_an_id_outside_the_vocabulary_is_refused(tokenizer: Tokenizer, token: int) -> None:
    with pytest.raises(ValueError, match=f"`ids` must be from 0 to 31999, but hold {token}"):
        tokenizer.decode([5, token])


@pytest.mark.parametrize("name", ["gsm8k", "alpaca"])
def test_a_token_of_the_bundled_samples_has_more_than_three_characters(
    tokenizer: Tokenizer, name: str
) -> None:
    corpus = CORPORA[name]
    assert corpus.sample is not None
    prompts = file_prompts(corpus.sample, corpus.columns)
    tokens = sum(len(tokenizer.encode(prompt)) - 1 for prompt in prompts)
    assert sum(map(len, prompts)) / tokens > 3


def test_real_gsm8k_has_more_than_three_characters_a_token(
    tokenizer: Tokenizer, public_data: Path
) -> None:
    prompts = file_prompts(public_data / "gsm8k_test.jsonl", ["question"])
    tokens = sum(len(tokenizer.encode(prompt)) - 1 for prompt in prompts)
    assert sum(map(len, prompts)) / tokens > 3


def test_the_name_is_legal_in_a_run_and_carries_the_digest(tokenizer: Tokenizer) -> None:
    assert _NAME.fullmatch(tokenizer.name)
    assert tokenizer.name == f"joulegrid-32000-{tokenizer.sha256[:8]}"
    assert identify(None) == tokenizer.name


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("LLaMA Tokenizer.model", "llama-tokenizer"),
        ("..ünder_Score.v2.model", "nder_score.v2"),
        ("日本.model", "tokenizer"),
        ("x" * 200 + ".model", "x" * 55),
        ('it\'s\n"so".model', "it-s-so-"),
    ],
)
def test_a_users_file_name_is_made_legal(tmp_path: Path, file: str, stem: str) -> None:
    path = copy_model(tmp_path, file)
    assert _NAME.fullmatch(identify(path))
    assert load(path).name == identify(path) == f"{stem}-{load(None).sha256[:8]}"


@pytest.mark.parametrize(
    "content",
    [b"garbage", b"\x00" * 64, b"\x0a\x05hello", BUNDLED_MODEL.read_bytes()[:200_000]],
    ids=["text", "zeros", "protobuf", "cut"],
)
def test_a_file_that_is_no_sentencepiece_model_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="`tokenizer_path` must be a SentencePiece model, but"):
        load(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (POINTER, "is a Git LFS pointer, not the file itself: type `git lfs pull`"),
        (b"<!doctype html><html>", "is an HTML page"),
        (b'{"version": "1.0", "truncation": null}', "is JSON, as the hub's tokenizer.json: give"),
        (b"IQ== 0\nIg== 1\nIw== 2\n", "is a tiktoken vocabulary, as of LLaMA 3"),
        (b"some words", "is text"),
        (BUNDLED_MODEL.read_bytes()[:200_000], "is none, or is cut short"),
    ],
)
def test_another_kind_of_file_is_told_by_what_it_is(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="`tokenizer_path` must be a SentencePiece") as caught:
        load(path)
    assert says in str(caught.value)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 2000), content=st.binary(max_size=60), whole=st.booleans())
def test_any_bytes_give_a_tokenizer_or_one_printable_line(
    tmp_path: Path, at: int, content: bytes, whole: bool
) -> None:
    path = tmp_path / "tokenizer.model"
    model = BUNDLED_MODEL.read_bytes()[:2000]
    path.write_bytes(model[:at] + content + model[at + len(content) :] if whole else content)
    try:
        assert load(path).vocab_size > 0
    except ValueError as error:
        assert str(error).isprintable()  # noqa: PT017 (no error is as good)


def test_an_empty_file_is_refused_also_for_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.touch()
    with pytest.raises(ValueError, match="is empty"):
        identify(path)


@pytest.mark.parametrize("reader", [identify, load])
def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, reader: object) -> None:
    assert callable(reader)
    with pytest.raises(ValueError, match="does not exist"):
        reader(tmp_path / "tokenizer.model")
    with pytest.raises(ValueError, match="is a folder"):
        reader(tmp_path)


def test_a_model_without_a_begin_id_is_refused(tmp_path: Path) -> None:
    prefix = tmp_path / "nobos"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["some words of text", "more words of text"] * 20),
        model_prefix=str(prefix),
        vocab_size=24,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(ValueError, match="must be a model with begin and end of sequence"):
        load(prefix.with_suffix(".model"))


def test_naming_a_tokenizer_needs_no_sentencepiece() -> None:
    code = (
        "import sys; from workers.tokenizers.tokenizer import identify; identify(None); "
        "sys.exit('sentencepiece' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_training_twice_gives_the_same_bytes() -> None:
    lines = corpus_lines(iter([str(json.__doc__), str(subprocess.__doc__), str(pytest.__doc__)]))
    assert train(lines, vocab_size=400) == train(lines, vocab_size=400)


def test_too_little_text_for_the_vocabulary_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        train(["two words"], vocab_size=32_000)


def test_the_training_text_is_strings_and_comments_without_code(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text('"""A docstring."""\ncode = 1  # a comment\n')
    (tmp_path / "broken.py").write_text("def (:\n'''")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "left_out.py").write_text("# not carried everywhere\n")
    assert list(library_texts(tmp_path)) == ["A docstring.", "a comment"]


def test_a_training_line_is_taken_once_and_only_with_words() -> None:
    assert corpus_lines(iter(["some words\n====\n  some words  \n", "12 + 3"])) == ["some words"]
