"""`run.py import`: positions of another system, their coins, and what a person is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from aegis.domain.ids import Coin
from aegis.exchange.paper_ledger import Change, open_ledger, read_ledger
from aegis.store.reading import read_positions, read_status
from aegis.store.verify import verify
from tests.cli.place import Foreground, Place
from tests.paper_hand import main as by_hand
from tests.store.looking import read_history

STATE: Mapping[str, object] = {
    "positions": {
        "BTC/USDT": {
            "side": "long",
            "entry_price": 40123.45,
            "amount": 0.05,
            "stop_loss": 39000.0,
            "timestamp": "2023-10-20T10:00:00",
        },
        "ETH/USDT": {"entry_price": 2500, "amount": 0.8},
    },
    "balance": 1000,
}
TWO = '[exchange]\nsymbols = ["BTC/USDT", "ETH/USDT"]\n'


@pytest.fixture
def old(place: Place) -> Path:
    """The old system's state in a folder that trades both symbols."""
    place.configure(TWO)
    path = place.folder / "old.json"
    path.write_text(json.dumps(STATE))
    return path


def ledger(place: Place) -> dict[str, Decimal]:
    balances = read_ledger(place.store.with_name("aegis.db.paper")).balances
    return {str(coin): held for coin, held in balances.items()}


def open_symbols(place: Place) -> list[object]:
    return [row["symbol"] for row in read_positions(place.store, "OPEN")]


def test_the_old_state_comes_in_with_its_coins(place: Place, old: Path) -> None:
    said = place.say("import", old.name)
    assert said.code == 0
    assert "imported 2 positions" in said.out
    assert "into the paper account came: 0.05 BTC, 0.8 ETH" in said.out
    bitcoin, ether = sorted(read_positions(place.store), key=lambda row: str(row["symbol"]))
    assert (bitcoin["entry_price"], bitcoin["stop_price"]) == ("40123.45", "39000")
    assert (ether["amount"], ether["stop_price"]) == ("0.8", "2450")
    assert {bitcoin["created_by"], ether["created_by"]} == {"import"}
    assert str(bitcoin["opened_at"]).startswith("2023-10-20T10:00:00")
    assert ledger(place) == {
        "USDT": Decimal(10_000), "BTC": Decimal("0.05"), "ETH": Decimal("0.8"),
    }  # fmt: skip
    assert verify(place.store).ok


def test_what_would_come_in_is_shown_before_and_what_stays_behind_is_told(
    place: Place, old: Path
) -> None:
    said = place.say("import", old.name)
    before, _, _ = said.out.partition("imported")
    assert "BTC/USDT" in before
    assert "39,000.00" in before
    assert said.err.splitlines() == [
        "old.json: beside positions, left out: balance",
        "old.json: positions.ETH/USDT: no stop told: it gets that of [risk], 2450",
    ]


def test_a_dry_run_shows_all_of_it_and_leaves_nothing(place: Place, old: Path) -> None:
    before = place.names()
    said = place.say("import", old.name, "--dry-run")
    assert said.code == 0
    assert "would import 2 positions" in said.out
    assert place.names() == before
    place.say("import", old.name)
    written = read_status(place.store).head_hash
    assert place.say("import", old.name, "--dry-run").code == 1
    assert read_status(place.store).head_hash == written


def test_the_next_reconciliation_finds_nothing_missing(place: Place, old: Path) -> None:
    place.say("import", old.name)
    said = place.say("reconcile")
    assert (said.code, said.out) == (0, "0 discrepancies, nothing changed\n")
    assert read_status(place.store).account.balances == ledger(place)


def test_the_same_file_twice_is_refused_whole(place: Place, old: Path) -> None:
    place.say("import", old.name)
    before, held = read_status(place.store).head_hash, ledger(place)
    said = place.say("import", old.name)
    assert said.code == 1
    refused = said.err.splitlines()[-2:]
    assert all("was imported already: position" in line for line in refused)
    assert [line.split(": ")[1] for line in refused] == ["positions.BTC/USDT", "positions.ETH/USDT"]
    assert (read_status(place.store).head_hash, ledger(place)) == (before, held)


def test_one_position_that_is_there_already_keeps_all_others_out(place: Place, old: Path) -> None:
    (place.folder / "first.csv").write_text("symbol,amount,entry_price\nETH/USDT,1,2000\n")
    place.say("import", "first.csv")
    said = place.say("import", old.name)
    assert said.code == 1
    assert "positions.ETH/USDT: ETH/USDT has position" in said.err
    assert open_symbols(place) == ["ETH/USDT"]
    assert "BTC" not in ledger(place)


