"""The SQL that writes and reads projections; columns stand in the order of the row functions."""

from __future__ import annotations

POSITION_COLUMNS = (
    "position_id", "symbol", "side", "entry_price", "amount", "current_price", "stop_price",
    "take_profit_price", "trailing_stop_pct", "opened_at", "closed_at", "status", "pnl",
    "pnl_pct", "fees", "exchange_order_id", "created_by", "notes", "metadata", "version",
    "unpriced", "entry_price_exact", "amount_exact", "cost_exact", "current_price_exact",
    "stop_price_exact", "take_profit_price_exact", "trailing_stop_pct_exact", "pnl_exact",
    "pnl_pct_exact", "fees_exact",
)  # fmt: skip

ORDER_COLUMNS = (
    "client_order_id", "position_id", "symbol", "state", "role", "side", "type", "amount",
    "price", "trigger_price", "reduce_only", "filled", "cost", "fees", "exchange_order_id",
    "strategy", "decision_price", "bid", "ask", "intended_at", "submitted_at", "unknown_at",
    "ended_at", "reason", "end_reason", "trade_ids", "amount_exact", "price_exact",
    "trigger_price_exact", "filled_exact", "cost_exact", "decision_price_exact", "bid_exact",
    "ask_exact",
)  # fmt: skip

FILL_COLUMNS = (
    "symbol", "trade_id", "client_order_id", "side", "amount", "price", "fee", "fee_currency",
    "liquidity", "filled_at", "event_id", "amount_exact", "price_exact", "fee_exact",
)  # fmt: skip

UPSERT_POSITION = """
INSERT INTO positions (
    position_id, symbol, side, entry_price, amount, current_price, stop_price,
    take_profit_price, trailing_stop_pct, opened_at, closed_at, status, pnl, pnl_pct, fees,
    exchange_order_id, created_by, notes, metadata, version, unpriced, entry_price_exact,
    amount_exact, cost_exact, current_price_exact, stop_price_exact, take_profit_price_exact,
    trailing_stop_pct_exact, pnl_exact, pnl_pct_exact, fees_exact
) VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
) ON CONFLICT (position_id) DO UPDATE SET
    symbol = excluded.symbol,
    side = excluded.side,
    entry_price = excluded.entry_price,
    amount = excluded.amount,
    current_price = excluded.current_price,
    stop_price = excluded.stop_price,
    take_profit_price = excluded.take_profit_price,
    trailing_stop_pct = excluded.trailing_stop_pct,
    opened_at = excluded.opened_at,
    closed_at = excluded.closed_at,
    status = excluded.status,
    pnl = excluded.pnl,
    pnl_pct = excluded.pnl_pct,
    fees = excluded.fees,
    exchange_order_id = coalesce(positions.exchange_order_id, excluded.exchange_order_id),
    created_by = excluded.created_by,
    notes = excluded.notes,
    metadata = excluded.metadata,
    version = excluded.version,
    unpriced = excluded.unpriced,
    entry_price_exact = excluded.entry_price_exact,
    amount_exact = excluded.amount_exact,
    cost_exact = excluded.cost_exact,
    current_price_exact = excluded.current_price_exact,
    stop_price_exact = excluded.stop_price_exact,
    take_profit_price_exact = excluded.take_profit_price_exact,
    trailing_stop_pct_exact = excluded.trailing_stop_pct_exact,
    pnl_exact = excluded.pnl_exact,
    pnl_pct_exact = excluded.pnl_pct_exact,
    fees_exact = excluded.fees_exact
"""

_POSITIONS = """
SELECT position_id, symbol, side, entry_price, amount, current_price, stop_price,
       take_profit_price, trailing_stop_pct, opened_at, closed_at, status, pnl, pnl_pct, fees,
       exchange_order_id, created_by, notes, metadata, version, unpriced, entry_price_exact,
       amount_exact, cost_exact, current_price_exact, stop_price_exact,
       take_profit_price_exact, trailing_stop_pct_exact, pnl_exact, pnl_pct_exact, fees_exact
FROM positions
"""

SELECT_POSITIONS = _POSITIONS + "ORDER BY position_id"

SELECT_CLOSED_POSITIONS = (
    _POSITIONS + "WHERE status = 'CLOSED' AND closed_at >= ? ORDER BY closed_at, position_id"
)

SELECT_ALIVE_POSITIONS = (
    _POSITIONS + "WHERE status IN ('OPENING', 'OPEN', 'CLOSING') ORDER BY opened_at, position_id"
)

SELECT_POSITION = _POSITIONS + "WHERE position_id = ?"

_WORKING = """position_id IN (
    SELECT position_id FROM positions WHERE status IN ('OPENING', 'OPEN', 'CLOSING')
    UNION ALL
    SELECT position_id FROM orders
    WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'NOT_PLACED')
)"""

# Those that are alive, and those of orders that may yet say something.
SELECT_WORKING_POSITIONS = f"{_POSITIONS}WHERE {_WORKING} ORDER BY position_id"

# A position lives from its first event on. One that came back to life lives on from there.
SELECT_FIRST_SYMBOL = "SELECT symbol FROM positions WHERE status <> 'VOID' ORDER BY rowid LIMIT 1"

SELECT_LIVES = """
SELECT position_id, (
    SELECT timestamp FROM position_events AS events
    WHERE events.position_id = positions.position_id AND version = 1
) AS began_at, closed_at
FROM positions WHERE symbol = ? ORDER BY began_at DESC LIMIT ?
"""

