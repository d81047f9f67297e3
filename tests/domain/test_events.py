"""Each type of event can be kept, read back, logged and told: none falls through."""

from __future__ import annotations

import json
import typing
from decimal import Decimal
from types import NoneType, UnionType

import msgspec
import pytest

from aegis.domain.account import TradingState
from aegis.domain.codec import decode, encode
from aegis.domain.events import (
    EVENT_TYPES,
    BalancesStarted,
    CheckResult,
    DayStarted,
    DiagnosisCompleted,
    Discrepancy,
    Event,
    ExternalChangeSeen,
    OrderFilled,
    OrderIntended,
    PositionMarked,
    ReconciliationCompleted,
    Recorded,
    StrategyArmed,
    TradingStateChanged,
    name_of,
)
from aegis.domain.ids import SYSTEM_POSITION, EventId, Generation, Instant, PositionId
from aegis.domain.instrument import Instrument
from aegis.domain.narrate import LOUD, describe
from aegis.domain.story import sentence_of
from tests.domain.kit import BTC_USDT, START, USDT, instrument

FIGURE = Decimal("1.250")


def sample(kind: object) -> object:
    """Return a value of a type, with every optional field filled."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (UnionType, typing.Union):
        return sample(next(part for part in parts if part is not NoneType))
    if origin is tuple:
        return (sample(parts[0]),)
    if origin is dict:
        return {sample(parts[0]): sample(parts[1])}
    if isinstance(kind, typing.NewType):
        return sample(kind.__supertype__)
    if kind is Instrument:
        return instrument()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        names = (name for name in kind.__struct_fields__ if name != "schema")
        return kind(**{name: sample(hints[name]) for name in names})
    assert isinstance(kind, type)
    plain: dict[type, object] = {Decimal: FIGURE, str: "word", int: 1_000_000_000, bool: True}
    return plain[kind] if kind in plain else next(iter(kind))  # type: ignore[call-overload]


def bare(kind: type[Event]) -> Event:
    """Return an event with every optional field empty."""
    hints = typing.get_type_hints(kind)
    empty = {
        name: None for name in kind.__struct_fields__ if NoneType in typing.get_args(hints[name])
    }
    event: Event = msgspec.structs.replace(full(kind), **empty)
    return event


def full(kind: type[Event]) -> Event:
    event: Event = sample(kind)  # type: ignore[assignment]
    return event


def recorded(event: Event, position: str = "p-1") -> Recorded:
    return Recorded(
        event_id=EventId(1),
        position_id=PositionId(position),
        version=1,
        actor="test",
        at=START,
        event=event,
    )


EVERY = [make(kind) for kind in EVENT_TYPES.values() for make in (full, bare)]
every_event = pytest.mark.parametrize("event", EVERY, ids=name_of)


@every_event
def test_an_event_reads_back_as_it_was_kept(event: Event) -> None:
    data = encode(event)
    again = decode(name_of(event), data)
    assert again == event
    assert encode(again) == data


@every_event
def test_an_event_carries_its_schema_and_its_figures_as_text(event: Event) -> None:
    kept = json.loads(encode(event))
    assert kept["schema"] == event.schema
    assert not any(isinstance(value, float) for value in kept.values())


def test_a_figure_keeps_every_digit() -> None:
    event = PositionMarked(price=Decimal("100.10"))
    assert encode(event) == b'{"schema":2,"price":"100.10","high":null,"low":null}'
    assert str(decode("PositionMarked", encode(event)).price) == "100.10"  # type: ignore[union-attr]


@every_event
def test_an_event_of_another_shape_is_corruption(event: Event) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(name_of(event), encode(event)[:-1])
    with pytest.raises(msgspec.ValidationError):
        decode(name_of(event), b"[]")


def test_an_unknown_name_is_corruption() -> None:
    with pytest.raises(KeyError):
        decode("PriceGuessed", b"{}")


def test_an_event_kept_before_a_field_was_added_reads_with_its_default() -> None:
    kept = b'{"schema":1,"kind":"balance","coin":"USDT","amount":"5","reference":"","note":""}'
    event = decode("ExternalChangeSeen", kept)
    assert isinstance(event, ExternalChangeSeen)
    assert not event.counts_as_equity


def test_a_mark_kept_before_it_had_extremes_has_none() -> None:
    event = decode("PositionMarked", b'{"schema":1,"price":"100.10"}')
    assert isinstance(event, PositionMarked)
    assert (event.schema, event.high, event.low) == (1, None, None)


def test_the_log_s_names_are_those_of_every_release() -> None:
    assert sorted(EVENT_TYPES) == [
        "AlarmRaised",
        "BalancesStarted",
        "DayStarted",
        "DiagnosisCompleted",
        "DustSetAside",
        "EquityPeaked",
        "ExternalChangeSeen",
        "InstrumentChanged",
        "OrderAccepted",
        "OrderCancelRequested",
        "OrderCanceled",
        "OrderExpired",
        "OrderFilled",
        "OrderIntended",
        "OrderNeedsHuman",
        "OrderNotPlaced",
        "OrderOutcomeUnknown",
        "OrderRejected",
        "OrderSubmitted",
        "PositionClosed",
        "PositionDated",
        "PositionImported",
        "PositionMarked",
        "PositionOpened",
        "PositionRepriced",
        "PositionTransferred",
        "PositionUnpriced",
        "PositionVoided",
        "ReconciliationCompleted",
        "RecoveryCompleted",
        "StopRaised",
        "StoreRestored",
        "StrategyArmed",
        "TradingStateChanged",
    ]


def test_an_arming_of_the_first_schema_still_opens() -> None:
    kept = b'{"schema":1,"generation":3,"strategy":"ema_cross"}'
    event = decode("StrategyArmed", kept)
    assert event == StrategyArmed(schema=1, generation=Generation(3), strategy="ema_cross")
    assert event.taught_since == {}


def test_an_arming_s_line_says_since_when_it_was_taught() -> None:
    armed = StrategyArmed(
        generation=Generation(1), strategy="ema_cross", taught_since={BTC_USDT: START}
    )
    _, fields = describe(recorded(armed))
    assert fields["taught_since"] == {"BTC/USDT": "2024-01-01T00:00:00.000000000Z"}


# Log lines --------------------------------------------------------------------------------


@every_event
def test_an_event_has_a_line_with_plain_fields(event: Event) -> None:
    level, fields = describe(recorded(event))
    assert level in {"debug", "info", "warning"}
    assert (fields["at"], fields["position"]) == ("2024-01-01T00:00:00.000000000Z", "p-1")
    json.dumps(fields)
    assert "schema" not in fields


@every_event
def test_an_event_has_a_sentence_without_an_idle_digit(event: Event) -> None:
    sentence = sentence_of(event)
    assert len(sentence) > len("word")
    assert "1.250" not in sentence
    assert "None" not in sentence
    assert sentence == sentence.strip(" :,")


def test_a_sentence_says_what_was_bought_at_what_price() -> None:
    event = decode("OrderFilled", encode(full(OrderFilled)))
    bought = "Bought 1.25 word at 1.25, fee 1.25 word"
    assert sentence_of(msgspec.structs.replace(event, not_ours=Decimal(0))) == bought
    assert sentence_of(event) == f"{bought}; 1.25 of it were the owner's coins"


def test_trading_that_goes_on_is_told_without_a_cause() -> None:
    resumed = TradingStateChanged(
        state=TradingState.ACTIVE, cause="", reason="resumed", is_flattening=False, equity=None
    )
    assert sentence_of(resumed) == "Trading is ACTIVE: resumed"


@pytest.mark.parametrize("kind", LOUD)
def test_what_a_person_should_not_miss_is_a_warning(kind: type[Event]) -> None:
    assert describe(recorded(full(kind)))[0] == "warning"


@pytest.mark.parametrize("name", ["OrderIntended", "OrderFilled", "OrderCanceled"])
def test_the_ordinary_steps_of_an_order_are_quiet(name: str) -> None:
    assert describe(recorded(full(EVENT_TYPES[name])))[0] == "debug"


@pytest.mark.parametrize("name", ["PositionOpened", "PositionClosed", "StrategyArmed"])
def test_the_story_of_a_position_is_told(name: str) -> None:
    assert describe(recorded(full(EVENT_TYPES[name])))[0] == "info"


def test_the_account_s_lines_name_no_position() -> None:
    _, fields = describe(recorded(full(TradingStateChanged), SYSTEM_POSITION))
    assert "position" not in fields


def test_figures_in_a_line_are_plain_digits() -> None:
    _, fields = describe(recorded(BalancesStarted(balances={USDT: Decimal("1E+3")})))
    assert fields["balances"] == {"USDT": "1000"}


def test_instants_in_a_line_are_written_as_people_read_them() -> None:
    _, fields = describe(recorded(DayStarted(day_started_at=START, equity=Decimal(1))))
    assert fields["day_started_at"] == "2024-01-01T00:00:00.000000000Z"


def test_an_intent_s_line_names_what_matters_of_it() -> None:
    _, fields = describe(recorded(full(OrderIntended)))
    assert set(fields) == {
        *("at", "position", "client_order_id", "symbol", "role", "side", "amount"),
        *("decision_price", "reason"),
    }


def found(*, is_healed: bool) -> Discrepancy:
    return Discrepancy(
        kind="external",
        symbol=BTC_USDT,
        subject="BTC",
        expected="1",
        found="2",
        action="",
        is_healed=is_healed,
    )


def reconciled(*discrepancies: Discrepancy, is_dry_run: bool = False) -> ReconciliationCompleted:
    return ReconciliationCompleted(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=0,
        discrepancies=discrepancies,
        is_dry_run=is_dry_run,
    )


def test_a_reconciliation_s_line_counts_what_it_found_and_healed() -> None:
    event = reconciled(found(is_healed=True), found(is_healed=False))
    level, fields = describe(recorded(event))
    assert (level, fields["discrepancies"], fields["healed"]) == ("warning", 2, 1)
    assert describe(recorded(reconciled()))[0] == "info"


def diagnosed(*statuses: str) -> DiagnosisCompleted:
    checks = tuple(CheckResult(check=f"c-{s}", status=s, details="") for s in statuses)
    return DiagnosisCompleted(generation=Generation(1), trigger="start", checks=checks)


def test_a_diagnosis_s_line_counts_its_checks_and_findings() -> None:
    _, fields = describe(recorded(diagnosed("ok", "finding", "fixed", "failed")))
    assert (fields["checks"], fields["findings"], fields["fixed"]) == (4, 3, 1)


def test_a_record_knows_its_instant() -> None:
    assert recorded(full(PositionMarked)).at == Instant(START)
