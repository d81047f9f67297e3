"""An event as a log line's level and fields: stable keys, no secrets, figures as plain text."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.events import (
    AlarmRaised,
    BalancesStarted,
    DayStarted,
    DiagnosisCompleted,
    ExternalChangeSeen,
    InstrumentChanged,
    OrderFilled,
    OrderIntended,
    OrderNeedsHuman,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    PositionImported,
    PositionTransferred,
    PositionUnpriced,
    ReconciliationCompleted,
    Recorded,
    TradingStateChanged,
    name_of,
)
from aegis.domain.ids import SYSTEM_POSITION, Instant
from aegis.domain.instants import text_of
from aegis.domain.money import text
from aegis.domain.restores import RecoveryCompleted, StoreRestored

LOUD = (
    AlarmRaised,
    ExternalChangeSeen,
    OrderNeedsHuman,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    PositionTransferred,
    PositionUnpriced,
    RecoveryCompleted,
    StoreRestored,
    TradingStateChanged,
)
"""Events that a person should not miss: their lines are warnings."""

QUIET = (BalancesStarted, DayStarted)
"""Bookkeeping that a start would have to tell among its few lines."""

QUIET_PREFIX = "Order"
"""An order's ordinary steps are lines of level debug; positions tell the story."""


def describe(recorded: Recorded) -> tuple[str, dict[str, object]]:
    """Return the level and the fields of the line that an event gets."""
    event = recorded.event
    fields: dict[str, object] = {"at": text_of(recorded.at)}
    if recorded.position_id != SYSTEM_POSITION:
        fields["position"] = recorded.position_id
    match event:
        case OrderIntended():
            fields |= _plain(event, "client_order_id", "symbol", "role", "side", "amount")
            fields |= _plain(event, "decision_price", "reason")
        case OrderFilled():
            fields |= _plain(event, "client_order_id", "symbol", "side")
            fields |= _plain(event.fill, "trade_id", "amount", "price", "fee", "fee_currency")
            fields |= _plain(event, "not_ours") if event.not_ours > 0 else {}
        case PositionImported():
            fields |= _plain(event, "symbol", "amount", "entry_price", "price", "stop_price")
            fields |= _plain(event, "take_profit_price", "opened_at", "reference")
        case InstrumentChanged():
            fields |= _plain(event.instrument, "symbol", "amount_step", "price_step")
            fields |= _plain(event.instrument, "amount_min", "notional_min", "is_active")
        case ReconciliationCompleted():
            healed = sum(found.is_healed for found in event.discrepancies)
            fields |= _plain(event, "generation", "trigger")
            fields |= {"discrepancies": len(event.discrepancies), "healed": healed}
        case DiagnosisCompleted():
            found = [check for check in event.checks if check.status != "ok"]
            fields |= _plain(event, "generation", "trigger")
            fields |= {"checks": len(event.checks), "findings": len(found)}
            fields |= {"fixed": sum(check.status == "fixed" for check in found)}
        case _:
            fields |= _plain(event, *(name for name in event.__struct_fields__ if name != "schema"))
    return _level(recorded), fields


def _level(recorded: Recorded) -> str:
    event = recorded.event
    if isinstance(event, LOUD):
        return "warning"
    is_healed = isinstance(event, ReconciliationCompleted) and event.discrepancies
    if is_healed:
        return "warning"
    is_quiet = isinstance(event, QUIET) or name_of(event).startswith(QUIET_PREFIX)
    return "debug" if is_quiet else "info"


def _plain(record: msgspec.Struct, *names: str) -> dict[str, object]:
    return {name: _figure(name, getattr(record, name)) for name in names}


def _figure(name: str, value: object) -> object:
    if isinstance(value, dict):
        return {key: _figure(name, each) for key, each in value.items()}
    if isinstance(value, int) and name.endswith(("_at", "_since")):
        return text_of(Instant(value))
    return text(value) if isinstance(value, Decimal) else value
