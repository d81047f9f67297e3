"""The list of checks that a diagnosis consists of, as data: what each reads, finds and does.

Everything else asks this list: which findings halt entries, which make `diagnose` end with 1,
what a person reads about a check that is well, and the table in docs/diagnosis.md.

Invariants:
1. A name, once released, stays: it is `check_type` in `system_health`.
2. Only a check without doubt about the store itself, or about room for it, halts entries.
"""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check, in words for people.

    `holds` is what is true when all is well. `remedy` is empty where there is none. A finding
    that stays is critical when money or truth hangs on it. `halt_cause` names the halt of
    entries that it asks for. Housekeeping is done without a word.
    """

    name: str
    reads: str
    finds: str
    holds: str
    advice: str
    remedy: str = ""
    is_critical: bool = False
    halt_cause: str = ""
    is_housekeeping: bool = False


CHECKS: tuple[Check, ...] = (
    Check(
        name="chain",
        reads="every event since the last look, and its hash",
        finds="an event that is not what was written",
        holds="each event's hash covers the one before it",
        advice="stop, keep the files, run `verify`, then `run.py restore latest`",
        is_critical=True,
        halt_cause="store",
    ),
    Check(
        name="mark",
        reads="the high-water mark beside the store, both slots, against the log",
        finds="a mark that is missing, torn or behind; a log that is shorter than its mark",
        holds="the log reaches its high-water mark",
        remedy="written anew where the log proves it; never for a log that is too short",
        advice="for a log that is too short: stop, keep the files, then `run.py restore latest`",
        is_critical=True,
        halt_cause="store",
    ),
    Check(
        name="events",
        reads="events without a position's row, and those that the fold meets",
        finds="an event that follows from nothing",
        holds="every event follows from those before it",
        remedy="put into quarantine, the rows made anew from the others; at most 20 at once",
        advice="report it: no AEGIS writes such an event; `reconcile` afterwards",
        is_critical=True,
        halt_cause="store",
    ),
    Check(
        name="projections",
        reads="the rows of what is alive or was touched; on demand all, up to 200,000 events",
        finds="a row that is not what the events make",
        holds="the rows are what the events make",
        remedy="the rows are made anew from the events",
        advice="find out who wrote to the store besides AEGIS",
        is_critical=True,
        halt_cause="store",
    ),
    Check(
        name="foreign_keys",
        reads="SQLite's `foreign_key_check`",
        finds="an order, fill or notice that belongs to nothing",
        holds="every row belongs to one that is there",
        remedy="the rows are made anew from the events; a notice or a note is only told",
        advice="run `verify`; find out who wrote to the store besides AEGIS",
        is_critical=True,
        halt_cause="store",
    ),
    Check(
        name="indices",
        reads="SQLite's `integrity_check`, at the start, each hour of the wall, and on demand",
        finds="an index that differs from its table",
        holds="every index has what its table has",
        remedy="at the next start, on a copy that is proved before it takes the store's place",
        advice="restart AEGIS; the damaged file stays beside the store as `.damaged-N`",
        is_critical=True,
        halt_cause="store",
    ),
    Check(
        name="files",
        reads="`stat` of the database, its WAL and its lock",
        finds="a file that was removed or replaced while in use",
        holds="the store's files are the ones that were opened",
        advice="stop AEGIS, put the file back, start it; never touch a store that is in use",
        is_critical=True,
        halt_cause="store",
    ),
    Check(
        name="wal",
        reads="the size of the write-ahead log",
        finds="a WAL that keeps growing",
        holds="the write-ahead log is short",
        remedy="moved into the database and cut short",
        advice="end whatever reads the store for long",
    ),
    Check(
        name="disk",
        reads="the free bytes where the store is, and its reserve",
        finds="less room than is wise; a reserve that is missing",
        holds="there is room, and a reserve",
        remedy="the reserve is freed so that exits still commit, and made again with the room",
        advice="make room, then `resume`: entries stay halted until you do",
        is_critical=True,
        halt_cause="disk",
    ),
    Check(
        name="stops",
        reads="the positions of AEGIS and their policies",
        finds="a position without the stop that its policy asks for",
        holds="every position has the stop of its policy",
        remedy="the stop is set; where the price has passed it, you are told first",
        advice="look at the position; Guard leaves it when the price is below the stop",
        is_critical=True,
    ),
    Check(
        name="exchange_stop",
        reads="positions and orders; not with `risk.exchange_stop` off",
        finds="none at the exchange where one should have rested for a minute; another amount",
        holds="each position that should have a stop at the exchange has it",
        remedy="it is placed again by itself, at a price, after 1, 2, 4 ... 60 s",
        advice="AEGIS's own stop stands while it runs; the log's `ExchangeStopLost` says why",
        is_critical=True,
    ),
    Check(
        name="exits",
        reads="the exits of what is held, and what the last reconciliation saw lock its coins",
        finds="exits in a row that sold nothing, or one of what is untraded: since when, and why; "
        "one that is due and waits for a look at the account, or was not sent for 10 s",
        holds="what is to be sold can be",
        advice="mend what the exchange says; AEGIS tries on, after 1, 2, 4 ... 60 s",
        is_critical=True,
    ),
    Check(
        name="stuck",
        reads="when positions were opened",
        finds="a position open for longer than `diagnose.stuck_after_days`",
        holds="no position is open for too long",
        advice="decide whether to keep it; `flatten` leaves all",
    ),
    Check(
        name="orders",
        reads="the orders that have not ended",
        finds="an order whose outcome is unknown for too long",
        holds="no order's outcome is unknown for long",
        advice="look the order up at the exchange; AEGIS goes on asking for it",
        is_critical=True,
    ),
    Check(
        name="differences",
        reads="what the last reconciliation left open",
        finds="a difference from the exchange that nothing healed",
        holds="the last reconciliation left no difference open",
        advice="`reconcile --dry-run` says what differs, and what you can do",
        is_critical=True,
    ),
    Check(
        name="limits",
        reads="positions, entries under way and exposure, against `[risk]`",
        finds="more than the limits allow, as after they were lowered",
        holds="positions and orders are within their limits",
        advice="leave something, or raise the limit; AEGIS sells nothing for a limit's sake",
    ),
    Check(
        name="trades",
        reads="trades closed within the last day, beside the 500 before",
        finds="a loss beyond the stop that sold or a gain beyond the target, by far; an odd figure",
        holds="no trade closed with an unusual result",
        advice="`history ID` tells its story; a gap over a stop is bad luck, not a fault",
    ),
    Check(
        name="outbox",
        reads="notices that were not sent",
        finds="notices that wait for too long, by channel, with the channel's last error",
        holds="no notice waits for long",
        advice="see to the channel; nothing is lost, it is tried again",
    ),
    Check(
        name="data",
        reads="when the market was last heard; not at `market.speed` 0",
        finds="no news of a symbol for longer than `market.stale_after_s`, and a tick of a market "
        "made from candles",
        holds="prices are fresh",
        advice="see to the source: without prices no stop can fire",
        is_critical=True,
    ),
    Check(
        name="clock",
        reads="the wall's clock beside the monotonic one; not at `market.speed` 0",
        finds="a wall clock that stepped, or a store whose last event is ahead of the clock",
        holds="the clocks agree",
        advice="see to the machine's time (NTP); a sleeping machine jumps ahead, too",
    ),
    Check(
        name="exchange",
        reads="the way to a real exchange: bans, the key, lanes that rest, clocks; not on paper",
        finds="what keeps entries back there",
        holds="nothing on the way to the exchange keeps entries back",
        advice="`status` and the log say since when; keys, network or this machine's clock mend it",
    ),
    Check(
        name="symbols",
        reads="what the exchange said last, each hour, of `exchange.symbols`; not on paper",
        finds="a symbol that it no longer lists, or has halted",
        holds="the exchange trades every symbol of the settings",
        advice="no entry goes out; each exit is refused there, and tried again: take a delisted "
        "coin out by hand in time",
        is_critical=True,
    ),
    Check(
        name="backup",
        reads="the folder of backups, and what came of the last one; not at `market.speed` 0",
        finds="no good backup for two intervals; one that failed, or has no second copy",
        holds="no backup failed, and none is overdue",
        advice="the log's `BackupFailed` says why; then `run.py backup`",
    ),
    Check(
        name="retention",
        reads="the age of checks' rows and of sent notices",
        finds="what is older than 30 days",
        holds="nothing old is kept for no reason",
        remedy="deleted, at most 10,000 rows of each at once; events never",
        advice="nothing",
        is_housekeeping=True,
    ),
)
"""In the order in which they are told."""

_BY_NAME = {check.name: check for check in CHECKS}


def check_of(name: str) -> Check:
    """Return the check of a name."""
    return _BY_NAME[name]
