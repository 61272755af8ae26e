"""Signer: who signed, and why nobody can tell."""

from dataclasses import dataclass


class SigningError(RuntimeError):
    """No signature could be made, or none could be looked at."""


class BadSignatureError(ValueError):
    """A signature that is not of what it stands beside, or not of an allowed signer."""


class UnknownSignerError(BadSignatureError):
    """A signature by a key that is nobody's who is allowed."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Who signed."""

    key: str
    """The key: of SSH its type and SHA-256 fingerprint, of minisign its id."""
    principal: str | None
    """Its name among those who are allowed; None where nobody was named to look it up among."""
    of_it: bool = True
    """Whether the signature is known to be of what it lies beside; minisign's needs the key."""
