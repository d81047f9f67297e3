"""The configuration: what is taken, what is refused, and how it is told."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import product
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aegis.config.consents import missing_consents
from aegis.config.file import ConfigFaults, Names, load
from aegis.config.lines import lines_of
from aegis.config.model import (
    TABLES,
    Config,
    LiveConfig,
    MarketConfig,
    PaperConfig,
    RiskConfig,
    Secrets,
    describe,
    setting_paths,
    show,
)
from aegis.config.paths import use_of
from aegis.config.secret import Secret

SHIPPED = Path(__file__).parents[1] / "config.toml"
API_KEY = "AEGIS_EXCHANGE__API_KEY"
SECRET = "AEGIS_EXCHANGE__SECRET"  # noqa: S105  the name of a variable
VALUE = "k3y-that-nobody-may-see"

Load = Callable[..., Config]
Faults = Callable[..., list[str]]


def _strategies(name: str, params: Mapping[str, object]) -> str | None:
    if name != "ema_cross":
        return f'expected one of ema_cross, was "{name}"'
    wrong = [key for key in params if key not in {"fast", "slow"}]
    return f"{wrong[0]}: unknown; did you mean fast?" if wrong else None


LIVE_DERIVATIVES = (
    'mode = "live"\n[market]\nsource = "exchange"\nspeed = 1\n[exchange]\nkind = "derivatives"\n'
)
TWO_SYMBOLS = 'exchange.symbols = ["A/USDT", "B/USDT"]\n[market]\nsource = "replay"\n'

NAMES = Names(
    exchanges={"cryptocom", "kraken"},
    strategies=_strategies,
    proven={"cryptocom"},
    sandboxes={"cryptocom"},
    timeframes_lacking={"cryptocom": {"3m"}},
)


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    """Loads a text as config.toml, with variables as keywords."""

    def run(text: str = "", **environ: str) -> Config:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ, names=NAMES)

    return run


@pytest.fixture
def faults(loaded: Load) -> Faults:
    def run(text: str = "", **environ: str) -> list[str]:
        with pytest.raises(ConfigFaults) as raised:
            loaded(text, **environ)
        assert str(raised.value).split("\n") == [str(fault) for fault in raised.value.faults]
        return [str(fault) for fault in raised.value.faults]

    return run


def leaves(tree: Mapping[str, object]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield each value that is no table, with the way to it."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from (((name, *path), leaf) for path, leaf in leaves(value))
        else:
            yield (name,), value


# What is shipped --------------------------------------------------------------------------


def test_the_shipped_file_is_the_defaults(tmp_path: Path) -> None:
    copy = tmp_path / "config.toml"
    copy.write_bytes(SHIPPED.read_bytes())
    from_file = load(copy, {}, names=NAMES)
    copy.write_text("")
    assert load(copy, {}, names=NAMES) == from_file


def test_every_setting_stands_in_the_shipped_file_and_no_other() -> None:
    stands_in = {path for path, _ in leaves(tomllib.loads(SHIPPED.read_text()))}
    assert {path[:2] if path[:2] in TABLES else path for path in stands_in} | set(TABLES) == (
        setting_paths()
    )


def test_every_setting_of_the_shipped_file_has_its_comment() -> None:
    lines = SHIPPED.read_text().splitlines()
    bare = [
        path
        for path, line in lines_of(SHIPPED.read_text()).items()
        if path in setting_paths() and not lines[line - 1].partition(" # ")[2].strip()
    ]
    assert bare == []


def test_the_defaults_are_those_of_the_contract(loaded: Load, tmp_path: Path) -> None:
    config = loaded()
    assert config.store.path == tmp_path / "data/aegis.db"
    assert config.log.path == tmp_path / "data/aegis.log"
    assert (config.log.level, config.log.rotate_mb, config.log.keep) == ("info", 20, 5)
    assert config.exchange.symbols == ("BTC/USDT",)
    assert (config.exchange.name, config.exchange.kind) == ("cryptocom", "spot")
    assert (config.exchange.account, config.exchange.call_deadline_s) == ("main", 10)
    assert (config.exchange.base_url, config.exchange.sandbox) == ("", False)
    assert config.live == LiveConfig(
        canary_notional=Decimal(0), canary_orders=0, allow_withdrawal_right=False
    )
    assert config.market == MarketConfig(
        source="simulated",
        path=(),
        stamp="open",
        volume="base",
        speed=600,
        seed=1,
        timeframe="1m",
        poll_interval_s=2,
        stale_after_s=30,
    )
    assert config.paper == PaperConfig(
        balances={"USDT": Decimal(10_000)},  # type: ignore[dict-item]  # coins are text
        fee_rate=Decimal("0.001"),
        fee_currency="quote",
        spread_bps=Decimal(2),
        slippage_bps=Decimal(2),
        volume_share_max=Decimal("0.1"),
    )
    assert (config.strategy.name, dict(config.strategy.params)) == ("ema_cross", {})
    assert (config.sizing.method, config.sizing.value) == ("notional", Decimal(100))
    assert config.risk == RiskConfig(
        stop_loss_pct=Decimal(2),
        take_profit_pct=Decimal(4),
        trailing_stop_pct=Decimal(0),
        exchange_stop="off",
        open_positions_max=3,
        entries_per_position_max=1,
        order_notional_max=Decimal(1000),
        exposure_max=Decimal(3000),
        orders_per_minute_max=150,
        price_collar_pct=Decimal(1),
        daily_loss_max=Decimal(200),
        drawdown_max_pct=Decimal(20),
        day_starts_at="00:00",
        cooldown_s=0,
    )
    assert (config.reconcile.interval_s, config.reconcile.heal) == (21_600, True)
    assert (config.diagnose.interval_s, config.diagnose.stuck_after_days) == (3_600, 7)
    supervisor = config.supervisor
    assert (supervisor.restarts_max, supervisor.window_s) == (5, 60)
    assert (supervisor.backoff_ms_first, supervisor.backoff_ms_max) == (10, 10_000)
    assert (supervisor.stop_deadline_s, supervisor.heartbeat_s) == (1, 60)
    telegram = config.notify.telegram
    assert (telegram.enabled, telegram.chat_ids) == (False, ())
    assert telegram.base_url == "https://api.telegram.org"
    assert config.notify.webhook.enabled is False


# What is refused --------------------------------------------------------------------------

BAD_FILES = [
    ('mode = "papr"', "config.toml:1: mode: expected "),
    ("mode = true", "config.toml:1: mode: expected "),
    ("\n[rsk]\nstop_loss_pct = 2", "config.toml:2: rsk: unknown; did you mean risk?"),
    (
        "[risk]\n# a comment\nstop_los_pct = 2",
        "config.toml:3: risk.stop_los_pct: unknown; did you mean risk.stop_loss_pct?",
    ),
    ("stop_loss_pct = 2", "config.toml:1: stop_loss_pct: unknown; did you mean risk.stop_loss_pct"),
    ("risk.speed = 2", "config.toml:1: risk.speed: unknown; did you mean market.speed?"),
    ("xyzzy = 2", "config.toml:1: xyzzy: unknown"),
    ("risk = 3", "config.toml:1: risk: expected a section, [risk], was 3"),
    ("[[risk]]\nstop_loss_pct = 2", "config.toml:1: risk: expected a section"),
    ("[archive]\nkeep = 3", "config.toml:1: archive: unknown"),
    ("[risk.deeper]\nx = 1", "config.toml:1: risk.deeper: unknown"),
    ("[risk]\nstop_loss_pct = -1", "config.toml:2: risk.stop_loss_pct: expected a number from 0"),
    ("[risk]\nstop_loss_pct = 100.01", "config.toml:2: risk.stop_loss_pct: expected a number"),
    ("[risk]\nstop_loss_pct = true", "config.toml:2: risk.stop_loss_pct: expected a number"),
    ("[risk]\nstop_loss_pct = nan", "config.toml:2: risk.stop_loss_pct: expected a number"),
    ("[risk]\nstop_loss_pct = inf", "config.toml:2: risk.stop_loss_pct: expected a number"),
    ('[risk]\nstop_loss_pct = "NaN"', "config.toml:2: risk.stop_loss_pct: expected a number"),
    ("[risk]\nstop_loss_pct = 1e99999999999999999999", "config.toml:2: risk.stop_loss_pct: expect"),
    ("[risk]\nstop_loss_pct = 1e-30", "config.toml:2: risk.stop_loss_pct: expected a number of at"),
    ("[risk]\nstop_loss_pct = []", "config.toml:2: risk.stop_loss_pct: expected a number"),
    ("[risk]\nstop_loss_pct = 2024-01-01", "config.toml:2: risk.stop_loss_pct: expected a number"),
    ('[risk]\nstop_loss_pct = "\uff12"', "config.toml:2: risk.stop_loss_pct: expected a number"),
    ("[risk]\nprice_collar_pct = 0", "config.toml:2: risk.price_collar_pct: expected a number abo"),
    ("[risk]\ndaily_loss_max = 0", "config.toml:2: risk.daily_loss_max: expected a number above 0"),
    ("[risk]\nopen_positions_max = 0", "config.toml:2: risk.open_positions_max: expected a whole"),
    ("[risk]\nopen_positions_max = 1.0", "config.toml:2: risk.open_positions_max: expected a whol"),
    ("[risk]\nopen_positions_max = true", "config.toml:2: risk.open_positions_max: expected a who"),
    ("[risk]\ncooldown_s = -1", "config.toml:2: risk.cooldown_s: expected a whole number"),
    ('[risk]\nday_starts_at = "24:00"', "config.toml:2: risk.day_starts_at: expected a time of"),
    ('[risk]\nday_starts_at = "7:00"', "config.toml:2: risk.day_starts_at: expected a time of"),
    (
        '[risk]\nexchange_stop = "full"',
        'config.toml:2: risk.exchange_stop: expected "off" or "disaster" (the others are not',
    ),
    (
        '[sizing]\nmethod = "equity_pct"',
        "config.toml:1: sizing.value: expected at most 10, or risk.order_notional_max (1000) refus",
    ),
    (
        '[sizing]\nmethod = "equity_pct"\nvalue = 100.5',
        "config.toml:3: sizing.value: expected at most 100, since equity_pct takes per cents of",
    ),
    (
        '[sizing]\nmethod = "volatility"\nvalue = 101',
        "config.toml:3: sizing.value: expected at most 100, since volatility takes per cents of",
    ),
    (
        '[sizing]\nmethod = "risk_per_trade"\nvalue = 0.2001',
        "config.toml:3: sizing.value: expected at most 0.2, or risk.order_notional_max (1000) ref",
    ),
    (
        '[sizing]\nmethod = "risk_per_trade"\nvalue = 0.15\n[risk]\ntrailing_stop_pct = 1',
        "config.toml:3: sizing.value: expected at most 0.1, or risk.order_notional_max (1000) ref",
    ),
    (
        '[sizing]\nmethod = "risk_per_trade"\nvalue = 1\n[risk]\nstop_loss_pct = 0',
        "config.toml:2: sizing.method: expected a stop to size by: risk.stop_loss_pct or risk.tr",
    ),
    ('[sizing]\nmethod = "kelly"', "config.toml:2: sizing.method: expected "),
    ("[sizing]\nvalue = 0", "config.toml:2: sizing.value: expected a number above 0"),
    (
        '[market]\nspeed = 60\nsource = "exchange"',
        "config.toml:2: market.speed: expected 1, since ",
    ),
    (
        'mode = "live"\n[market]\nsource = "exchange"\nspeed = 1\n[exchange]\nname = "kraken"',
        'config.toml:6: exchange.name: expected "cryptocom", since mode = "live" (the others give',
    ),
    ('[market]\nsource = "replay"', "config.toml:1: market.path: expected a file that exists"),
    (
        '[market]\nsource = "replay"\npath = "gone.csv"',
        "config.toml:3: market.path: expected a file that exists",
    ),
    (
        f'{TWO_SYMBOLS}path = "config.toml"',
        "config.toml:4: market.path: expected one file for each of exchange.symbols (A/USDT, B/US",
    ),
    (
        f'{TWO_SYMBOLS}path = ["config.toml", "gone.csv"]',
        "config.toml:4: market.path: expected a file that exists",
    ),
    (
        f'{TWO_SYMBOLS}path = ["config.toml", "config.toml"]',
        "config.toml:4: market.path: expected each file once",
    ),
    ('[market]\npath = [""]', "config.toml:2: market.path: expected the path of a file"),
    ("[market]\npath = 3", "config.toml:2: market.path: expected the path of a file"),
    ('[market]\npath = "a\\u0000b"', "config.toml:2: market.path: expected the path of a file"),
    ("[market]\nspeed = 3601", "config.toml:2: market.speed: expected 0 (as fast"),
    ("[market]\nspeed = -1", "config.toml:2: market.speed: expected 0 (as fast"),
    ("[market]\nspeed = false", "config.toml:2: market.speed: expected 0 (as fast"),
    ('[market]\ntimeframe = "2m"', "config.toml:2: market.timeframe: expected one of 1m, 3m"),
    ("[market]\nseed = -1", "config.toml:2: market.seed: expected a whole number from 0"),
    (
        "[exchange]\ncall_deadline_s = 100000",
        "config.toml:2: exchange.call_deadline_s: expected a number above 0, up to 120",
    ),
    ("[market]\npoll_interval_s = 0", "config.toml:2: market.poll_interval_s: expected a number a"),
    ('[market]\nstamp = "middle"', "config.toml:2: market.stamp: expected "),
    (
        '[exchange]\nkind = "derivatives"',
        'config.toml:2: exchange.kind: expected "spot", since mode = "paper" trades coins on pap',
    ),
    (
        '[exchange]\nkind = "derivatives"\nsymbols = ["BTC/USD:USD"]',
        'config.toml:2: exchange.kind: expected "spot", since mode = "paper" trades coins on pap',
    ),
    ('[exchange]\nkind = "margin"', "config.toml:2: exchange.kind: expected "),
    (
        '[exchange]\nsymbols = ["BTC/USD:USD"]\n[paper]\nbalances = {USD = 1}',
        'config.toml:2: exchange.symbols: expected symbols as "BTC/USDT", since exchange.kind = "s',
    ),
    (
        LIVE_DERIVATIVES,
        'config.toml:5: exchange.symbols: expected symbols as "BTC/USD:USD", since exchange.kind',
    ),
    (
        f'{LIVE_DERIVATIVES}symbols = ["BTC/USD:USD"]\n[risk]\nexchange_stop = "disaster"',
        'config.toml:9: risk.exchange_stop: expected "off", since exchange.kind = "derivatives"',
    ),
    (
        '[exchange]\nsymbols = ["BTC/USD:BTC"]',
        "config.toml:2: exchange.symbols: expected derivatives that are settled in their quote co",
    ),
    (
        '[exchange]\nbase_url = "http://api.crypto.com/exchange/v1"',
        "config.toml:2: exchange.base_url: expected an https:// URL (http:// only to this machine)",
    ),
    ("[exchange]\nbase_url = 8400", "config.toml:2: exchange.base_url: expected a URL as text"),
    ("[exchange]\nsandbox = 1", "config.toml:2: exchange.sandbox: expected true or false"),
    (
        '[exchange]\nsandbox = true\nbase_url = "http://127.0.0.1:8400/exchange/v1"',
        "config.toml:2: exchange.sandbox: expected false, since exchange.base_url says where it is",
    ),
    (
        '[exchange]\nsandbox = true\nname = "kraken"',
        "config.toml:2: exchange.sandbox: expected false, since kraken has none",
    ),
    (
        'mode = "live"',
        'config.toml:1: mode: expected "paper", or market.source = "exchange" and market.speed = 1',
    ),
    (
        'mode = "shadow"',
        'config.toml:1: mode: expected "paper", or market.source = "exchange" and market.speed = 1',
    ),
    (
        '[market]\nsource = "exchange"\nspeed = 1\ntimeframe = "3m"',
        "config.toml:4: market.timeframe: expected another timeframe, since cryptocom has no cand",
    ),
    ("[live]\ncanary_notional = -1", "config.toml:2: live.canary_notional: expected a number from"),
    ("[live]\ncanary_orders = 1.5", "config.toml:2: live.canary_orders: expected a whole number"),
    (
        '[exchange]\nname = "krakn"',
        "config.toml:2: exchange.name: expected a known exchange (did y",
    ),
    ('[exchange]\naccount = ""', "config.toml:2: exchange.account: expected a name"),
    ('[exchange]\naccount = "a\\nb"', "config.toml:2: exchange.account: expected a name"),
    ("[exchange]\nsymbols = []", "config.toml:2: exchange.symbols: expected a list"),
    ('[exchange]\nsymbols = "BTC/USDT"', "config.toml:2: exchange.symbols: expected a list"),
    ('[exchange]\nsymbols = ["btc/usdt"]', "config.toml:2: exchange.symbols: expected symbols as"),
    ('[exchange]\nsymbols = ["BTC/BTC"]', "config.toml:2: exchange.symbols: expected symbols as"),
    (
        '[exchange]\nsymbols = [\n"BTC/USDT",\n"BTC/USDT"]',
        "config.toml:2: exchange.symbols: expected each symbol once",
    ),
    (
        '[exchange]\nsymbols = ["BTC/USDT", "ETH/EUR"]',
        "config.toml:2: exchange.symbols: expected symbols of one quote coin (USDT)",
    ),
    (
        '[exchange]\nsymbols = ["BTC/EUR"]',
        "config.toml: paper.balances: expected EUR among the coins, for BTC/EUR, was USDT",
    ),
    ("[paper]\nbalances = {}", "config.toml:2: paper.balances: expected a table of coins"),
    ("[paper]\nbalances = 5", "config.toml:2: paper.balances: expected a table"),
    ("[paper.balances]\nUSDT = -1", "config.toml:2: paper.balances.USDT: expected a number from 0"),
    ("[paper]\nbalances = {USDT = nan}", "config.toml:2: paper.balances.USDT: expected a number"),
    ("[paper]\nbalances = {usdt = 1}", "config.toml:2: paper.balances.usdt: expected coins in cap"),
    ("[paper]\nfee_rate = 0.2", "config.toml:2: paper.fee_rate: expected a number from 0 to 0.1"),
    ("[paper]\nvolume_share_max = 0", "config.toml:2: paper.volume_share_max: expected a number a"),
    ('[paper]\nfee_currency = "BNB"', "config.toml:2: paper.fee_currency: expected "),
    ("[paper]\nspread_bps = -1", "config.toml:2: paper.spread_bps: expected a number from 0"),
    ('[strategy]\nname = "ema"', "config.toml:2: strategy.name: expected one of ema_cross"),
    (
        "[strategy.params]\nfast = 3\nfsat = 3",
        "config.toml:3: strategy.params.fsat: unknown; did you mean fast?",
    ),
    (
        "[strategy.params]\nfast = {a = 1}",
        "config.toml:2: strategy.params.fast: expected text, a number",
    ),
    ("[strategy]\nparams = 3", "config.toml:2: strategy.params: expected a table, was 3"),
    ('[reconcile]\nheal = "yes"', "config.toml:2: reconcile.heal: expected true or false"),
    ("[reconcile]\nheal = 1", "config.toml:2: reconcile.heal: expected true or false, was 1"),
    ("[diagnose]\ninterval_s = 0", "config.toml:2: diagnose.interval_s: expected a whole number"),
    (
        "[supervisor]\nbackoff_ms_first = 20000",
        "config.toml:1: supervisor.backoff_ms_max: expected at least supervisor.backoff_ms_first",
    ),
    ('[store]\npath = ""', "config.toml:2: store.path: expected the path of a file, not empty"),
    ('[store]\npath = "data/./aegis.log"', "config.toml: log.path: expected another file"),
    ('[log]\nlevel = "loud"', "config.toml:2: log.level: expected "),
    ("notify = 3", "config.toml:1: notify: expected a section, [notify], was 3"),
    ("[notify]\ntelegram = 3", "config.toml:2: notify.telegram: expected a section, [notify.tel"),
    ("[notify]\nenabled = true", "config.toml:2: notify.enabled: unknown"),
    ("[notify.telegrm]\nx = 1", "config.toml:1: notify.telegrm: unknown; did you mean notify.tel"),
    ("[notify.telegram]\nchat_id = [1]", "config.toml:2: notify.telegram.chat_id: unknown; did y"),
    ("[notify.telegram]\nenabled = 1", "config.toml:2: notify.telegram.enabled: expected true or"),
    ("[notify.telegram]\nchat_ids = 5", "config.toml:2: notify.telegram.chat_ids: expected a li"),
    ("[notify.telegram]\nchat_ids = [true]", "config.toml:2: notify.telegram.chat_ids: expected"),
    ("[notify.telegram]\nchat_ids = [1.5]", "config.toml:2: notify.telegram.chat_ids: expected a"),
    ('[notify.telegram]\nchat_ids = ["me"]', "config.toml:2: notify.telegram.chat_ids: expected"),
    ("[notify.telegram]\nchat_ids = [1, 1]", "config.toml:2: notify.telegram.chat_ids: expected"),
    (
        "[notify.telegram]\nenabled = true\nbase_url = 'http://example.com'",
        "config.toml:3: notify.telegram.base_url: expected an https:// URL (http:// only to",
    ),
    ("[log]\nkeep = 0", "config.toml:2: log.keep: expected a whole number from 1"),
    # texts that are not TOML
    ("mode =", "config.toml:1: expected TOML, was not: "),
    ('mode = "paper"\n[risk\n', "config.toml:2: expected TOML, was not: "),
    ('mode = "paper"\nmode = "live"\n', "config.toml:2: expected TOML, was not: "),
    ("x = " + "[" * 100_000, "config.toml: expected TOML, was nested too deeply"),
    ("x = " + "1" * 5_000, "config.toml: expected TOML, was a number of too many digits"),
    ("#" * 300_000, "config.toml: expected at most 262144 bytes, was more"),
]


@pytest.mark.parametrize(("text", "expected"), BAD_FILES, ids=[case[0][:40] for case in BAD_FILES])
def test_a_bad_file_is_refused_with_its_line_key_and_reason(
    faults: Faults, text: str, expected: str
) -> None:
    (fault,) = faults(text)
    assert fault.startswith(expected), fault


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("config.toml", "the settings' own"),
        ("data/aegis.db", "the store's"),
        ("data/aegis.db-wal", "the store's"),
        ("data/aegis.db.mark", "the store's"),
        ("data/aegis.db.paper", "the store's"),
        ("data/aegis.db.reserve", "the store's"),
        ("data/../data/aegis.log.1", "the log's"),
        ("c.csv", "market.path's"),
        ("data/backups/x/aegis.db", "the backups'"),
        ("data/aegis.db.replaced-1/aegis.db", "that of a store put aside"),
        ("data/aegis.db.csv", None),
        ("aegis.db", None),
        ("c.html", None),
    ],
)
def test_no_file_that_aegis_needs_is_for_anything_else(
    loaded: Load, tmp_path: Path, name: str, expected: str | None
) -> None:
    (tmp_path / "c.csv").touch()
    config = loaded('[market]\nsource = "replay"\npath = "c.csv"')
    assert use_of(tmp_path / name, config, tmp_path / "config.toml") == expected


def test_a_link_to_the_store_is_the_store_s(loaded: Load, tmp_path: Path) -> None:
    config, link = loaded(""), tmp_path / "link"
    link.symlink_to(config.store.path)
    assert use_of(link, config, tmp_path / "config.toml") == "the store's"


BAD_VARIABLES = [
    ("AEGIS_RISK__STOP_LOS_PCT", "1", "unknown; did you mean risk.stop_loss_pct?"),
    ("AEGIS_RISK_STOP_LOSS_PCT", "1", "unknown; did you mean risk.stop_loss_pct?"),
    ("AEGIS_ZZZ", "1", "unknown"),
    ("AEGIS_", "1", "unknown"),
    ("AEGIS_RISK", "{}", "expected a setting, was a section of them; one is risk.cooldown_s"),
    ("AEGIS_STRATEGY__PARAMS__", "1", "unknown"),
    ("AEGIS_STRATEGY__PARAMS__A__B", "1", "unknown"),
    ("AEGIS_MODE", "papr", "mode: expected "),
    (
        "AEGIS_RISK__STOP_LOSS_PCT",
        "",
        'risk.stop_loss_pct: expected a number from 0 to 100, was ""',
    ),
    ("AEGIS_RISK__STOP_LOSS_PCT", "nan", "risk.stop_loss_pct: expected a number"),
    ("AEGIS_RISK__STOP_LOSS_PCT", "5 # five", "risk.stop_loss_pct: expected a number"),
    ("AEGIS_RISK__STOP_LOSS_PCT", '5\nmode = "live"', "risk.stop_loss_pct: expected a number"),
    ("AEGIS_RISK__STOP_LOSS_PCT", "true", "risk.stop_loss_pct: expected a number"),
    ("AEGIS_PAPER__BALANCES__USDT", "-1", "paper.balances.USDT: expected a number"),
    ("AEGIS_PAPER__BALANCES", "5", "paper.balances: expected a table"),
    ("AEGIS_PAPER__BALANCES", '{USDT = "x"}', "paper.balances.USDT: expected a number"),
    ("AEGIS_STRATEGY__PARAMS__FSAT", "1", "strategy.params.fsat: unknown"),
    ("AEGIS_EXCHANGE__ACCOUNT", "7", "exchange.account: expected a name"),
    ("AEGIS_EXCHANGE__APIKEY", "k", "unknown; did you mean AEGIS_EXCHANGE__API_KEY?"),
    (API_KEY, "", "expected a secret, was empty"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD_VARIABLES)
def test_a_bad_variable_is_refused_by_its_name(
    faults: Faults, name: str, value: str, expected: str
) -> None:
    (fault,) = faults("", **{name: value})
    assert fault.startswith(f"{name}: {expected}"), fault


@pytest.mark.parametrize(
    ("method", "value", "more"),
    [
        ("equity_pct", "10", ""),
        ("risk_per_trade", "0.2", ""),
        ("risk_per_trade", "0.1", "[risk]\ntrailing_stop_pct = 1"),
        ("risk_per_trade", "0.5", "[risk]\nstop_loss_pct = 0\ntrailing_stop_pct = 5"),
        ("equity_pct", "100", "[paper]\nbalances = { USDT = 1000 }"),
        ("equity_pct", "100", "[paper]\nbalances = { USDT = 0 }"),
        ("volatility", "100", ""),
    ],
)
def test_a_size_whose_first_entry_is_within_the_limit_is_taken(
    loaded: Load, method: str, value: str, more: str
) -> None:
    sizing = loaded(f'[sizing]\nmethod = "{method}"\nvalue = {value}\n{more}').sizing
    assert (sizing.method, sizing.value) == (method, Decimal(value))


def test_a_name_that_no_terminal_should_see_is_told_in_escapes(faults: Faults) -> None:
    (fault,) = faults("", **{"AEGIS_\x1b[2J\n": "1"})
    assert fault == '"AEGIS_\\u001b[2J\\n": unknown'


def test_all_faults_of_a_file_and_an_environment_are_told_at_once(faults: Faults) -> None:
    text = """
    mode = "papr"
    [exchange]
    symbols = ["btc/usdt", "BTC/USDT", 4]
    name = "binnance"
    [paper]
    balances = { usdt = -1, BTC = "x" }
    [risk]
    stop_los_pct = 2
    stop_loss_pct = -2
    [sizing]
    method = "volatile"
    [strategy]
    name = "x"
    """
    told = faults(text, AEGIS_RSK__X="1", AEGIS_MARKET__SPEED="-1")
    assert [fault.split(": expected")[0].split(": unknown")[0] for fault in told] == [
        "config.toml:2: mode",
        "config.toml:4: exchange.symbols",
        "config.toml:4: exchange.symbols",
        "config.toml:5: exchange.name",
        "config.toml:7: paper.balances.usdt",
        "config.toml:7: paper.balances.usdt",
        "config.toml:7: paper.balances.BTC",
        "config.toml:9: risk.stop_los_pct",
        "config.toml:10: risk.stop_loss_pct",
        "config.toml:12: sizing.method",
        "config.toml:14: strategy.name",
        "AEGIS_MARKET__SPEED: market.speed",
        "AEGIS_RSK__X",
    ]


def test_a_file_that_is_no_toml_does_not_hide_a_bad_variable(faults: Faults) -> None:
    told = faults("mode =", AEGIS_LOG__LEVEL="loud")
    assert [fault.partition(": ")[0] for fault in told] == ["config.toml:1", "AEGIS_LOG__LEVEL"]


def test_a_fault_in_one_setting_is_not_told_again_at_another(faults: Faults) -> None:
    (fault,) = faults('[exchange]\nsymbols = ["BTC"]\n[paper]\nbalances = {EUR = 1}')
    assert fault.startswith("config.toml:2: exchange.symbols")


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match=r"config\.toml: expected a file that can be read"):
        load(tmp_path / "config.toml", {}, names=NAMES)


def test_a_file_that_is_not_text_is_a_fault_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'mode = "paper"\n# \xff\n')
    with pytest.raises(ConfigFaults, match=r"config\.toml:2: expected UTF-8, was byte 0xff"):
        load(path, {}, names=NAMES)


# What is taken ----------------------------------------------------------------------------


def test_a_figure_is_exactly_what_was_written(loaded: Load) -> None:
    config = loaded("[paper]\nfee_rate = 0.00075\nbalances = {USDT = '0.1', BTC = 1_000.5}")
    assert config.paper.fee_rate == Decimal("0.00075")
    assert config.paper.balances == {"USDT": Decimal("0.1"), "BTC": Decimal("1000.5")}


def test_a_stop_of_zero_is_off_and_lawful(loaded: Load) -> None:
    assert loaded("[risk]\nstop_loss_pct = 0").risk.stop_loss_pct == 0


def test_a_missing_key_takes_its_default_beside_one_that_is_set(loaded: Load) -> None:
    risk = loaded("[risk]\nstop_loss_pct = 3").risk
    assert (risk.stop_loss_pct, risk.take_profit_pct) == (Decimal(3), Decimal(4))


def test_windows_line_ends_and_a_byte_order_mark_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[risk]\r\nstop_loss_pct = 3\r\n")
    assert load(path, {}, names=NAMES).risk.stop_loss_pct == 3


def test_paths_are_absolute_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc/config.toml"
    path.write_text('[store]\npath = "../here.db"\n[log]\npath = "/var/log/aegis.log"')
    monkeypatch.chdir(tmp_path)
    config = load(Path("etc/config.toml"), {}, names=NAMES)
    assert config.store.path == tmp_path / "here.db"
    assert config.log.path == Path("/var/log/aegis.log")


def test_a_replay_takes_a_file_beside_the_config(loaded: Load, tmp_path: Path) -> None:
    config = loaded('[market]\nsource = "replay"\npath = "config.toml"')
    assert config.market.path == (tmp_path / "config.toml",)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("AEGIS_LIVE__CANARY_ORDERS", "5", lambda config: config.live.canary_orders == 5),
        ("AEGIS_MARKET__SPEED", "0", lambda config: config.market.speed == 0),
        ("AEGIS_RECONCILE__HEAL", "false", lambda config: config.reconcile.heal is False),
        ("AEGIS_RISK__DAY_STARTS_AT", "08:00", lambda config: config.risk.day_starts_at == "08:00"),
        ("AEGIS_EXCHANGE__ACCOUNT", "a # b", lambda config: config.exchange.account == "a # b"),
        ("AEGIS_RISK__STOP_LOSS_PCT", "1.50", lambda c: c.risk.stop_loss_pct == Decimal("1.5")),
        ("AEGIS_MARKET__PATH", "", lambda config: config.market.path == ()),
        ("AEGIS_STRATEGY__PARAMS__FAST", "5", lambda c: c.strategy.params["fast"] == 5),
        ("AEGIS_STRATEGY__PARAMS", "{fast = 5}", lambda c: c.strategy.params["fast"] == 5),
        ("AEGIS_PAPER__BALANCES__USDT", "7", lambda c: c.paper.balances["USDT"] == 7),
        (
            "AEGIS_EXCHANGE__SYMBOLS",
            '["ETH/USDT", "BTC/USDT"]',
            lambda c: c.exchange.symbols == ("ETH/USDT", "BTC/USDT"),
        ),
    ],
)
def test_a_variable_sets_its_key(
    loaded: Load, name: str, value: str, expected: Callable[[Config], bool]
) -> None:
    assert expected(loaded(**{name: value}))


def test_a_variable_has_the_say_over_the_file(loaded: Load) -> None:
    config = loaded("[risk]\nstop_loss_pct = -3", AEGIS_RISK__STOP_LOSS_PCT="5")
    assert config.risk.stop_loss_pct == 5


def test_a_variable_adds_to_a_table_of_the_file(loaded: Load) -> None:
    config = loaded("[strategy.params]\nfast = 1", AEGIS_STRATEGY__PARAMS__SLOW="2")
    assert config.strategy.params == {"fast": 1, "slow": 2}


def test_other_variables_are_none_of_ours(loaded: Load) -> None:
    assert loaded(TEST_CANDLES="1", aegis_mode="x", AEGIS_LIVE="1") == loaded()


def test_nothing_of_a_config_can_be_changed(loaded: Load) -> None:
    config = loaded("[strategy.params]\nfast = [1]")
    with pytest.raises(ValidationError, match="frozen"):
        config.mode = "live"
    with pytest.raises(ValidationError, match="frozen"):
        config.risk.stop_loss_pct = Decimal(0)
    for table in (config.paper.balances, config.strategy.params):
        with pytest.raises(TypeError):
            table["x"] = 1  # type: ignore[index]  # that is what is tried
    assert config.strategy.params["fast"] == (1,)


# Secrets ----------------------------------------------------------------------------------


def test_a_secret_comes_verbatim_from_its_variable(loaded: Load) -> None:
    kept = loaded(**{API_KEY: ' "1.0" # \n'}).secrets.exchange_api_key
    assert kept == Secret(' "1.0" # \n')


def test_a_secret_comes_from_a_private_file_without_its_line_end(
    loaded: Load, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{VALUE}\n")
    path.chmod(0o400)
    kept = loaded(**{f"{SECRET}_FILE": "secret"}).secrets.exchange_secret
    assert kept == Secret(VALUE)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o700])
def test_a_secret_file_that_others_could_use_is_a_fault(
    faults: Faults, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "secret"
    path.write_text(VALUE)
    path.chmod(mode)
    assert faults(**{f"{SECRET}_FILE": str(path)}) == [
        f"{SECRET}_FILE: expected a file of mode 0600 or stricter, was: mode {mode:04o}"
    ]


def test_a_secret_file_that_would_never_end_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert faults(**{f"{SECRET}_FILE": "pipe"}) == [
        f"{SECRET}_FILE: expected a file of mode 0600 or stricter, was: not a file"
    ]


def test_a_secret_that_was_put_where_its_file_belongs_is_not_repeated(faults: Faults) -> None:
    (fault,) = faults(**{f"{SECRET}_FILE": VALUE})
    assert VALUE not in fault


def test_a_secret_given_twice_is_a_fault(faults: Faults) -> None:
    (fault,) = faults(**{SECRET: VALUE, f"{SECRET}_FILE": "x"})
    assert fault == f"{SECRET}: expected this or {SECRET}_FILE, was both"


@pytest.mark.parametrize(
    ("text", "place", "variable"),
    [
        ('[exchange]\napi_key = "VALUE"', "config.toml:2: exchange.api_key", API_KEY),
        ('[exchange]\nsecret = "VALUE"', "config.toml:2: exchange.secret", SECRET),
        ('[exchange]\nPassword = "VALUE"', "config.toml:2: exchange.Password", SECRET),
        ('api-key = "VALUE"', "config.toml:1: api-key", API_KEY),
        (
            '[notify.telegram]\ntoken = "VALUE"',
            "config.toml:2: notify.telegram.token",
            "AEGIS_TELEGRAM__TOKEN",
        ),
    ],
)
def test_a_secret_in_the_file_is_a_fault_that_names_its_variable_and_not_its_value(
    faults: Faults, text: str, place: str, variable: str
) -> None:
    told = faults(text.replace("VALUE", VALUE))
    wanted = f"{place}: expected in the variable {variable} or {variable}_FILE, was in the file"
    assert wanted in told
    assert VALUE not in "".join(told)


@pytest.mark.parametrize(
    "environ",
    [
        {API_KEY: VALUE, "AEGIS_EXCHANGE__NAME": VALUE},
        {API_KEY: VALUE, "AEGIS_STRATEGY__NAME": VALUE},
        {API_KEY: VALUE, "AEGIS_LOG__LEVEL": f"x{VALUE}x"},
        {API_KEY: "p" * 300, "AEGIS_LOG__LEVEL": "p" * 300},
        {API_KEY: "12345678", "AEGIS_SIZING__VALUE": "-12345678"},
        {API_KEY: 'a"b\\c', "AEGIS_STRATEGY__NAME": 'a"b\\c'},
        {"AEGIS_EXCHANGE__APIKEY": VALUE, "AEGIS_LOG__LEVEL": VALUE},
    ],
)
def test_a_secret_that_slipped_into_another_setting_is_not_repeated(
    faults: Faults, environ: dict[str, str]
) -> None:
    hidden = environ.get(API_KEY) or environ["AEGIS_EXCHANGE__APIKEY"]
    told = "".join(faults(**environ))
    assert "***" in told
    assert hidden[:60] not in told


def test_a_secret_is_never_written(loaded: Load) -> None:
    config = loaded(**{API_KEY: VALUE, SECRET: VALUE, "AEGIS_TELEGRAM__TOKEN": VALUE})
    for text in (show(config), repr(config), config.model_dump_json(), str(config.secrets)):
        assert VALUE not in text
        assert "***" in text


def test_the_log_can_be_given_every_secret_that_is_there(loaded: Load) -> None:
    assert loaded(**{API_KEY: VALUE}).secrets.given() == (Secret(VALUE),)


# Channels to people -----------------------------------------------------------------------

TOKEN = "AEGIS_TELEGRAM__TOKEN"  # noqa: S105  the name of a variable
URL = "AEGIS_WEBHOOK__URL"
BOT = "12345:AbC-dEf_0123456789"
HOOK = "https://hooks.example.com/services/T0/B0/Xy12345678"
TELLING = "[notify.telegram]\nenabled = true\nchat_ids = [42, '-100123', '@a_channel']\n"
HOOKED = "[notify.webhook]\nenabled = true\n"


def test_chats_are_taken_by_number_and_by_name(loaded: Load) -> None:
    assert loaded(TELLING, **{TOKEN: BOT}).notify.telegram.chat_ids == (
        "42",
        "-100123",
        "@a_channel",
    )


def test_a_variable_sets_a_chat(loaded: Load) -> None:
    config = loaded(TELLING, AEGIS_NOTIFY__TELEGRAM__CHAT_IDS="[7]", **{TOKEN: BOT})
    assert config.notify.telegram.chat_ids == ("7",)


def test_telegram_without_a_chat_is_one_fault_at_its_line(faults: Faults) -> None:
    (fault,) = faults("[notify.telegram]\nenabled = true\nchat_ids = []", **{TOKEN: BOT})
    assert fault == (
        "config.toml:3: notify.telegram.chat_ids: expected at least one chat id, since "
        "notify.telegram.enabled = true, was a list of 0"
    )


@pytest.mark.parametrize(
    ("given", "was"),
    [({}, "none"), ({TOKEN: "hunter2hunter2"}, "something else"), ({TOKEN: f"{BOT}/x"}, "some")],
)
def test_telegram_without_a_token_is_one_fault_that_shows_none(
    faults: Faults, given: dict[str, str], was: str
) -> None:
    (fault,) = faults(TELLING, **given)
    assert fault.startswith(
        "config.toml:2: notify.telegram.enabled: expected a token as @BotFather gives it in "
        f"{TOKEN} or {TOKEN}_FILE, was {was}"
    )
    assert not given or given[TOKEN] not in fault


def test_a_token_that_cannot_be_read_is_told_once(faults: Faults) -> None:
    (fault,) = faults(TELLING, **{f"{TOKEN}_FILE": "gone"})
    assert fault.startswith(f"{TOKEN}_FILE: expected a file")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "http://example.com/hook",
        "ftp://example.com/hook",
        "https://user:word@example.com/hook",
        "https://example.com/hook#part",
        "https://example.com:99999/hook",
        "https:///hook",
        "https://exa mple.com/hook",
        "http://127.0.0.1.example.com/hook",
    ],
)
def test_a_webhook_goes_over_tls_or_to_this_machine_and_its_url_is_not_shown(
    faults: Faults, url: str
) -> None:
    (fault,) = faults(HOOKED, **{URL: url} if url else {})
    assert "notify.webhook.enabled: expected an https:// URL" in fault
    assert "hook#" not in fault
    assert "example.com" not in fault


@pytest.mark.parametrize(
    "url", [HOOK, "http://localhost:8080/hook?a=b", "http://[::1]/hook", "http://127.0.0.1/hook"]
)
def test_a_webhook_that_is_safe_is_taken(loaded: Load, url: str) -> None:
    assert loaded(HOOKED, **{URL: url}).secrets.webhook_url == Secret(url)


def test_the_url_of_a_webhook_in_the_file_is_a_fault_that_does_not_show_it(faults: Faults) -> None:
    (fault,) = faults(f"[notify.webhook]\nurl = '{HOOK}'")
    assert fault == (
        f"config.toml:2: notify.webhook.url: expected in the variable {URL} or {URL}_FILE, "
        "was in the file"
    )
    (fault,) = faults(AEGIS_NOTIFY__WEBHOOK__URL=HOOK)
    assert fault == f"AEGIS_NOTIFY__WEBHOOK__URL: unknown; did you mean {URL}?"


def test_who_sends_nothing_needs_no_secrets(tmp_path: Path, loaded: Load) -> None:
    assert loaded(TELLING + HOOKED + "[market]\nspeed = 0").notify.telegram.enabled
    path = tmp_path / "config.toml"
    path.write_text(TELLING + HOOKED)
    looking = msgspec.structs.replace(NAMES, is_trading=False)
    assert load(path, {}, names=looking).notify.webhook.enabled


def test_what_follows_the_host_of_a_webhook_is_a_secret_too(loaded: Load) -> None:
    given = loaded(HOOKED, **{URL: HOOK}).secrets.given()
    assert given == (Secret(HOOK), Secret("services/T0/B0/Xy12345678"))
    short = loaded(HOOKED, **{URL: "http://127.0.0.1:80/a"}).secrets.given()
    assert short == (Secret("http://127.0.0.1:80/a"),)


# For people -------------------------------------------------------------------------------


def test_what_is_shown_loads_to_the_same(loaded: Load) -> None:
    config = loaded(
        '[strategy.params]\nfast = 1.5\nslow = ["a\\"b\\u007f\\U0001f600", true]\n'
        '[paper]\nbalances = {USDT = "0.00000001", BTC = 3}\n'
        '[exchange]\naccount = "it\'s \\"mine\\""\n[log]\npath = "ü/\\\\x.log"\n'
        '[notify.telegram]\nchat_ids = [1, "@a_channel"]'
    )
    assert loaded(show(config)) == config
    assert "[notify.telegram]" in show(config)


def test_the_coins_of_paper_judge_no_entry_of_a_live_account(loaded: Load) -> None:
    live = 'mode = "live"\n[market]\nsource = "exchange"\nspeed = 1\n'
    sized = '[sizing]\nmethod = "equity_pct"\nvalue = 50\n'
    assert loaded(live + sized).sizing.value == 50


def test_a_config_says_in_a_few_words_what_would_run(loaded: Load) -> None:
    assert describe(loaded()) == "paper, simulated, BTC/USDT, ema_cross"


# Consents ---------------------------------------------------------------------------------


def test_no_consent_is_wanted_where_the_money_is_not_real() -> None:
    for mode in ("paper", "shadow"):
        assert missing_consents(Config(mode=mode), is_live_meant=False) is None


@pytest.mark.parametrize("given", list(product([False, True], repeat=3)))
def test_each_consent_that_is_missing_is_named_and_no_other(given: tuple[bool, ...]) -> None:
    is_live_meant, has_key, has_secret = given
    secrets = Secrets(
        exchange_api_key=Secret(VALUE) if has_key else None,
        exchange_secret=Secret(VALUE) if has_secret else None,
    )
    config = Config(mode="live", secrets=secrets)
    told = missing_consents(config, is_live_meant=is_live_meant) or ""
    named = ("--live (or AEGIS_LIVE=1)", API_KEY, SECRET)
    assert [name in told for name in named] == [not each for each in given]
    assert VALUE not in told
    assert (told == "") is all(given)


# Lines ------------------------------------------------------------------------------------

LOOKALIKES = '''
text = """
[risk]
stop_loss_pct = 1 # not here \\""" """ # [no]
literal = \'\'\'
[market] it's \'\'\'\'
list = [ # [x]
  "]", # ]
  [1, { a = "}" }],
]
"quoted = key".b = 1
[ exchange . "sub.x" ] # ]
c = { d = 1, e = "#" }
[risk]
stop_loss_pct = 2
'''


def test_keys_are_found_among_what_only_looks_like_keys() -> None:
    tomllib.loads(LOOKALIKES)
    assert lines_of(LOOKALIKES) == {
        ("text",): 2,
        ("literal",): 5,
        ("list",): 7,
        ("quoted = key",): 11,
        ("quoted = key", "b"): 11,
        ("exchange",): 12,
        ("exchange", "sub.x"): 12,
        ("exchange", "sub.x", "c"): 13,
        ("risk",): 14,
        ("risk", "stop_loss_pct"): 15,
    }


NASTY_VALUES = (
    '"# ] [risk]"',
    "'''\n[risk]\nx = 1\n'''",
    '"""\\""" \n[a]\n"""',
    '[\n1, # [b]\n"]",\n]',
    "{ a = 1, b = '}' }",
    "1979-05-27 07:32:00",
    '"\\\\"',
    "''",
    '""""""',
)
NASTY_KEYS = ('"a = 1"', "'[x]'", "bare", '"\\\\#"', "'.'", '"\\u00e9"')


@given(st.lists(st.tuples(st.sampled_from(NASTY_KEYS), st.sampled_from(NASTY_VALUES)), max_size=8))
def test_every_key_of_a_text_is_found_on_its_own_line(pairs: list[tuple[str, str]]) -> None:
    text = "# begin\n"
    expected: dict[tuple[str, ...], int] = {}
    for number, (key, value) in enumerate(pairs):
        section = f"s{number}"
        expected[section,] = text.count("\n") + 1
        text += f" [ {section} ] # [no]\n"
        expected[section, next(iter(tomllib.loads(f"{key} = 1")))] = text.count("\n") + 1
        text += f"{key} = {value} # = 1\n\n"
    assert tomllib.loads(text).keys() == {path[0] for path in expected}
    assert lines_of(text) == expected
