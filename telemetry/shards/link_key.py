"""Link key: the Ed25519 key of one writer, made in its memory, never written, gone with it.

`cryptography` makes it and checks what it signed; it is in the extra `evidence`. Where it is not
there, links are not signed, and the chain's first link says so.
"""

from typing import Final

UNSIGNED: Final = "cryptography is not installed"
"""What the first link of a chain says where there was no key to be had."""


class LinkKey:
    """A key that signs the links of one process.

    Raises:
        ModuleNotFoundError: `cryptography` is not installed.
    """

    def __init__(self) -> None:
        # 50 ms that only who signs pays for, and a library that a base install lacks.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )

        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """Its public half, 64 hex digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> str:
        """The signature of `data`, 128 hex digits."""
        return self._key.sign(data).hex()


def signature_stands(public: str, signature: str, data: bytes) -> bool:
    """Whether `signature` of `data` is by the private half of `public`.

    Raises:
        ModuleNotFoundError: `cryptography` is not installed: nobody knows.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
            bytes.fromhex(signature), data
        )
    except (InvalidSignature, ValueError):
        return False
    return True
