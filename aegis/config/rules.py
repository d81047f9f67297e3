"""Rules between settings that are each right by themselves.

Invariants:
1. A rule is judged only where everything that it reads is right: one fault is told once.
2. What a later version will bring is refused in words, never ignored.
"""

from __future__ import annotations

import re
from decimal import Decimal
from difflib import get_close_matches

from aegis.config.broken import Broken, Names, Rule
from aegis.config.faults import Notebook
from aegis.config.model import Config
from aegis.config.modes import MODE_RULES
from aegis.config.text import KeyPath, toml
from aegis.config.urls import EXPECTED, fault_of_url
from aegis.domain.money import HUNDRED, ZERO, share, text, times

_PERCENT_STEP = Decimal("0.0001")


_TOKEN, _URL = "AEGIS_TELEGRAM__TOKEN", "AEGIS_WEBHOOK__URL"
_BOT_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,200}")


_IN_THIS_VERSION: tuple[tuple[KeyPath, tuple[str, ...]], ...] = (
    (("risk", "exchange_stop"), ("off", "disaster")),
)


def judge(config: Config, names: Names, notebook: Notebook) -> None:
    """Note each rule that is broken by settings which are right by themselves."""
    faulty = {path[:2] for path in notebook.broken}
    for (section, key), offered in _IN_THIS_VERSION:
        value = getattr(getattr(config, section), key)
        if value not in offered:
            listed = " or ".join(toml(item) for item in offered)
            text = f"expected {listed} (the others are not in this version)"
            notebook.wrong((section, key), text, value)
    for reads, rule in _RULES:
        is_judged = not any(path in faulty or path[:1] in faulty for path in reads)
        broken = rule(config, names) if is_judged else None
        if broken is not None:
            notebook.wrong(broken.path, broken.text, *broken.was)


