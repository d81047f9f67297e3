"""What the configuration means to the parts: identity, limits, rules.

It chooses nothing and opens nothing but the first lines of a replay's files, which name its
market.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from aegis.config.model import Config, ExchangeConfig, describe
from aegis.config.policy import stop_policy_of
from aegis.domain.notices import About
from aegis.domain.risk import Limits
from aegis.domain.sizing import Sizing
from aegis.exchange.paper_ledger import ledger_beside
from aegis.exchange.paper_matching import PaperRules
from aegis.ports import Clock
from aegis.store.identity import Identity
from aegis.tuning import Tuning

CLOCK_MARGIN_S = 1.0

REPLAY_LINES = 2
"""What tells one replay's file from another: its columns, and its first candle."""

REPLAY_LINE_BYTES_MAX = 4096
REPLAY_DIGITS = 12


def identity_of(config: Config, market: str | None = None) -> Identity:
    """Return what the store must have been made for; `market` where it is no configuration's."""
    return Identity(
        mode=config.mode,
        exchange=config.exchange.name,
        account=config.exchange.account,
        market=market_of(config) if market is None else market,
    )


def market_of(config: Config) -> str:
    """Return which market's prices a store holds; a replay's by its files' names and first lines.

    Where a file lies, and what is appended to it, does not make it another market, nor does the
    order of several symbols.
    """
    market = config.market
    if market.source == "exchange":
        of_derivatives = ":derivatives" if config.exchange.kind == "derivatives" else ""
        return f"exchange{of_derivatives}{_place_of(config.exchange)}"
    if market.source == "simulated":
        return f"simulated:{market.seed}"
    files = sorted(zip(config.exchange.symbols, market.path, strict=True))
    names = ",".join(path.name for _, path in files)
    beginnings = b"".join(_beginning_of(path) for _, path in files)
    if len(files) > 1:  # whose file is whose is the store's to say where there is one symbol
        beginnings += ",".join(symbol for symbol, _ in files).encode()
    digest = hashlib.sha256(beginnings).hexdigest()[:REPLAY_DIGITS]
    return f"replay:{names}:{digest}"


def _place_of(exchange: ExchangeConfig) -> str:
    """Return what tells another place with the exchange's protocol from the exchange itself.

    What was traded in its sandbox, or on a machine of one's own, is not the money at the exchange.
    """
    if exchange.sandbox:
        return ":sandbox"
    return f":{urlsplit(exchange.base_url).hostname}" if exchange.base_url else ""


def _beginning_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return b"".join(file.readline(REPLAY_LINE_BYTES_MAX) for _ in range(REPLAY_LINES))


def ledger_path(config: Config) -> Path:
    """Return where the paper exchange keeps its own record."""
    return ledger_beside(config.store.path)


def market_speed(config: Config) -> int:
    """Return how many market seconds a real second has; 1 where real time means nothing."""
    return max(config.market.speed, 1)


def late_after_s(config: Config) -> float:
    """Return after how many market seconds the paper exchange refuses a request as late."""
    return config.exchange.call_deadline_s * market_speed(config)


def barrier_s(config: Config) -> float:
    """Return after how many market seconds an order that is not found was never placed."""
    return late_after_s(config) + CLOCK_MARGIN_S * market_speed(config)


def paper_rules(config: Config) -> PaperRules:
    """Return what trading on paper costs."""
    paper = config.paper
    return PaperRules(
        fee_rate=paper.fee_rate,
        fee_currency=paper.fee_currency,
        spread_bps=paper.spread_bps,
        slippage_bps=paper.slippage_bps,
        volume_share_max=paper.volume_share_max,
        late_after_s=late_after_s(config),
    )


def canary_notional(config: Config) -> Decimal | None:
    """Return the most that one live entry may cost, None where there is no such bound."""
    most = config.live.canary_notional
    return most if config.mode == "live" and most > 0 else None


def limits_of(config: Config) -> Limits:
    """Return the limits that stand below the strategy."""
    risk = config.risk
    most = canary_notional(config)
    return Limits(
        quote_coin=config.exchange.quote,
        open_positions_max=risk.open_positions_max,
        entries_per_position_max=risk.entries_per_position_max,
        order_notional_max=risk.order_notional_max
        if most is None
        else min(most, risk.order_notional_max),
        exposure_max=risk.exposure_max,
        orders_per_minute_max=risk.orders_per_minute_max,
        price_collar_pct=risk.price_collar_pct,
        daily_loss_max=risk.daily_loss_max,
        drawdown_max_pct=risk.drawdown_max_pct,
        cooldown_s=risk.cooldown_s,
    )


def tuning_of(config: Config, clock: Clock) -> Tuning:
    """Return what can change while AEGIS runs."""
    return Tuning(
        limits=limits_of(config),
        sizing=Sizing(
            method=config.sizing.method,
            value=config.sizing.value,
            notional_max=canary_notional(config),
        ),
        policy=stop_policy_of(config),
        day_starts_at_s=second_of_day(config.risk.day_starts_at),
        reconcile_interval_s=clock.real_s(config.reconcile.interval_s),
        is_healing=config.reconcile.heal,
        diagnose_interval_s=clock.real_s(config.diagnose.interval_s),
        stuck_after_days=config.diagnose.stuck_after_days,
    )


def second_of_day(text: str) -> int:
    """Return the second of the day of "HH:MM"."""
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def about_of(config: Config) -> About:
    """Return what notices say of the run: that its money is not real, and what runs."""
    label = "" if config.mode == "live" else config.mode.upper()
    return About(label=label, runs=describe(config))
