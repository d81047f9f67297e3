"""What the configuration says of guarding a position."""

from __future__ import annotations

from aegis.config.model import Config
from aegis.domain.position import StopPolicy


def stop_policy_of(config: Config) -> StopPolicy:
    """Return what is recorded with each new position; those that are there keep their own."""
    return StopPolicy(
        stop_loss_pct=config.risk.stop_loss_pct,
        take_profit_pct=config.risk.take_profit_pct,
        trailing_stop_pct=config.risk.trailing_stop_pct,
    )
