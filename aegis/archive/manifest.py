"""What a backup says of itself: whose it is, how far it goes, and each file to the byte.

Written last, when everything in it was proved: a folder without one is no backup.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from aegis.store.identity import Identity

MANIFEST = "backup.json"
FORMAT = 1

_CHUNK_BYTES = 1 << 20
_ENCODER = msgspec.json.Encoder()


class FileProof(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`made_at` is the wall's time, `last_event_at` the market's. `store` is the file's name.

    `is_whole` when the rows were proved as well, not only pages and chain: not of an older schema.
    """

    format: int = FORMAT
    store: str
    made_at: str
    trigger: str
    program: str
    schema: int
    identity: Identity
    incarnation: str
    birth: str
    events: int
    head_hash: str
    last_event_at: int
    is_whole: bool
    files: tuple[FileProof, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(each.size for each in self.files)


_DECODER = msgspec.json.Decoder(Manifest)


def encode(manifest: Manifest) -> bytes:
    """Return a manifest as the text of its file."""
    return msgspec.json.format(_ENCODER.encode(manifest), indent=2) + b"\n"


def read_manifest(folder: Path) -> Manifest:
    """Return what a backup says of itself; `OSError`, or `msgspec.DecodeError` for rubbish."""
    return _DECODER.decode((folder / MANIFEST).read_bytes())


def proof_of(path: Path) -> FileProof:
    """Return what proves a file to be the same one later."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileProof(name=path.name, size=size, sha256=digest.hexdigest())
