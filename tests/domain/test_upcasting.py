"""What a release ever wrote is read for ever: each shape has an example, and each example reads.

`released_events.txt` has a line for every type of event and every shape of it that was released:
the name, and the bytes as they were stored. Lines are added, never changed or taken away.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aegis.domain.codec import SCHEMAS, decode, encode
from aegis.domain.events import (
    EVENT_TYPES,
    PositionClosed,
    StopRaised,
)
from aegis.domain.upcasting import UPCASTS, Fields, upcast

EXAMPLES = [
    (name, text.encode())
    for name, _, text in (
        line.partition(" ")
        for line in Path(__file__).with_name("released_events.txt").read_text("utf-8").splitlines()
    )
]


def schema_of(data: bytes) -> int:
    return int(json.loads(data)["schema"])


def is_part(stored: Any, read: Any) -> bool:
    """Say whether all that was stored is in what was read, figure by figure."""
    if isinstance(stored, dict):
        return all(key in read and is_part(each, read[key]) for key, each in stored.items())
    if isinstance(stored, list):
        return len(stored) == len(read) and all(map(is_part, stored, read))
    return bool(stored == read)


@pytest.mark.parametrize(("name", "data"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_what_was_released_still_reads_and_nothing_of_it_is_lost(name: str, data: bytes) -> None:
    event = decode(name, data)
    assert isinstance(event, EVENT_TYPES[name])
    if (name, schema_of(data)) not in UPCASTS:
        assert is_part(json.loads(data), json.loads(encode(event)))


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_schema_of_every_type_has_an_example(name: str) -> None:
    told = {schema_of(data) for each, data in EXAMPLES if each == name}
    assert told == set(range(1, SCHEMAS[name] + 1)), "add a line to released_events.txt"


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_the_shape_that_is_written_today_has_an_example(name: str) -> None:
    """A field that was added wants a line of its own: here an example has each field."""
    newest = [data for each, data in EXAMPLES if each == name]
    assert any(encode(decode(name, data)) == data for data in newest), "add a line"


def test_no_example_is_of_a_type_that_is_not_there() -> None:
    assert {name for name, _ in EXAMPLES} == set(EVENT_TYPES)


def test_what_a_newer_program_wrote_is_refused_and_not_guessed() -> None:
    with pytest.raises(msgspec.ValidationError, match="a newer AEGIS wrote it"):
        decode("StopRaised", b'{"schema":9,"stop_price":"1","price":"1","venue":"x"}')


# The rehearsal: shapes from before the first ------------------------------------------------


def renamed(fields: Fields) -> Fields:
    """Return schema 0's fields as schema 1 has them: the stop had another name."""
    return {"stop_price": fields["level"], "price": fields["price"]}


def split(fields: Fields) -> Fields:
    """Return schema -1's fields as schema 0 has them: both figures were one text."""
    level, price = fields["at"].split("@")
    return {"level": level, "price": price}


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPCASTS, ("StopRaised", 0), renamed)
    monkeypatch.setitem(UPCASTS, ("StopRaised", -1), split)


@pytest.mark.usefixtures("ways")
def test_an_older_shape_is_read_as_the_newest() -> None:
    event = decode("StopRaised", b'{"schema":0,"level":"91.680","price":"95"}')
    assert encode(event) == b'{"schema":1,"stop_price":"91.680","price":"95"}'


@pytest.mark.usefixtures("ways")
def test_the_oldest_shape_takes_every_way_in_a_row() -> None:
    event = decode("StopRaised", b'{"schema":-1,"at":"91.680@95"}')
    assert encode(event) == b'{"schema":1,"stop_price":"91.680","price":"95"}'


@pytest.mark.usefixtures("ways")
def test_the_newest_shape_goes_no_way() -> None:
    data = b'{"schema":1,"stop_price":"91.68","price":"95"}'
    assert encode(decode("StopRaised", data)) == data
    assert isinstance(decode("StopRaised", data), StopRaised)


def test_a_shape_that_reads_as_the_newest_goes_its_way_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its fields are the same, and what one of them means is not."""
    monkeypatch.setitem(UPCASTS, ("PositionClosed", 0), lambda f: {**f, "pnl": "-" + f["pnl"]})
    event = decode("PositionClosed", b'{"schema":0,"symbol":"BTC/USDT","pnl":"5","reason":""}')
    assert isinstance(event, PositionClosed)
    assert str(event.pnl) == "-5"


@pytest.mark.parametrize("schema", ["[1]", '"0"', "null", "{}", "1.5"])
def test_a_schema_that_is_no_number_is_corruption(schema: str) -> None:
    data = f'{{"schema":{schema},"stop_price":"1","price":"1"}}'.encode()
    with pytest.raises(msgspec.ValidationError):
        decode("StopRaised", data)


def test_a_shape_without_a_way_is_corruption() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode("StopRaised", b'{"schema":0,"level":"91.68","price":"95"}')
    assert upcast("StopRaised", {"schema": 0}) is None
