"""Secrets: how they come in, and that they never come out by accident.

Invariants:
1. A secret comes from its variable, verbatim, or from a private file that the variable names.
2. Its text, representation and JSON are `***`; only `reveal` gives the value.
3. No reason given here holds a value or a path: either may be the secret, put in by mistake.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

HIDDEN = "***"
VARIABLES = {
    "AEGIS_EXCHANGE__API_KEY": "exchange_api_key",
    "AEGIS_EXCHANGE__SECRET": "exchange_secret",
    "AEGIS_TELEGRAM__TOKEN": "telegram_token",
    "AEGIS_WEBHOOK__URL": "webhook_url",
}
"""The variables that carry secrets; the same name with `_FILE` names a private file."""

BYTES_MAX = 64 * 1024
_PRIVATE_MODE = 0o600
_SECRET_PATH_LENGTH_MIN = 8
_SECRET_NAME = re.compile(
    r"api_?key|secret|token|passw|passphrase|private_?key|credential|webhook[._]*url"
)


class Secret:
    """A text that is used and never shown."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("Expected a secret to stay in its process, was pickled or copied")


def path_of_url(url: Secret) -> Secret | None:
    """Return what follows the host of a URL, or None where that is too short to be a secret."""
    _, _, after_scheme = url.reveal().partition("://")
    _, _, path = after_scheme.partition("/")
    return Secret(path) if len(path) >= _SECRET_PATH_LENGTH_MIN else None


class Unfit(ValueError):  # noqa: N818  it reads as its sentence: the secret is unfit, because ...
    """A secret was named and cannot be had; the text says what was expected and what came."""


def read(environ: Mapping[str, str], folder: Path) -> dict[str, Secret | Unfit]:
    """Return what came of each variable that is set, by its name; paths are `folder`'s."""
    found: dict[str, Secret | Unfit] = {}
    for variable in VARIABLES:
        in_file = f"{variable}_FILE"
        if variable in environ and in_file in environ:
            found[variable] = Unfit(f"expected this or {in_file}, was both")
        elif variable in environ:
            found[variable] = _fit(environ[variable])
        elif in_file in environ:
            found[in_file] = _from_file(environ[in_file], folder)
    return found


def is_secret_name(key: str) -> bool:
    """Say whether a dotted key is named like a secret; a webhook's URL is one, another is not."""
    return _SECRET_NAME.search(_spelt(key)) is not None


def variable_for(key: str) -> str:
    """Return the variable that whoever wrote a key named like a secret should use."""
    if "token" in _spelt(key):
        return "AEGIS_TELEGRAM__TOKEN"
    if "webhook" in _spelt(key):
        return "AEGIS_WEBHOOK__URL"
    is_api_key = re.search("api_?key", _spelt(key)) is not None
    return "AEGIS_EXCHANGE__API_KEY" if is_api_key else "AEGIS_EXCHANGE__SECRET"


def _spelt(key: str) -> str:
    return key.casefold().replace("-", "_")


def _fit(value: str) -> Secret | Unfit:
    return Secret(value) if value.strip() else Unfit("expected a secret, was empty")


def _from_file(name: str, folder: Path) -> Secret | Unfit:
    try:
        value = _private_text(folder / name)
    except OSError as error:
        return Unfit(f"expected a file of mode 0600 or stricter, was: {error.strerror}")
    except ValueError:
        return Unfit("expected a file of mode 0600 or stricter, was: not a text")
    return _fit(value.removesuffix("\n").removesuffix("\r"))


def _private_text(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(None, "not a file")
        if mode & ~_PRIVATE_MODE:
            raise OSError(None, f"mode {mode:04o}")
        content = file.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise OSError(None, f"more than {BYTES_MAX} bytes")
    return content.decode()
