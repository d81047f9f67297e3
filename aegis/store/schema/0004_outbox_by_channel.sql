-- The outbox is read a channel at a time: a backlog of one is no burden to the others.

ALTER TABLE notifications ADD COLUMN asked_to_wait INTEGER NOT NULL DEFAULT 0;

DROP INDEX notifications_pending;

CREATE INDEX notifications_pending ON notifications (channel, event_id) WHERE state = 'pending';

PRAGMA user_version = 4;
