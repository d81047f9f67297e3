"""Live trading wants three consents: the mode, the keys, and a word at the start.

The mode stands in the settings; here is what is missing besides.
"""

from __future__ import annotations

from collections.abc import Iterator

from aegis.config.model import Config


def missing_consents(config: Config, *, is_live_meant: bool) -> str | None:
    """Return one line that names each consent to live trading that is not given, or None.

    `is_live_meant` is the word at the start. Any other mode wants none.
    """
    if config.mode != "live":
        return None
    missing = ", ".join(_missing(config, is_live_meant=is_live_meant))
    return f'mode = "live": consents missing: {missing}' if missing else None


def _missing(config: Config, *, is_live_meant: bool) -> Iterator[str]:
    if not is_live_meant:
        yield "--live (or AEGIS_LIVE=1)"
    if config.secrets.exchange_api_key is None:
        yield "AEGIS_EXCHANGE__API_KEY (or AEGIS_EXCHANGE__API_KEY_FILE)"
    if config.secrets.exchange_secret is None:
        yield "AEGIS_EXCHANGE__SECRET (or AEGIS_EXCHANGE__SECRET_FILE)"
