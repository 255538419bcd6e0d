"""Encryption at rest: AES-256-GCM envelopes.

    master key -> tenant key -> data key (one an artifact, or a day of a log) -> bytes

Keys are wrapped by AES key wrap (RFC 3394). A file is sealed in chunks, each bound by its associated data to the
artifact, the file, its position and whether it is the last, so that chunks can be neither moved, dropped nor swapped.
Losing a data key is losing the data: dropping one is how erasure works.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from modelmint.core.errors import InputError, IntegrityError
from modelmint.core.settings import Settings

KEY_BYTES = 32
CHUNK_BYTES = 4 << 20
_NONCE_BYTES, _TAG_BYTES = 12, 16


def master_key(settings: Settings) -> bytes:
    """From MODELMINT_MASTER_KEY, else from the file ``master.key`` in the home, made at first use with mode 0600.

    Raises:
        InputError: the key is not 64 hex digits, or others may read the file.
    """
    if settings.master_key is not None:
        return _parse(settings.master_key, "MODELMINT_MASTER_KEY")
    return secret_file(settings.home / "master.key")


def secret_file(path: Path) -> bytes:
    """The 32 random bytes that a file holds as hex digits; made at first use with mode 0600.

    Raises:
        InputError: the file does not hold 64 hex digits, or others may read it.
    """
    if not path.exists():
        _create(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError(
            f"{path.name}: must be readable by its owner only; {path} is not",
            parameter=path.name,
            remedy=f"chmod 600 {path}",
        )
    return _parse(path.read_text().strip(), str(path))


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def wrap(key: bytes, by: bytes) -> bytes:
    return aes_key_wrap(by, key)


def unwrap(wrapped: bytes, by: bytes) -> bytes:
    """Raises IntegrityError when `wrapped` was not wrapped by this key."""
    try:
        return aes_key_unwrap(by, wrapped)
    except InvalidUnwrap as error:
        raise IntegrityError(
            "master.key: does not open this installation's data",
            remedy="Restore the master key that the data was written with.",
        ) from error


def seal(data: bytes, key: bytes, about: str) -> bytes:
    """One sealed value: nonce and ciphertext, bound to `about` (tenant, table and row)."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, data, about.encode())


def unseal(sealed: bytes, key: bytes, about: str) -> bytes:
    """Raises IntegrityError when the bytes, the key or `about` differ from what was sealed."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
    except InvalidTag as error:
        raise IntegrityError(f"{about}: the stored bytes are not what was written") from error


def seal_stream(source: IO[bytes], key: bytes, about: str) -> Iterator[bytes]:
    """Seal a file chunk by chunk; an empty file is one empty chunk."""
    index, chunk = 0, source.read(CHUNK_BYTES)
    while True:
        following = source.read(CHUNK_BYTES)
        yield seal(chunk, key, _chunk(about, index, last=not following))
        if not following:
            return
        index, chunk = index + 1, following


def unseal_stream(source: IO[bytes], key: bytes, about: str) -> Iterator[bytes]:
    """The reverse of `seal_stream`."""
    size = _NONCE_BYTES + CHUNK_BYTES + _TAG_BYTES
    index, chunk = 0, source.read(size)
    while True:
        following = source.read(size)
        yield unseal(chunk, key, _chunk(about, index, last=not following))
        if not following:
            return
        index, chunk = index + 1, following


def _chunk(about: str, index: int, *, last: bool) -> str:
    return f"{about}|{index}|{'last' if last else 'more'}"


def _parse(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InputError(
            f"{where}: must be 64 hex digits; got {len(text)} characters",
            parameter=where,
            remedy="Restore the key that this installation was made with, or begin with an empty MODELMINT_HOME.",
        )
    return key


def _create(path: Path) -> None:
    """Several processes may start at once: each writes a key of its own, and the first to link it wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(new_key().hex() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
