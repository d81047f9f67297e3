-- A position's metadata has its first stop and its best and worst price from here on. They follow
-- from the log, so no row is changed here: all are made anew, as after each migration.

PRAGMA user_version = 3;
