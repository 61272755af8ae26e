"""Bundle: who signed by sigstore, whose certificate lasts minutes and stands in a public log.

A bundle holds all that it takes to check it without the network, but whom one trusts: whoever
checks it brings sigstore's trusted root as a file, and says whose identity counts and who must
have vouched for it. To sign needs the network and an identity token.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from telemetry.command import lacks
from telemetry.evidence.bounded import within
from telemetry.record.files import read_plain
from telemetry.record.signer import BadSignatureError, SigningError, UnknownSignerError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle
    from sigstore.verify import Verifier

TOKEN_VARIABLE: Final = "SIGSTORE_ID_TOKEN"  # noqa: S105
"""Where an identity token is taken from: a word of a command line stands in every process list."""
PATIENCE_S: Final = 120.0
"""Three services one after another, and their keys before."""
# A certificate, a log's entry and its proof are some kilobytes.
_MOST_BYTES: Final = 1 << 20
_EXTRA: Final = "evidence"


class NoBundleError(RuntimeError):
    """Sigstore could not be asked, or did not answer."""


@dataclass(frozen=True, kw_only=True)
class SigstoreSigner:
    """Whose bundles count."""

    identity: str
    """The address or workflow that the certificate names."""
    issuer: str
    """Who vouched for it: the URL of its identity provider."""
    trusted_root: Path
    """Sigstore's trusted root, as its own tools keep it: trusted_root.json."""


class _Anybody:
    """Whoever it is: sigstore's own of that kind warns on standard error."""

    def verify(self, cert: "Certificate") -> None:
        """Refuse nobody."""


def check_bundle(data: bytes, path: Path, of: str, signer: SigstoreSigner) -> str:
    """Who signed `data`, in words.

    Args:
        data: what was signed.
        path: the bundle.
        of: the name of the file beside it, for the message.
        signer: whose bundle it must be.

    Raises:
        BadSignatureError: it is not of `data`, or nothing that the trusted root knows.
        OSError: a file cannot be read.
        SigningError: sigstore is not installed, or the trusted root is none.
        UnknownSignerError: it is of somebody else.
        ValueError: it is no bundle.
    """
    bundle = _read(path)
    from cryptography.x509 import ExtensionNotFound  # noqa: PLC0415
    from sigstore.errors import VerificationError  # noqa: PLC0415
    from sigstore.verify.policy import Identity  # noqa: PLC0415

    verifier = _verifier(signer.trusted_root)
    try:
        # Apart, to tell a bundle of nothing here from one of somebody else.
        verifier.verify_artifact(data, bundle, _Anybody())
    except (VerificationError, ExtensionNotFound, ValueError, KeyError, TypeError) as error:
        raise BadSignatureError(
            f"{path.name} is not the signature of {of}: {_said(error)}"
        ) from error
    try:
        verifier.verify_artifact(
            data, bundle, Identity(identity=signer.identity, issuer=signer.issuer)
        )
    except (VerificationError, ExtensionNotFound) as error:
        raise UnknownSignerError(
            f"{path.name} is of {_identity(bundle)}, not of {signer.identity} by {signer.issuer}"
        ) from error
    return f"{signer.identity} by sigstore, vouched for by {signer.issuer}"


def require_root(path: Path) -> None:
    """Refuse what nothing can be held against.

    Raises:
        OSError: it cannot be read.
        SigningError: sigstore is not installed, or it is no trusted root of its.
    """
    _require()
    _verifier(path)


def told_of_bundle(path: Path) -> str:
    """What an unchecked bundle says of itself.

    Raises:
        OSError: it cannot be read.
        SigningError: sigstore is not installed.
        ValueError: it is no bundle.
    """
    said = f"signed by {_identity(_read(path))}, says {path.name}"
    return f"{said}; whether it is --sigstore-identity tells"


def require_token() -> None:
    """Refuse what cannot sign, before anybody is asked.

    Raises:
        SigningError: there is no token, it is none or over, or sigstore is not installed.
    """
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise SigningError(f"`{TOKEN_VARIABLE}` must hold an identity token, but is not set")
    _require()
    from sigstore.oidc import IdentityError, IdentityToken  # noqa: PLC0415

    try:
        valid = IdentityToken(token).in_validity_period()
    except (IdentityError, ValueError) as error:
        raise SigningError(
            f"`{TOKEN_VARIABLE}` must hold an identity token, but does not: {_said(error)}"
        ) from error
    if not valid:
        raise SigningError(f"`{TOKEN_VARIABLE}` must hold a token that is not over, but it is")


def sign_bundle(data: bytes) -> bytes:
    """A bundle over `data` by the identity whose token the environment has; asks the network.

    Raises:
        NoBundleError: sigstore is not reachable, refuses, or does not answer in time.
        SigningError: as `require_token`.
    """
    require_token()
    from sigstore.errors import Error  # noqa: PLC0415

    raises = (Error, OSError, ValueError, LookupError)
    try:
        return within(lambda: _signed(data), PATIENCE_S, raises)
    except TimeoutError as error:
        raise NoBundleError(f"sigstore {error}") from error
    except raises as error:
        raise NoBundleError(f"sigstore could not be asked: {_said(error)}") from error


def _signed(data: bytes) -> bytes:
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415
    from sigstore.oidc import IdentityToken  # noqa: PLC0415
    from sigstore.sign import SigningContext  # noqa: PLC0415

    context = SigningContext.from_trust_config(ClientTrustConfig.production())
    with context.signer(IdentityToken(os.environ[TOKEN_VARIABLE])) as signer:
        return signer.sign_artifact(data).to_json().encode()


def _verifier(path: Path) -> "Verifier":
    from sigstore.errors import Error  # noqa: PLC0415
    from sigstore.models import TrustedRoot  # noqa: PLC0415
    from sigstore.verify import Verifier  # noqa: PLC0415

    try:
        return Verifier(trusted_root=TrustedRoot.from_file(str(path)))
    except (Error, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SigningError(
            f"`--sigstore-root` must be sigstore's trusted root, but {path} is not: {_said(error)}"
        ) from error


def _read(path: Path) -> "Bundle":
    data = read_plain(path, most_bytes=_MOST_BYTES)
    _require()
    from sigstore.errors import Error  # noqa: PLC0415
    from sigstore.models import Bundle  # noqa: PLC0415

    try:
        return Bundle.from_json(data)
    except (Error, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path.name} must be a bundle of sigstore's, but is not: {_said(error)}"
        ) from error


def _identity(bundle: "Bundle") -> str:
    from cryptography.x509 import ExtensionNotFound, SubjectAlternativeName  # noqa: PLC0415

    extensions = bundle.signing_certificate.extensions
    try:
        names = extensions.get_extension_for_class(SubjectAlternativeName).value
    except (ExtensionNotFound, ValueError):
        return "a certificate without a name"
    return ", ".join(str(name.value) for name in names) or "a certificate without a name"


def _require() -> None:
    try:
        import sigstore  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise SigningError(lacks("sigstore", _EXTRA)) from error


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