def test_what_was_imported_and_is_closed_by_now_does_not_come_again(
    place: Place, old: Path
) -> None:
    place.say("import", old.name)
    assert place.say("flatten").code == 0
    said = place.say("import", old.name)
    assert said.code == 1
    assert "was imported already" in said.err
    assert "CLOSED" in said.err


def test_coins_that_the_account_has_and_the_books_do_not_know_are_taken(
    place: Place, old: Path
) -> None:
    (place.folder / "first.csv").write_text("symbol,amount,entry_price\nETH/USDT,0.8,2500\n")
    place.say("import", "first.csv")
    old.write_text("symbol,amount,entry_price\nBTC/USDT,0.05,40000\n")
    _as_if_killed_after_the_deposit(place, "BTC", "0.05")
    said = place.say("import", old.name)
    assert said.code == 0
    assert "into the paper account" not in said.out
    assert ledger(place)["BTC"] == Decimal("0.05")
    assert place.say("reconcile").out == "0 discrepancies, nothing changed\n"


def _as_if_killed_after_the_deposit(place: Place, coin: str, amount: str) -> None:
    path = place.store.with_name("aegis.db.paper")
    with closing(open_ledger(path, {}, "simulated:1", may_create=False)) as books:
        held = {Coin(coin): Decimal(amount)}
        books.write(Change(at=books.last_instant, balances=held))


@pytest.mark.parametrize("amount", ["0.05", "0.02"])
def test_what_is_sold_by_hand_of_an_import_is_booked_at_its_price(
    place: Place, old: Path, amount: str
) -> None:
    place.say("import", old.name)
    path = place.folder / "config.toml"
    sold = by_hand(["--config", str(path), "sell", "BTC/USDT", amount, "--price", "41123.45"])
    assert sold == 0
    said = place.say("reconcile")
    assert said.code == 0, said.out
    (found,) = [row for row in read_positions(place.store) if row["symbol"] == "BTC/USDT"]
    assert (found["status"] == "CLOSED") is (amount == "0.05")
    assert read_status(place.store).account.balances == ledger(place)


def test_every_fault_of_a_file_is_told_at_once_and_no_store_is_made(place: Place) -> None:
    place.configure(TWO)
    rows = "symbol,amount,entry_price\nBTC/USDT,x,40000\nSOL/USDT,1,20\nETH/USDT,1,-1\n"
    (place.folder / "bad.csv").write_text(rows)
    said = place.say("import", "bad.csv")
    assert said.code == 78
    assert [line.partition(": expected")[0] for line in said.err.splitlines()] == [
        "bad.csv: line 2.amount", "bad.csv: line 3.symbol", "bad.csv: line 4.entry_price",
    ]  # fmt: skip
    assert not place.store.exists()


@pytest.mark.parametrize(
    ("content", "code"), [(None, 1), ("", 78), ("{", 78), ('{"positions": {}}', 78)]
)
def test_a_file_that_is_none_is_one_line_and_no_traceback(
    place: Place, content: str | None, code: int
) -> None:
    if content is not None:
        (place.folder / "old.json").write_text(content)
    said = place.say("import", "old.json")
    assert (said.code, len(said.err.splitlines())) == (code, 1)
    assert said.err.startswith("old.json: ")


def test_a_file_in_which_everything_is_closed_is_an_answer_of_no(place: Place) -> None:
    (place.folder / "old.csv").write_text(
        "symbol,amount,entry_price,status\nBTC/USDT,1,40000,closed\n"
    )
    said = place.say("import", "old.csv")
    assert said.code == 1
    assert said.err.splitlines()[-1] == "old.csv: nothing in it is open"


def test_a_stop_that_the_market_here_has_passed_is_told_before_anything_runs(place: Place) -> None:
    (place.folder / "real.csv").write_text(
        "symbol,amount,entry_price,stop_loss\nBTC/USDT,0.01,110000,105000\n"
    )
    said = place.say("import", "real.csv", "--dry-run")
    assert said.code == 0
    assert "at or below its stop of 105000: it is left as soon as AEGIS runs" in said.out


