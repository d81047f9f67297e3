"""What `what-if` is given, as settings: those that a run had, and `--set key=value` over them.

Invariants:
1. A leg is set as its run was, whatever config.toml and the environment say now.
2. What makes it a run over the recording nobody can set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from aegis.cli.set_options import faults_of_settings, overrides_of_settings
from aegis.config.faults import ConfigFaults
from aegis.config.file import Override, literal
from aegis.domain.ids import Coin

_MARKET = "its market is the recorded one"
_SILENT = "it tells nobody"

OWN_KEYS = {
    "mode": "it trades on paper",
    "market.source": _MARKET,
    "market.path": _MARKET,
    "market.stamp": _MARKET,
    "market.timeframe": _MARKET,
    "market.seed": _MARKET,
    "market.speed": "it goes as fast as it can",
    "exchange.symbols": "its symbols are the recorded ones",
    "exchange.name": "its account is the recorded one",
    "exchange.account": "its account is the recorded one",
    "store.path": "its store is thrown away",
    "log.path": "it writes no log",
    "log.level": "it writes no log",
    "backup.path": "nobody backs it up",
    "notify.telegram.enabled": _SILENT,
    "notify.webhook.enabled": _SILENT,
}
"""What a what-if says of itself, and why it may not be set."""


WITHOUT_MARKET = (
    Override(option="what-if", key="mode", value="paper"),
    Override(option="what-if", key="market.source", value="simulated"),
    Override(option="what-if", key="market.path", value=[]),
)
"""The recording stands in the market's place, so its files may be gone."""


def expect_settings(settings: Sequence[str]) -> None:
    """Raise `ConfigFaults` for `--set` options that mean nothing."""
    faults = tuple(faults_of_settings(settings, OWN_KEYS, "a what-if"))
    if faults:
        raise ConfigFaults(faults)


def overrides_of_leg(
    recorded: Mapping[str, str],
    settings: Sequence[str],
    folder: Path,
    balances: Mapping[Coin, Decimal] | None,
) -> tuple[Override, ...]:
    """Return all settings of a leg; it begins with `balances` where these are given."""
    own: dict[str, object] = {
        "mode": "paper",
        "market.speed": 0,
        "store.path": str(folder / "what-if.db"),
        "log.path": str(folder / "what-if.log"),
        "log.level": "warning",
        "backup.path": str(folder / "backups"),
        "notify.telegram.enabled": False,
        "notify.webhook.enabled": False,
        **({} if balances is None else {"paper.balances": dict(balances)}),
    }
    return (
        *(
            Override(option=f"recorded {key}", key=key, value=literal(text))
            for key, text in recorded.items()
        ),
        *WITHOUT_MARKET,
        *(Override(option="what-if", key=key, value=value) for key, value in own.items()),
        *overrides_of_settings(settings),
    )
