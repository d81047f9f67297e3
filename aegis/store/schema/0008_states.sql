-- What the log added up to at some of its events, so that no past need be folded from the
-- beginning. A cache: it follows from the log, is outside of the chain, and is made anew with the
-- rows. One that does not prove itself is not used.

CREATE TABLE states (
    event_id INTEGER PRIMARY KEY, -- the last event that is in it
    hash TEXT NOT NULL, -- of that event: it belongs to this log and to no other
    quarantined INTEGER NOT NULL, -- how many events up to there were set aside when it was made
    data BLOB NOT NULL, -- zlib over the shape of the program's values, and JSON
    checksum TEXT NOT NULL
);

PRAGMA user_version = 8;