def test_an_import_of_a_finer_lot_than_the_exchange_s_can_be_left(place: Place) -> None:
    place.configure('[exchange]\nsymbols = ["BTC/USDT", "SOL/USDT"]\n')
    (place.folder / "real.csv").write_text("symbol,amount,entry_price\nSOL/USDT,3.1234,100.5\n")
    assert place.say("import", "real.csv").code == 0
    said = place.say("flatten")
    assert (said.code, open_symbols(place)) == (0, [])
    assert "flat but for dust: 0.0004 SOL" in said.out


def test_an_import_is_worth_what_the_market_here_says_so_it_is_no_loss(place: Place) -> None:
    place.configure("[risk]\nstop_loss_pct = 0\ntake_profit_pct = 0\n")
    (place.folder / "real.csv").write_text("symbol,amount,entry_price\nBTC/USDT,0.1,110000\n")
    place.say("import", "real.csv")
    (held,) = read_positions(place.store)
    assert Decimal(str(held["current_price"])) < 60_000
    assert Decimal(str(held["entry_price"])) == 110_000


@pytest.mark.parametrize(("entry_price", "is_told"), [("0.5", True), ("70000", False)])
def test_a_market_here_that_is_far_from_the_file_s_price_is_told(
    place: Place, entry_price: str, *, is_told: bool
) -> None:
    rows = f"symbol,amount,entry_price\nBTC/USDT,10,{entry_price}\n"
    (place.folder / "real.csv").write_text(rows)
    said = place.say("import", "real.csv", "--dry-run")
    assert said.code == 0
    assert (f"far from the {entry_price} of the file" in said.out) is is_told


def test_json_has_exact_figures_and_nothing_else_on_stdout(place: Place, old: Path) -> None:
    told = place.say("import", old.name, "--json").json
    assert (told["is_done"], told["is_dry_run"]) == (True, False)
    bitcoin = told["positions"][0]
    assert (bitcoin["amount"], bitcoin["entry_price"], bitcoin["place"]) == (
        "0.05",
        "40123.45",
        "old.json: positions.BTC/USDT",
    )


def test_the_log_tells_of_each_position(place: Place, old: Path) -> None:
    place.say("import", old.name)
    lines = [json.loads(line) for line in place.log.read_text().splitlines()]
    told = [line for line in lines if line["event"] == "PositionImported"]
    assert [line["symbol"] for line in told] == ["BTC/USDT", "ETH/USDT"]
    assert told[0]["opened_at"] == "2023-10-20T10:00:00.000000000Z"
    assert told[0]["reference"] == "old.json: positions.BTC/USDT"


def test_while_aegis_runs_nothing_is_imported(
    place: Place, old: Path, foreground: Callable[..., Foreground]
) -> None:
    foreground().wait_for("StrategyArmed")
    said = place.say("import", old.name)
    assert said.code == 75
    assert "stop it, import, start it again" in said.err
    assert not [event for event in read_history(place.store) if "Imported" in str(event)]


def test_an_import_beside_the_account_of_another_store_is_refused(place: Place, old: Path) -> None:
    place.say("import", old.name)
    for path in place.store.parent.glob("aegis.db*"):
        if not path.name.endswith(".paper"):
            path.unlink()
    said = place.say("import", old.name)
    assert said.code == 78
    assert "belongs to another store" in said.err


EUROS = '[exchange]\nsymbols = ["BTC/EUR"]\n[paper]\nbalances = {EUR = "10000"}\n'


def test_neither_an_import_nor_a_run_adds_another_quote_coin_to_a_store(
    place: Place, old: Path
) -> None:
    assert place.say("import", old.name).code == 0
    place.configure(EUROS)
    old.write_text(json.dumps([{"symbol": "BTC/EUR", "entry_price": 40000, "amount": "0.05"}]))
    events = len(read_history(place.store))
    for command in (("import", old.name), ("halt",), ("run",)):
        said = place.say(*command)
        assert said.code == 78
        assert "Expected a store of quote coin EUR, found one of quote coin USDT" in said.err
    assert len(read_history(place.store)) == events


@pytest.mark.parametrize("options", [("--dry-run",), ()], ids=["dry run", "import"])
def test_a_first_day_that_is_still_to_come_is_told(
    place: Place, old: Path, options: tuple[str, ...]
) -> None:
    late = {"symbol": "BTC/USDT", "entry_price": 40000, "amount": "0.05", "opened_at": "2099-01-01"}
    old.write_text(json.dumps([late]))
    said = place.say("import", old.name, *options)
    assert said.code == 0
    assert "BTC/USDT: opened at 2099-01-01T00:00:00" in said.out
    assert "its first day here is that of the import" in said.out
