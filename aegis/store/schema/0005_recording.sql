-- What the market showed, and under which settings AEGIS ran: enough to live through it again.
-- It follows from no event and no event follows from it, so it is outside of the chain; each row
-- has a checksum over all its other columns.

CREATE TABLE recorded_candles (
    block_id INTEGER PRIMARY KEY AUTOINCREMENT, -- without a hole: retention takes the lowest
    symbol TEXT NOT NULL,
    length_s INTEGER NOT NULL,
    first_open_at TEXT NOT NULL,
    last_open_at TEXT NOT NULL,
    candles INTEGER NOT NULL,
    data BLOB NOT NULL, -- zlib, over six lines: steps in ns, opens, highs, lows, closes, volumes
    checksum TEXT NOT NULL,
    UNIQUE (symbol, length_s, last_open_at)
);

CREATE TABLE recorded_runs (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, -- start, settings, end
    at TEXT NOT NULL,
    after_event INTEGER NOT NULL,
    detail TEXT NOT NULL, -- JSON; no secret, no path but those of the candles
    checksum TEXT NOT NULL
);

PRAGMA user_version = 5;
