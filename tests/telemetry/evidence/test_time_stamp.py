"""A time stamp is an authority's, of what it lies beside, and of no other."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from telemetry.clock import US_PER_S, wall_us
from telemetry.evidence.time_stamp import BadStampError, StampQuery, check_stamp, read_stamp
from telemetry.record.signer import SigningError
from tests.support.authority import Authority, make_authority

DATA = b"a root\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "tsa")


@pytest.fixture(scope="module")
def answer(authority: Authority) -> bytes:
    return authority.answer(StampQuery.of(DATA).der)


def test_a_stamp_tells_when_and_by_whom(authority: Authority, answer: bytes) -> None:
    stamp = check_stamp(answer, DATA, authority.root)
    assert stamp.authority == "CN=Test Time"
    assert abs(stamp.at_us - wall_us()) < 600 * US_PER_S


def test_a_stamp_of_another_text_is_none(authority: Authority, answer: bytes) -> None:
    with pytest.raises(BadStampError, match="is of something else"):
        check_stamp(answer, b"another root\n", authority.root)


def test_an_authority_whose_root_is_not_named_counts_for_nothing(
    answer: bytes, tmp_path: Path
) -> None:
    other = make_authority(tmp_path / "other", "Test Time")
    with pytest.raises(BadStampError, match="is not by an authority of"):
        check_stamp(answer, DATA, other.root)


def test_an_authority_whose_certificate_was_over_counts_for_nothing(tmp_path: Path) -> None:
    old = make_authority(tmp_path / "old", days=(-20, -10))
    answer = old.answer(StampQuery.of(DATA).der)
    with pytest.raises(BadStampError, match="certificate has expired"):
        check_stamp(answer, DATA, old.root)


def test_an_authority_whose_certificate_is_not_yet_valid_counts_for_nothing(
    tmp_path: Path,
) -> None:
    early = make_authority(tmp_path / "early", days=(10, 20))
    answer = early.answer(StampQuery.of(DATA).der)
    with pytest.raises(BadStampError, match="certificate is not yet valid"):
        check_stamp(answer, DATA, early.root)


def test_an_answer_to_another_query_is_refused(answer: bytes) -> None:
    with pytest.raises(BadStampError, match="answers another query"):
        read_stamp(answer, DATA, StampQuery.of(DATA).nonce)


def test_a_certificate_that_hides_the_signer_s_is_refused(
    authority: Authority, answer: bytes
) -> None:
    # A signature's last byte: the certificate is another one, and names the same number.
    own = x509.load_pem_x509_certificate((authority.folder / "tsa.pem").read_bytes())
    der = own.public_bytes(Encoding.DER)
    # `openssl ts` puts it there twice.
    assert answer.count(der) == 2
    # They stay in their order, as DER has a set.
    at = answer.index(der) if der[-1] & 1 else answer.rindex(der)
    last = at + len(der) - 1
    forged = answer[:last] + bytes([answer[last] ^ 1]) + answer[last + 1 :]
    with pytest.raises(BadStampError, match="several certificates"):
        check_stamp(forged, DATA, authority.root)


def test_no_answer_that_was_cut_or_changed_is_taken_for_another_time(
    authority: Authority, answer: bytes
) -> None:
    true = check_stamp(answer, DATA, authority.root)
    for cut in range(0, len(answer), 7):
        with pytest.raises(BadStampError):
            check_stamp(answer[:cut], DATA, authority.root)
    for place in range(0, len(answer), 5):
        changed = answer[:place] + bytes([answer[place] ^ 4]) + answer[place + 1 :]
        try:
            assert check_stamp(changed, DATA, authority.root) == true
        except BadStampError:
            continue


def test_a_query_is_no_answer(authority: Authority) -> None:
    with pytest.raises(BadStampError, match="must be an answer by RFC 3161"):
        check_stamp(StampQuery.of(DATA).der, DATA, authority.root)


def test_a_refusal_is_told_as_one(authority: Authority) -> None:
    # MD5 is none of the hashes that it takes.
    query = bytearray(StampQuery.of(DATA).der)
    at = query.index(bytes.fromhex("608648016503040201"))
    query[at + 8] = 4
    with pytest.raises(BadStampError, match="the authority refused"):
        read_stamp(authority.answer(bytes(query)), DATA)


def test_roots_that_are_no_certificates_are_told(answer: bytes, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("none\n")
    with pytest.raises(SigningError, match="must hold certificates in PEM"):
        check_stamp(answer, DATA, tmp_path / "none.pem")
