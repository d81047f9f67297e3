-- Events of a restore (StoreRestored, RecoveryCompleted), which an older program cannot fold, and
-- the account's row that says whether one is settled: all rows are made anew.

PRAGMA user_version = 7;