UPSERT_ORDER = """
INSERT INTO orders (
    client_order_id, position_id, symbol, state, role, side, type, amount, price,
    trigger_price, reduce_only, filled, cost, fees, exchange_order_id, strategy,
    decision_price, bid, ask, intended_at, submitted_at, unknown_at, ended_at, reason,
    end_reason, trade_ids, amount_exact, price_exact, trigger_price_exact, filled_exact,
    cost_exact, decision_price_exact, bid_exact, ask_exact
) VALUES (
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
    ?, ?, ?
) ON CONFLICT (client_order_id) DO UPDATE SET
    position_id = excluded.position_id,
    symbol = excluded.symbol,
    state = excluded.state,
    role = excluded.role,
    side = excluded.side,
    type = excluded.type,
    amount = excluded.amount,
    price = excluded.price,
    trigger_price = excluded.trigger_price,
    reduce_only = excluded.reduce_only,
    filled = excluded.filled,
    cost = excluded.cost,
    fees = excluded.fees,
    exchange_order_id = excluded.exchange_order_id,
    strategy = excluded.strategy,
    decision_price = excluded.decision_price,
    bid = excluded.bid,
    ask = excluded.ask,
    intended_at = excluded.intended_at,
    submitted_at = excluded.submitted_at,
    unknown_at = excluded.unknown_at,
    ended_at = excluded.ended_at,
    reason = excluded.reason,
    end_reason = excluded.end_reason,
    trade_ids = excluded.trade_ids,
    amount_exact = excluded.amount_exact,
    price_exact = excluded.price_exact,
    trigger_price_exact = excluded.trigger_price_exact,
    filled_exact = excluded.filled_exact,
    cost_exact = excluded.cost_exact,
    decision_price_exact = excluded.decision_price_exact,
    bid_exact = excluded.bid_exact,
    ask_exact = excluded.ask_exact
"""

_ORDERS = """
SELECT client_order_id, position_id, symbol, state, role, side, type, amount, price,
       trigger_price, reduce_only, filled, cost, fees, exchange_order_id, strategy,
       decision_price, bid, ask, intended_at, submitted_at, unknown_at, ended_at, reason,
       end_reason, trade_ids, amount_exact, price_exact, trigger_price_exact, filled_exact,
       cost_exact, decision_price_exact, bid_exact, ask_exact
FROM orders
"""

SELECT_ORDERS = _ORDERS + "ORDER BY client_order_id"

SELECT_ORDER = _ORDERS + "WHERE client_order_id = ?"

SELECT_ORDERS_OF_POSITION = _ORDERS + "WHERE position_id = ? ORDER BY intended_at, rowid"

# All that a position ever had is held with it.
SELECT_WORKING_ORDERS = f"{_ORDERS}WHERE {_WORKING} ORDER BY rowid"

COUNT_ENTRIES_SENT = """
SELECT count(*) FROM orders WHERE role = 'entry' AND submitted_at IS NOT NULL
"""

INSERT_FILL = """
INSERT INTO fills (
    symbol, trade_id, client_order_id, side, amount, price, fee, fee_currency, liquidity,
    filled_at, event_id, amount_exact, price_exact, fee_exact
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_FILLS = """
SELECT symbol, trade_id, client_order_id, side, amount, price, fee, fee_currency, liquidity,
       filled_at, event_id, amount_exact, price_exact, fee_exact
FROM fills
"""

SELECT_FILLS = _FILLS + "ORDER BY event_id"

SELECT_FILL = _FILLS + "WHERE symbol = ? AND trade_id = ?"

SELECT_TRADE = "SELECT 1 FROM fills WHERE symbol = ? AND trade_id = ?"

# A trade that a person told of is in no record of the exchange.
SELECT_TRADE_ANY = "SELECT 1 FROM fills WHERE liquidity <> 'told' LIMIT 1"

INSERT_RECONCILIATION = """
INSERT INTO reconciliations (
    reconciliation_id, timestamp, exchange_positions, local_positions, discrepancies,
    actions_taken, status
) VALUES (?, ?, ?, ?, ?, ?, ?)
"""

_RECONCILIATIONS = """
SELECT reconciliation_id, timestamp, exchange_positions, local_positions, discrepancies,
       actions_taken, status
FROM reconciliations
"""

SELECT_RECONCILIATION = _RECONCILIATIONS + "WHERE reconciliation_id = ?"

SELECT_RECONCILIATIONS = _RECONCILIATIONS + "ORDER BY reconciliation_id"

INSERT_HEALTH = """
INSERT INTO system_health (timestamp, check_type, status, details, auto_fixed, event_id)
VALUES (?, ?, ?, ?, ?, ?)
"""

INSERT_NOTICE = "INSERT INTO notifications (event_id, channel, text) VALUES (?, ?, ?)"

INSERT_QUARANTINE = "INSERT OR IGNORE INTO quarantine (event_id, reason, found_at) VALUES (?, ?, ?)"

SELECT_QUARANTINE = "SELECT event_id FROM quarantine"

# Emptied in this order the foreign keys would hold even without being deferred.
EMPTY_PROJECTIONS = (
    "DELETE FROM fills",
    "DELETE FROM orders",
    "DELETE FROM positions",
    "DELETE FROM reconciliations",
)
