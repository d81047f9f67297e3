-- The chain is kept by a trigger. UNIQUE (prev_hash) kept two events from following one, by an
-- index in the order of hashes: each event dirtied a page of its own there, and a commit of 100
-- events took twice as long. The trigger asks more, and reads the page that is written anyway.

CREATE TABLE chained_events (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    position_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    event_data TEXT NOT NULL,
    actor TEXT DEFAULT 'system',
    timestamp TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    UNIQUE (position_id, version),
    FOREIGN KEY (position_id) REFERENCES positions (position_id)
);

-- How many were ever written goes along: a log that lost its end is told by it.
INSERT INTO sqlite_sequence (name, seq)
SELECT 'chained_events', seq FROM sqlite_sequence WHERE name = 'position_events';

INSERT INTO chained_events (
    event_id, position_id, event_type, event_data, actor, timestamp, version, hash, prev_hash
)
SELECT event_id, position_id, event_type, event_data, actor, timestamp, version, hash, prev_hash
FROM position_events ORDER BY event_id;

DROP TABLE position_events;

ALTER TABLE chained_events RENAME TO position_events;

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

CREATE TRIGGER position_events_follow_one_another
BEFORE INSERT ON position_events
WHEN NEW.prev_hash IS NOT CASE NEW.event_id
    WHEN 1 THEN '0000000000000000000000000000000000000000000000000000000000000000'
    ELSE (SELECT hash FROM position_events WHERE event_id = NEW.event_id - 1)
END
BEGIN
    SELECT RAISE(ABORT, 'position_events is a chain: prev_hash is the hash of the event before');
END;

PRAGMA user_version = 6;
