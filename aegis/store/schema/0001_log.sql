-- The blueprint's four tables, the store's identity, and what keeps the log append-only.
-- A REAL column is a rounded view for people's SQL; its *_exact twin is the figure.

CREATE TABLE store_identity (
    identity_id INTEGER PRIMARY KEY AUTOINCREMENT,
    mode TEXT NOT NULL,
    exchange TEXT NOT NULL,
    account TEXT NOT NULL,
    market TEXT NOT NULL,
    incarnation TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);

CREATE TABLE positions (
    position_id TEXT PRIMARY KEY,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    entry_price REAL NOT NULL,
    amount REAL NOT NULL,
    current_price REAL,
    stop_price REAL,
    take_profit_price REAL,
    trailing_stop_pct REAL DEFAULT 0.0,
    opened_at TEXT NOT NULL,
    closed_at TEXT,
    status TEXT NOT NULL DEFAULT 'OPEN',
    pnl REAL DEFAULT 0.0,
    pnl_pct REAL DEFAULT 0.0,
    fees REAL DEFAULT 0.0,
    exchange_order_id TEXT,
    created_by TEXT DEFAULT 'strategy',
    notes TEXT,
    metadata TEXT,
    version INTEGER NOT NULL,
    unpriced INTEGER NOT NULL DEFAULT 0,
    entry_price_exact TEXT NOT NULL,
    amount_exact TEXT NOT NULL,
    cost_exact TEXT NOT NULL,
    current_price_exact TEXT,
    stop_price_exact TEXT,
    take_profit_price_exact TEXT,
    trailing_stop_pct_exact TEXT,
    pnl_exact TEXT,
    pnl_pct_exact TEXT,
    fees_exact TEXT
);

CREATE INDEX positions_by_status ON positions (status);

CREATE TABLE position_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    position_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    event_data TEXT NOT NULL,
    actor TEXT DEFAULT 'system',
    timestamp TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    prev_hash TEXT NOT NULL UNIQUE,
    UNIQUE (position_id, version),
    FOREIGN KEY (position_id) REFERENCES positions (position_id)
);

CREATE TABLE reconciliations (
    reconciliation_id INTEGER PRIMARY KEY AUTOINCREMENT, -- the number of its event
    timestamp TEXT NOT NULL,
    exchange_positions INTEGER DEFAULT 0,
    local_positions INTEGER DEFAULT 0,
    discrepancies INTEGER DEFAULT 0,
    actions_taken TEXT,
    status TEXT DEFAULT 'SUCCESS'
);

CREATE TABLE system_health (
    check_id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    check_type TEXT NOT NULL,
    status TEXT NOT NULL,
    details TEXT,
    auto_fixed BOOLEAN DEFAULT 0,
    event_id INTEGER
);

CREATE TRIGGER position_events_are_never_updated
BEFORE UPDATE ON position_events
BEGIN
    SELECT RAISE(ABORT, 'position_events is append-only: no UPDATE');
END;

CREATE TRIGGER position_events_are_never_deleted
BEFORE DELETE ON position_events
BEGIN
    SELECT RAISE(ABORT, 'position_events is append-only: no DELETE');
END;

CREATE TRIGGER store_identity_is_never_updated
BEFORE UPDATE ON store_identity
BEGIN
    SELECT RAISE(ABORT, 'store_identity is append-only: no UPDATE');
END;

CREATE TRIGGER store_identity_is_never_deleted
BEFORE DELETE ON store_identity
BEGIN
    SELECT RAISE(ABORT, 'store_identity is append-only: no DELETE');
END;

PRAGMA application_id = 0x41454749;
PRAGMA user_version = 1;
