-- Orders and their fills, the outbox of notices, and the events that folds skip.

CREATE TABLE orders (
    client_order_id TEXT PRIMARY KEY,
    position_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    state TEXT NOT NULL,
    role TEXT NOT NULL,
    side TEXT NOT NULL,
    type TEXT NOT NULL,
    amount REAL NOT NULL,
    price REAL,
    trigger_price REAL,
    reduce_only INTEGER NOT NULL,
    filled REAL NOT NULL,
    cost REAL NOT NULL,
    fees TEXT NOT NULL,
    exchange_order_id TEXT,
    strategy TEXT NOT NULL,
    decision_price REAL NOT NULL,
    bid REAL,
    ask REAL,
    intended_at TEXT NOT NULL,
    submitted_at TEXT,
    unknown_at TEXT,
    ended_at TEXT,
    reason TEXT NOT NULL,
    end_reason TEXT NOT NULL,
    trade_ids TEXT NOT NULL,
    amount_exact TEXT NOT NULL,
    price_exact TEXT,
    trigger_price_exact TEXT,
    filled_exact TEXT NOT NULL,
    cost_exact TEXT NOT NULL,
    decision_price_exact TEXT NOT NULL,
    bid_exact TEXT,
    ask_exact TEXT,
    FOREIGN KEY (position_id) REFERENCES positions (position_id)
);

CREATE INDEX orders_by_position ON orders (position_id);

CREATE INDEX orders_not_ended ON orders (state)
WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'NOT_PLACED');

CREATE TABLE fills (
    symbol TEXT NOT NULL,
    trade_id TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    side TEXT NOT NULL,
    amount REAL NOT NULL,
    price REAL NOT NULL,
    fee REAL NOT NULL,
    fee_currency TEXT NOT NULL,
    liquidity TEXT NOT NULL,
    filled_at TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    amount_exact TEXT NOT NULL,
    price_exact TEXT NOT NULL,
    fee_exact TEXT NOT NULL,
    PRIMARY KEY (symbol, trade_id),
    FOREIGN KEY (client_order_id) REFERENCES orders (client_order_id)
);

CREATE INDEX fills_by_order ON fills (client_order_id);

CREATE TABLE notifications (
    event_id INTEGER NOT NULL,
    channel TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending', -- pending, sent, given_up
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT,
    sent_at TEXT,
    error TEXT,
    UNIQUE (event_id, channel),
    FOREIGN KEY (event_id) REFERENCES position_events (event_id)
);

CREATE INDEX notifications_pending ON notifications (event_id) WHERE state = 'pending';

CREATE TABLE quarantine (
    event_id INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    found_at TEXT NOT NULL,
    FOREIGN KEY (event_id) REFERENCES position_events (event_id)
);

PRAGMA user_version = 2;
