"""`at`: how things were, from a terminal."""

from __future__ import annotations

import pytest
import typer

from aegis.cli.past import SHOWN_MAX
from aegis.cli.points import point_of
from aegis.domain.instants import instant_of
from aegis.store.past import ORDER_VIEW, POSITION_VIEW
from tests.cli.place import Place
from tests.store.big_stores import make_big_store
from tests.store.histories import History, open_store


@pytest.fixture
def lived(place: Place) -> Place:
    """Give a place whose store has a random, lawful history of some two hundred events."""
    store = open_store(place.store, is_kept=False)
    history = History(1, store.book)
    store.commit((*history.open_position(), *history.happen(300)), history.book)
    store.close()
    return place


def test_at_the_last_event_things_are_as_they_are(lived: Place) -> None:
    status = lived.say("status", "--json").json
    past = lived.say("at", str(status["events"]), "--json").json
    assert past["hash"] == status["head_hash"]
    assert past["balances"] == status["balances"]
    assert past["trading_state"] == status["trading_state"]
    present = [{name: view[name] for name in POSITION_VIEW} for view in status["positions"]]
    assert [{name: view[name] for name in POSITION_VIEW} for view in past["positions"]] == present
    orders = {view["client_order_id"]: view for view in status["orders"]}
    assert {view["client_order_id"]: view for view in past["orders"]} == orders
    assert all(set(view) == set(ORDER_VIEW) for view in orders.values())
    assert present
    assert orders


def test_a_time_is_as_good_as_the_number_of_its_event(lived: Place) -> None:
    by_number = lived.say("at", "50", "--json").json
    assert lived.say("at", by_number["at"], "--json").json == by_number


def test_people_read_it_as_a_status_of_then(lived: Place) -> None:
    said = lived.say("at", "7")
    assert said.out.startswith("After      event 7 at 2023-11-14T22:")
    assert "BTC/USDT" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("point", "nearest"),
    [
        ("0", "That is before the first event: run.py at 1 (2023-11-14T22:13:2"),
        ("2020-01-01", "That is before the first event: run.py at 1 (2023-11-14T22:13:2"),
        ("9999999", "That is after the last event: run.py at "),
        ("9" * 30, "That is after the last event: run.py at "),
        ("1970-01-01", "That is before the first event: run.py at 1 (2023-11-14T22:13:2"),
        ("2090-01-01T10:00", "That is after the last event: run.py at "),
    ],
)
def test_where_there_was_nothing_the_nearest_event_is_named(
    lived: Place, point: str, nearest: str
) -> None:
    said = lived.say("at", point)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(nearest)
    assert said.err.count("\n") == 1


def test_an_empty_store_was_never_anything(place: Place) -> None:
    open_store(place.store).close()
    said = place.say("at", "1")
    assert (said.code, said.err) == (1, "There is no event yet, so nothing was ever so\n")


def test_without_a_store_there_is_no_past(place: Place) -> None:
    said = place.say("at", "1")
    assert said.code == 1
    assert "No store yet" in said.out
    assert place.say("at", "1", "--json").out == "null\n"


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "-1",
        "2024-13-01",
        "2024-01-01T10:00+02:00",
        "1.5",
        "",
        "1e6",
        "2024-01-01T10:00:00.1234567891",
        "2024-W01-1",
        "2024-001",
        "20240101T1000",
        "\u0662\u0660\u0662\u0664-01-01",
        "\u0661\u0662",
        "2024-01-01T10:00:05.\u0665",
        "1900-01-01",
        "9999-12-31T23:59:59",
    ],
)
def test_what_is_no_point_is_a_usage_error_that_says_what_is(lived: Place, text: str) -> None:
    said = lived.say("at", "--", text)
    assert said.code == 2
    assert "2025-01-31" in said.err
    assert "from 1970 to 9998" in " ".join(said.err.split())


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-31", "2024-01-31T00:00:00.000000000Z"),
        ("2024-01-31T10:00", "2024-01-31T10:00:00.000000000Z"),
        ("2024-01-31 10:00:05", "2024-01-31T10:00:05.000000000Z"),
        ("2024-01-31T10:00:05.25Z", "2024-01-31T10:00:05.250000000Z"),
        ("2024-01-31T10:00:05.123456789Z", "2024-01-31T10:00:05.123456789Z"),
    ],
)
def test_a_time_is_read_to_the_nanosecond(text: str, instant: str) -> None:
    point = point_of(text, "at")
    assert (point.value, point.is_time) == (instant_of(instant), True)


def test_a_number_is_an_event_even_where_it_could_be_a_year() -> None:
    assert not point_of("2024", "at").is_time
    with pytest.raises(typer.BadParameter):
        point_of("2024-1-1", "at")


def test_of_many_positions_people_see_a_few_and_programs_all(place: Place) -> None:
    make_big_store(place.store, events=200, positions=25)
    said = place.say("at", "200")
    assert said.out.splitlines()[-1] == "The 20 eldest of each; --json has all of them"
    assert len(place.say("at", "200", "--json").json["positions"]) == 25
    assert SHOWN_MAX == 20
