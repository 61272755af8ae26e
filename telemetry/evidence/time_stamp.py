"""Time stamp: by an authority's word a file was as it is at a time, by RFC 3161.

Whoever checks one brings the authority's root: without, its answer is a claim like any other. The
certificates must have been valid at the time of the stamp, not now; whether one was revoked since
nobody here can look up. An answer is `openssl ts`'s own form, so that no tool of this project is
needed to check one. The stamp is of the file, by its hash, not of who signed it.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from telemetry.command import lacks
from telemetry.record.files import read_plain
from telemetry.record.signer import SigningError
from telemetry.record.when import told_us, us_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

MOST_BYTES: Final = 256 << 10
"""An answer with its chain of certificates has some ten kilobytes."""
# Of an answer's certificates: a chain has three or four.
_MOST_CERTIFICATES: Final = 16
_EXTRA: Final = "evidence"
_GRANTED: Final = 0
# By their names in the registry of hash functions, RFC 5280's object identifiers.
_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": hashlib.sha256,
    "2.16.840.1.101.3.4.2.2": hashlib.sha384,
    "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}
# What the packages are seen to raise where bytes of an answer are others (each bit was turned).
_MALFORMED: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
_VERIFY_ERROR: Final = re.compile(r"Verify error: ([^\"]+)\"")


class BadStampError(ValueError):
    """A time stamp that is not of what it lies beside, or not of an authority that counts."""


@dataclass(frozen=True, kw_only=True)
class StampQuery:
    """What an authority is asked."""

    der: bytes
    """Its form on the wire and in a file."""
    nonce: int
    """A number that the answer must repeat: none that was made before does."""

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The query for a stamp of `data`, by its SHA-256.

        Raises:
            SigningError: rfc3161-client is not installed.
        """
        require_client()
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder  # noqa: PLC0415

        builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
        asked = builder.nonce(nonce=True).cert_request(cert_request=True).build()
        assert asked.nonce is not None
        return cls(der=asked.as_bytes(), nonce=asked.nonce)


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """What an authority says."""

    at_us: int
    """When it saw the file's hash, by its clock, microseconds since the Unix epoch."""
    authority: str
    """Its certificate's name; where there is none in the answer, that there is none."""

    def __str__(self) -> str:
        return f"{told_us(self.at_us)} by {self.authority}"


def read_stamp(answer: bytes, data: bytes, nonce: int | None = None) -> Stamp:
    """What an answer says, which must be of `data`; whether it is the authority's is not looked at.

    Args:
        answer: DER, as it came.
        data: what is to be stamped.
        nonce: the query's, where the answer is to be to that one; None takes any.

    Raises:
        BadStampError: it is no answer, a refusal, of something else, or to another query.
        SigningError: rfc3161-client is not installed.
    """
    response = _decoded(answer)
    info = response.tst_info
    hashed = _HASHES.get(info.message_imprint.hash_algorithm.dotted_string)
    if hashed is None:
        raise BadStampError("the time stamp must be of SHA-256, SHA-384 or SHA-512, but is not")
    if info.message_imprint.message != hashed(data).digest():
        raise BadStampError("the time stamp is of something else")
    if nonce is not None and info.nonce != nonce:
        raise BadStampError("the time stamp answers another query")
    signer = _signer(response)
    name = "an authority without a name" if signer is None else signer.subject.rfc4514_string()
    return Stamp(at_us=us_of(info.gen_time), authority=name)


def check_stamp(answer: bytes, data: bytes, certificates: Path) -> Stamp:
    """What an answer says, by an authority whose root is among `certificates`, PEM.

    Raises:
        BadStampError: it is not of `data`, or of no authority that counts.
        OSError: the certificates cannot be read.
        SigningError: rfc3161-client is not installed, or those are no certificates.
    """
    stamp = read_stamp(answer, data)
    roots = read_roots(certificates)
    from cryptography.x509 import InvalidVersion  # noqa: PLC0415
    from rfc3161_client import VerificationError, VerifierBuilder  # noqa: PLC0415

    try:
        VerifierBuilder(roots=list(roots)).build().verify_message(_decoded(answer), data)
    except (VerificationError, InvalidVersion, *_MALFORMED) as error:
        told = _VERIFY_ERROR.search(str(error))
        why = told[1] if told else " ".join(str(error).split())[:120]
        raise BadStampError(
            f"the time stamp of {stamp.authority} is not by an authority of {certificates}: {why}"
        ) from error
    return stamp


def read_answer(path: Path) -> bytes:
    """The bytes of an answer's file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or larger than any answer.
    """
    return read_plain(path, most_bytes=MOST_BYTES)


def _decoded(answer: bytes) -> "TimeStampResponse":
    require_client()
    from rfc3161_client import decode_timestamp_response  # noqa: PLC0415

    try:
        response = decode_timestamp_response(answer)
        if response.status == _GRANTED:
            # Both are decoded when they are asked for.
            _ = response.tst_info.gen_time, response.signed_data.certificates
            return response
        said = " ".join([*response.status_string]) or f"status {response.status}"
    except _MALFORMED as error:
        raise BadStampError("the time stamp must be an answer by RFC 3161, but is not") from error
    raise BadStampError(f"the authority refused: {said}")


def _signer(response: "TimeStampResponse") -> "Certificate | None":
    """The certificate of who signed; None where the answer has none.

    Raises:
        BadStampError: there is no one signer, or several certificates claim to be his.
    """
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate  # noqa: PLC0415

    try:
        signers = list(response.signed_data.signer_infos)
        every = list(response.signed_data.certificates)
        few = len(signers) == 1 and len(every) <= _MOST_CERTIFICATES
        loaded = [load_der_x509_certificate(each) for each in every if few]
        # What would be looked at must be what signed: a second one of that number hides the first.
        his = [
            one
            for one in loaded
            if one.issuer == signers[0].issuer and one.serial_number == signers[0].serial_number
        ]
    except (InvalidVersion, *_MALFORMED) as error:
        raise BadStampError("the time stamp's signer cannot be read") from error
    if not few:
        raise BadStampError("the time stamp must have one signer and some certificates")
    if len(his) > 1:
        raise BadStampError("several certificates of the time stamp claim to be its signer's")
    return his[0] if his else None


def read_roots(path: Path) -> "Sequence[Certificate]":
    """The certificates of a file of the auditor's.

    Raises:
        OSError: it cannot be read.
        SigningError: rfc3161-client is not installed, or those are no certificates.
    """
    require_client()
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificates  # noqa: PLC0415

    # The auditor's own file may be a link to where his system keeps it.
    data = read_plain(Path(os.path.realpath(path)), most_bytes=16 << 20)
    try:
        return load_pem_x509_certificates(data)
    except (ValueError, InvalidVersion) as error:
        raise SigningError(
            f"`--tsa-certificate` must hold certificates in PEM, but {path} does not"
        ) from error


def require_client() -> None:
    """Refuse where nothing makes or reads a time stamp.

    Raises:
        SigningError: rfc3161-client is not installed.
    """
    try:
        import rfc3161_client  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise SigningError(lacks("rfc3161-client", _EXTRA)) from error
