import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.crate.identifiers import action_id, local_id, path_of, reference_of


def test_blanks_percent_hash_and_letters_become_a_uri_reference() -> None:
    assert reference_of("a b/50%#1/ä:?.json") == "a%20b/50%25%231/%C3%A4%3A%3F.json"


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1))
def test_every_name_comes_back_from_its_reference(name: str) -> None:
    if name in (".", ".."):
        return
    assert path_of(reference_of(f"run/{name}")) == f"run/{name}"


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ""])
def test_no_path_outside_the_crate_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="below the crate"):
        reference_of(name)


@pytest.mark.parametrize(
    "reference",
    [
        *("../x", "/etc/passwd", "http://center.example/x", "file:///etc/passwd", "//host/x"),
        *("a/%2e%2e/%2e%2e/x", "a%00b", "#local", "", "a?b", None, 7, "%ff", "http://[x"),
    ],
)
def test_no_reference_of_a_foreign_crate_leads_outside(reference: object) -> None:
    with pytest.raises(ValueError, match="`@id` must be"):
        path_of(reference)


def test_what_is_no_file_is_named_by_a_digest_alone() -> None:
    hostile = local_id("package", {"name": "../x", "version": "http://center.example"})
    assert hostile.startswith("#package-")
    assert set(hostile) <= set("#-abcdefghijklmnopqrstuvwxyz0123456789")
    assert local_id("package", {"name": "\ud800"}) != local_id("package", {"name": "\ud801"})


def test_an_action_is_named_by_a_uuid() -> None:
    identifier = action_id({"attempt": "run/attempt-001", "seal": None})
    assert len(identifier) == 37
    assert identifier[15] == "4"
