"""The configuration: every setting with its type, its range and its default.

It is the only door to pydantic. It knows no file, no variable and no line: what was read is
handed in, and `file` puts the two together.

Invariants:
1. A `Config` never changes, and is complete: what nobody set has its default.
2. Each value is right by itself; all that are not are told at once.
3. Money, rates and per cents are finite decimals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
)
from pydantic_core import ErrorDetails

from aegis.config import values as config_values
from aegis.config.secret import HIDDEN, VARIABLES, Secret, path_of_url
from aegis.config.text import KeyPath, toml
from aegis.config.values import Expected, quote_of
from aegis.domain.candles import TIMEFRAMES_S
from aegis.domain.ids import Coin, Symbol
from aegis.domain.sizing import Method

_MONEY_MAX = "1000000000000000"
_SECONDS_MAX = 365 * 86_400
_DEADLINE_S_MAX = 120
"""A stop whose call hangs longer guards nothing."""


def _timeframe(value: object) -> str:
    if not (isinstance(value, str) and value in TIMEFRAMES_S):
        raise Expected(f"one of {', '.join(TIMEFRAMES_S)}", value)
    return value


Name = Annotated[str, BeforeValidator(config_values.name)]
FilePath = Annotated[Path, BeforeValidator(config_values.path)]
Flag = Annotated[bool, BeforeValidator(config_values.flag)]
Count = Annotated[int, BeforeValidator(config_values.whole(1, 1_000_000))]
IntervalS = Annotated[int, BeforeValidator(config_values.whole(1, _SECONDS_MAX))]
DeadlineS = Annotated[float, BeforeValidator(config_values.seconds_above_zero(_DEADLINE_S_MAX))]
IntervalMs = Annotated[int, BeforeValidator(config_values.whole(1, _SECONDS_MAX * 1000))]
PatienceS = Annotated[float, BeforeValidator(config_values.seconds_above_zero(_SECONDS_MAX))]
Amount = Annotated[Decimal, BeforeValidator(config_values.decimal_above("0", _MONEY_MAX))]
Percent = Annotated[Decimal, BeforeValidator(config_values.decimal_above("0", "100"))]
PercentOrOff = Annotated[Decimal, BeforeValidator(config_values.decimal("0", "100"))]
BasisPoints = Annotated[Decimal, BeforeValidator(config_values.decimal("0", "5000"))]
Balances = Annotated[
    Mapping[Coin, Decimal], PlainValidator(config_values.balances), PlainSerializer(dict)
]
Parameters = Annotated[
    Mapping[str, object], PlainValidator(config_values.parameters), PlainSerializer(dict)
]
HiddenText = Annotated[Secret | None, PlainSerializer(lambda kept: kept and HIDDEN)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class StoreConfig(Section):
    path: FilePath = Path("data/aegis.db")


class LogConfig(Section):
    path: FilePath = Path("data/aegis.log")
    level: Literal["debug", "info", "warning", "error"] = "info"
    rotate_mb: Annotated[int, BeforeValidator(config_values.whole(1, 10_000))] = 20
    keep: Annotated[int, BeforeValidator(config_values.whole(1, 1_000))] = 5


class ExchangeConfig(Section):
    """`account` is a label of the operator's own: with the exchange it names the money.

    `base_url` is the root of the exchange's calls, "" for the exchange's own.
    """

    name: Name = "cryptocom"
    kind: Literal["spot", "derivatives"] = "spot"
    account: Name = "main"
    symbols: Annotated[tuple[Symbol, ...], BeforeValidator(config_values.symbols)] = (
        Symbol("BTC/USDT"),
    )
    base_url: Annotated[str, BeforeValidator(config_values.base_url_or_none)] = ""
    sandbox: Flag = False
    call_deadline_s: DeadlineS = 10.0

    @property
    def quote(self) -> Coin:
        """The one coin in which all symbols are priced."""
        return quote_of(self.symbols[0])


class MarketConfig(Section):
    """`speed` is times real time, 0 as fast as it goes.

    `path` is one file for each symbol, in their order; `stamp` is the end of its candle that a
    row's time names, `volume` the coin that its volume is counted in.
    """

    source: Literal["simulated", "replay", "exchange"] = "simulated"
    path: Annotated[tuple[Path, ...], BeforeValidator(config_values.paths)] = ()
    stamp: Literal["open", "close"] = "open"
    volume: Literal["base", "quote"] = "base"
    speed: Annotated[int, BeforeValidator(config_values.speed)] = 600
    seed: Annotated[int, BeforeValidator(config_values.whole(0, 2**63 - 1))] = 1
    timeframe: Annotated[str, BeforeValidator(_timeframe)] = "1m"
    poll_interval_s: PatienceS = 2.0
    stale_after_s: PatienceS = 30.0

    @property
    def timeframe_s(self) -> int:
        """The length of a candle."""
        return TIMEFRAMES_S[self.timeframe]


def _balances_default() -> Mapping[Coin, Decimal]:
    return config_values.balances({"USDT": "10000"})


class PaperConfig(Section):
    balances: Balances = Field(default_factory=_balances_default)
    fee_rate: Annotated[Decimal, BeforeValidator(config_values.decimal("0", "0.1"))] = Decimal(
        "0.001"
    )
    fee_currency: Literal["quote", "received"] = "quote"
    spread_bps: BasisPoints = Decimal(2)
    slippage_bps: BasisPoints = Decimal(2)
    volume_share_max: Annotated[Decimal, BeforeValidator(config_values.decimal_above("0", "1"))] = (
        Decimal("0.1")
    )


class StrategyConfig(Section):
    name: Name = "ema_cross"
    params: Parameters = Field(default_factory=lambda: config_values.parameters({}))


class SizingConfig(Section):
    """`value` is money in the quote coin for `notional`, per cents of the equity otherwise."""

    method: Method = "notional"
    value: Amount = Decimal(100)


class RiskConfig(Section):
    """Money is in the quote coin; 0 is off for the stop, target, trailing stop and cool-down."""

    stop_loss_pct: PercentOrOff = Decimal(2)
    take_profit_pct: PercentOrOff = Decimal(4)
    trailing_stop_pct: PercentOrOff = Decimal(0)
    exchange_stop: Literal["off", "disaster", "full"] = "off"
    open_positions_max: Count = 3
    entries_per_position_max: Count = 1
    order_notional_max: Amount = Decimal(1000)
    exposure_max: Amount = Decimal(3000)
    orders_per_minute_max: Count = 150
    price_collar_pct: Percent = Decimal(1)
    daily_loss_max: Amount = Decimal(200)
    drawdown_max_pct: Percent = Decimal(20)
    day_starts_at: Annotated[str, BeforeValidator(config_values.time_of_day)] = "00:00"
    cooldown_s: Annotated[int, BeforeValidator(config_values.whole(0, _SECONDS_MAX))] = 0


class ReconcileConfig(Section):
    interval_s: IntervalS = 21_600
    heal: Flag = True


class DiagnoseConfig(Section):
    interval_s: IntervalS = 3_600
    stuck_after_days: Annotated[int, BeforeValidator(config_values.whole(1, 36_500))] = 7


class BackupConfig(Section):
    """`interval_s` is market time; `copy_to` a folder that is there already, "" for none."""

    path: FilePath = Path("data/backups")
    interval_s: IntervalS = 86_400
    keep: Annotated[int, BeforeValidator(config_values.whole(1, 1_000))] = 7
    copy_to: Annotated[Path | None, BeforeValidator(config_values.path_or_none)] = None


class TelegramConfig(Section):
    """`chat_ids` are numbers of people and groups, or @names of public channels."""

    enabled: Flag = False
    chat_ids: Annotated[tuple[str, ...], BeforeValidator(config_values.chat_ids)] = ()
    base_url: Annotated[str, BeforeValidator(config_values.base_url)] = "https://api.telegram.org"


class WebhookConfig(Section):
    enabled: Flag = False


class NotifyConfig(Section):
    telegram: TelegramConfig = Field(default_factory=TelegramConfig)
    webhook: WebhookConfig = Field(default_factory=WebhookConfig)


class LiveConfig(Section):
    """The last steps before live trading, and what a key may be allowed; 0 is off."""

    canary_notional: Annotated[Decimal, BeforeValidator(config_values.decimal("0", _MONEY_MAX))] = (
        Decimal(0)
    )
    canary_orders: Annotated[int, BeforeValidator(config_values.whole(0, 1_000_000))] = 0
    allow_withdrawal_right: Flag = False


class SupervisorConfig(Section):
    """Restarts within a window of real seconds, and the patience between and after them."""

    restarts_max: Annotated[int, BeforeValidator(config_values.whole(0, 1_000))] = 5
    window_s: PatienceS = 60.0
    backoff_ms_first: IntervalMs = 10
    backoff_ms_max: IntervalMs = 10_000
    stop_deadline_s: PatienceS = 1.0
    heartbeat_s: PatienceS = 60.0


class Secrets(Section):
    """What only variables and private files may bring; None where nothing was given."""

    exchange_api_key: HiddenText = None
    exchange_secret: HiddenText = None
    telegram_token: HiddenText = None
    webhook_url: HiddenText = None

    def given(self) -> tuple[Secret, ...]:
        """Return the secrets that are there, so that the log can be told to hide them.

        Of a URL also what follows its host: libraries write the beginning in their own way.
        """
        kept = (self.exchange_api_key, self.exchange_secret, self.telegram_token, self.webhook_url)
        found = tuple(secret for secret in kept if secret is not None)
        path = None if self.webhook_url is None else path_of_url(self.webhook_url)
        return found if path is None else (*found, path)


class Config(Section):
    mode: Literal["paper", "shadow", "live"] = "paper"
    store: StoreConfig = Field(default_factory=StoreConfig)
    log: LogConfig = Field(default_factory=LogConfig)
    exchange: ExchangeConfig = Field(default_factory=ExchangeConfig)
    market: MarketConfig = Field(default_factory=MarketConfig)
    paper: PaperConfig = Field(default_factory=PaperConfig)
    strategy: StrategyConfig = Field(default_factory=StrategyConfig)
    sizing: SizingConfig = Field(default_factory=SizingConfig)
    risk: RiskConfig = Field(default_factory=RiskConfig)
    reconcile: ReconcileConfig = Field(default_factory=ReconcileConfig)
    diagnose: DiagnoseConfig = Field(default_factory=DiagnoseConfig)
    backup: BackupConfig = Field(default_factory=BackupConfig)
    notify: NotifyConfig = Field(default_factory=NotifyConfig)
    live: LiveConfig = Field(default_factory=LiveConfig)
    supervisor: SupervisorConfig = Field(default_factory=SupervisorConfig)
    secrets: Secrets = Field(default_factory=Secrets)


def describe(config: Config) -> str:
    """Return what would run, in a few words."""
    symbols = " ".join(config.exchange.symbols)
    return f"{config.mode}, {config.market.source}, {symbols}, {config.strategy.name}"


def show(config: Config) -> str:
    """Return all settings as TOML that loads to the same, with the secrets hidden."""
    lines = [f"mode = {toml(config.mode)}"]
    for section, model in config:
        if isinstance(model, Section) and section != "secrets":
            lines += _shown(section, model)
    lines += ["", "# secrets"]
    for variable, name in VARIABLES.items():
        is_given = getattr(config.secrets, name) is not None
        lines.append(f"# {variable} = {HIDDEN if is_given else 'not given'}")
    return "\n".join(lines) + "\n"


def _shown(section: str, model: Section) -> list[str]:
    """Return the lines of a section, and of the sections in it."""
    plain = [f"{key} = {toml(value)}" for key, value in model if not isinstance(value, Section)]
    lines = ["", f"[{section}]", *plain] if plain else []
    for key, value in model:
        if isinstance(value, Section):
            lines += _shown(f"{section}.{key}", value)
    return lines


# From values to a model ---------------------------------------------------------------------


class Misfit(msgspec.Struct, frozen=True):
    """A value that cannot be taken."""

    path: KeyPath
    expected: str
    was: object


TABLES: tuple[KeyPath, ...] = (("paper", "balances"), ("strategy", "params"))
"""Settings whose keys are the user's own."""


def setting_paths() -> frozenset[KeyPath]:
    """Return the path of each setting; secrets are none."""
    return frozenset(path for path in _paths_in(Config) if path[0] != "secrets")


def _paths_in(section: type[Section]) -> Iterator[KeyPath]:
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from ((name, *path) for path in _paths_in(kind))
        else:
            yield (name,)


def build(values: Mapping[str, Any]) -> Config | tuple[Misfit, ...]:
    """Return the model of a tree of values, or each value that cannot be taken."""
    try:
        return Config(**values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        return tuple(misfit for details in found for misfit in _misfits(details))


def _misfits(found: ErrorDetails) -> Iterator[Misfit]:
    path = tuple(str(part) for part in found["loc"])
    context = found.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, Expected):
        for each in (cause, *cause.others):
            yield Misfit((*path, *each.at), each.expected, each.was)
    else:
        expected = str(context.get("expected", found["msg"])).replace("'", '"')
        yield Misfit(path, expected, found["input"])