def _exchange_is_known(config: Config, names: Names) -> Broken | None:
    name, known = config.exchange.name, sorted(names.exchanges)
    if name in known:
        return None
    near = get_close_matches(name, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"such as {', '.join(known[:3])}"
    return Broken(("exchange", "name"), f"expected a known exchange ({hint})", (name,))


def _strategy_takes_its_settings(config: Config, names: Names) -> Broken | None:
    strategy = config.strategy
    wrong = names.strategies(strategy.name, strategy.params)
    if wrong is None:
        return None
    settings, _, rest = wrong.partition(": ")
    first = settings.partition(", ")[0]
    if rest and first in strategy.params:
        return Broken(("strategy", "params", first), rest if first == settings else wrong)
    return Broken(("strategy", "name"), wrong)


def _balances_hold_the_quote(config: Config, _names: Names) -> Broken | None:
    """Judge the coins of paper, where it is paper that is traded."""
    quote, held = config.exchange.quote, ", ".join(config.paper.balances)
    if config.mode == "live" or config.exchange.kind != "spot" or quote in config.paper.balances:
        return None
    needed = f"{quote} among the coins, for {config.exchange.symbols[0]}"
    return Broken(("paper", "balances"), f"expected {needed}, was {held}")


def _replay_has_its_files(config: Config, _names: Names) -> Broken | None:
    if config.market.source != "replay":
        return None
    if not config.market.path:
        expected = 'expected a file that exists, since market.source = "replay"'
        return Broken(("market", "path"), expected, ("",))
    for path in config.market.path:
        if not path.is_file():
            return Broken(("market", "path"), "expected a file that exists", (path,))
    return None


def _replay_has_a_file_a_symbol(config: Config, _names: Names) -> Broken | None:
    symbols, paths = config.exchange.symbols, config.market.path
    if config.market.source != "replay" or not paths:
        return None
    if len(paths) != len(symbols):
        listed = ", ".join(symbols)
        expected = f"expected one file for each of exchange.symbols ({listed})"
        return Broken(("market", "path"), expected, (paths,))
    again = [path for place, path in enumerate(paths) if path in paths[:place]]
    return Broken(("market", "path"), "expected each file once", (again[0],)) if again else None


def _backoff_grows(config: Config, _names: Names) -> Broken | None:
    first, most = config.supervisor.backoff_ms_first, config.supervisor.backoff_ms_max
    if first <= most:
        return None
    expected = f"expected at least supervisor.backoff_ms_first ({first})"
    return Broken(("supervisor", "backoff_ms_max"), expected, (most,))


def _percentage_is_one(config: Config, _names: Names) -> Broken | None:
    sizing = config.sizing
    if sizing.method == "notional" or sizing.value <= HUNDRED:
        return None
    expected = f"expected at most 100, since {sizing.method} takes per cents of the equity"
    return Broken(("sizing", "value"), expected, (sizing.value,))


def _entry_is_within_its_limit(config: Config, _names: Names) -> Broken | None:
    value, most = config.sizing.value, config.risk.order_notional_max
    if config.sizing.method != "notional" or value <= most:
        return None
    expected = f"expected at most risk.order_notional_max ({most}), or no entry is ever taken"
    return Broken(("sizing", "value"), expected, (value,))


def _first_entry_is_within_its_limit(config: Config, _names: Names) -> Broken | None:
    """Judge a share of the equity where the equity is known: on paper, before the first trade.

    An entry of a share costs equity * value / 100, one by its risk equity * value / stop, with
    value and stop in per cent.
    """
    value, limit = config.sizing.value, config.risk.order_notional_max
    equity = config.paper.balances.get(config.exchange.quote, ZERO)
    per_cents = {"equity_pct": HUNDRED, "risk_per_trade": _nearest_stop_pct(config)}
    of = per_cents.get(config.sizing.method, ZERO)
    if (
        config.mode == "live"
        or of == 0
        or value > HUNDRED
        or times(equity, value) <= times(limit, of)
    ):
        return None
    most = text(share(limit, of, equity, _PERCENT_STEP))
    refuses = f"or risk.order_notional_max ({limit}) refuses the first entry"
    expected = f"expected at most {most}, {refuses}"
    return Broken(("sizing", "value"), expected, (value,))


def _nearest_stop_pct(config: Config) -> Decimal:
    stops = (config.risk.stop_loss_pct, config.risk.trailing_stop_pct)
    return min((each for each in stops if each > 0), default=ZERO)


def _risk_has_its_stop(config: Config, _names: Names) -> Broken | None:
    if config.sizing.method != "risk_per_trade" or _nearest_stop_pct(config) > 0:
        return None
    expected = "expected a stop to size by: risk.stop_loss_pct or risk.trailing_stop_pct above 0"
    return Broken(("sizing", "method"), expected, (config.sizing.method,))


_SIZED_BY = (("sizing", "method"), ("risk", "stop_loss_pct"), ("risk", "trailing_stop_pct"))


def _telegram_knows_its_chats(config: Config, _names: Names) -> Broken | None:
    telegram = config.notify.telegram
    if not telegram.enabled or telegram.chat_ids:
        return None
    expected = "expected at least one chat id, since notify.telegram.enabled = true"
    return Broken(("notify", "telegram", "chat_ids"), expected, (telegram.chat_ids,))


def _telegram_has_its_token(config: Config, names: Names) -> Broken | None:
    token = config.secrets.telegram_token
    if not (config.notify.telegram.enabled and _sends(config, names)):
        return None
    if token is not None and _BOT_TOKEN.fullmatch(token.reveal()):
        return None
    was = "none" if token is None else "something else"
    expected = f"expected a token as @BotFather gives it in {_TOKEN} or {_TOKEN}_FILE, was {was}"
    return Broken(("notify", "telegram", "enabled"), expected)


def _webhook_has_its_url(config: Config, names: Names) -> Broken | None:
    url = config.secrets.webhook_url
    if not (config.notify.webhook.enabled and _sends(config, names)):
        return None
    wrong = EXPECTED if url is None else fault_of_url(url.reveal(), may_have_query=True)
    if wrong is None:
        return None
    was = "none" if url is None else "something else"
    expected = f"expected {wrong} in {_URL} or {_URL}_FILE, was {was}"
    return Broken(("notify", "webhook", "enabled"), expected)


def _sends(config: Config, names: Names) -> bool:
    """Say whether anything would go out: a look does not send, nor does a run at speed 0."""
    return names.is_trading and config.market.speed > 0


_RULES: tuple[tuple[tuple[KeyPath, ...], Rule], ...] = (
    ((("exchange", "name"),), _exchange_is_known),
    ((("strategy", "name"), ("strategy", "params")), _strategy_takes_its_settings),
    (
        (("mode",), ("paper", "balances"), ("exchange", "kind"), ("exchange", "symbols")),
        _balances_hold_the_quote,
    ),
    ((("market", "source"), ("market", "path")), _replay_has_its_files),
    (
        (("market", "source"), ("market", "path"), ("exchange", "symbols")),
        _replay_has_a_file_a_symbol,
    ),
    ((("notify", "telegram"),), _telegram_knows_its_chats),
    (
        (("notify", "telegram"), ("market", "speed"), ("secrets", "telegram_token")),
        _telegram_has_its_token,
    ),
    (
        (("notify", "webhook"), ("market", "speed"), ("secrets", "webhook_url")),
        _webhook_has_its_url,
    ),
    ((("supervisor", "backoff_ms_first"), ("supervisor", "backoff_ms_max")), _backoff_grows),
    (
        (("sizing", "method"), ("sizing", "value"), ("risk", "order_notional_max")),
        _entry_is_within_its_limit,
    ),
    ((("sizing", "method"), ("sizing", "value")), _percentage_is_one),
    (
        (*_SIZED_BY, ("sizing", "value"), ("risk", "order_notional_max"), ("paper", "balances")),
        _first_entry_is_within_its_limit,
    ),
    (_SIZED_BY, _risk_has_its_stop),
    *MODE_RULES,
)
