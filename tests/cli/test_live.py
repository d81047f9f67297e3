"""Live mode as a person meets it, against the local exchange: consents, a canary, errands."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.cli.live_place import keys_of, private_requests, settle
from tests.cli.place import Foreground, Place, Said, run_in
from tests.exchange_server.local import Local, in_thread

Start = Callable[..., Foreground]

CANARY = "[live]\ncanary_orders = 1\ncanary_notional = 20\n"
CONSENTS = ("--live (or AEGIS_LIVE=1)", "AEGIS_EXCHANGE__API_KEY", "AEGIS_EXCHANGE__SECRET")


class Lived(msgspec.Struct, frozen=True):
    """A folder in which AEGIS traded live until its canary was over, and what it said."""

    folder: Path
    lines: list[str]
    said: Said


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with in_thread(tmp_path_factory.mktemp("exchange")) as served:
        yield served


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, local: Local) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    settle(folder, local, more=CANARY)
    aegis = Foreground(folder, "run", "--live", environ=keys_of(local))
    try:
        aegis.wait_for("CanaryOver")
        aegis.wait_for("PositionOpened")
        return Lived(folder, aegis.lines, aegis.end())
    finally:
        aegis.clear()


@pytest.fixture
def live(place: Place, lived: Lived, local: Local, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the folder in which AEGIS has lived, with the keys."""
    shutil.copytree(lived.folder, place.folder, dirs_exist_ok=True)
    for name, value in keys_of(local).items():
        monkeypatch.setenv(name, value)
    return place


# Consents -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "reconcile", "diagnose", "flatten", "recover --yes"])
def test_each_consent_that_is_missing_is_named_in_one_line(
    place: Place, lived: Lived, command: str
) -> None:
    shutil.copytree(lived.folder, place.folder, dirs_exist_ok=True)
    said = place.say(*command.split())
    assert (said.code, said.out, said.err.count("\n")) == (78, "", 1)
    assert all(consent in said.err for consent in CONSENTS)


def test_a_check_of_the_settings_names_the_consents_that_a_start_still_wants(
    place: Place, local: Local
) -> None:
    settle(place.folder, local)
    said = place.say("config", "check")
    assert said.code == 0
    ok, note = said.out.splitlines()
    assert ok == "ok: live, exchange, BTC/USDT, beats:Beats"
    assert note.startswith("note: ")
    assert all(consent in note for consent in CONSENTS)


def test_a_check_with_the_word_of_a_start_ends_as_the_start_would(
    place: Place, local: Local
) -> None:
    settle(place.folder, local)
    said = place.say("config", "check", "--live")
    assert (said.code, said.out, said.err.count("\n")) == (78, "", 1)
    assert "AEGIS_EXCHANGE__API_KEY" in said.err
    assert place.say("config", "check", "--live", "--json").json["ok"] is False


@pytest.mark.parametrize("where", ["before", "after", "variable"])
def test_the_word_at_the_start_may_stand_anywhere(
    live: Place, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "variable":
        monkeypatch.setenv("AEGIS_LIVE", "1")
    before, after = ["--live"] * (where == "before"), ["--live"] * (where == "after")
    said = live.say(*before, "config", "check", *after)
    assert (said.code, said.out) == (0, "ok: live, exchange, BTC/USDT, beats:Beats\n")


def test_a_check_ends_as_the_start_would_where_what_is_held_is_configured_no_more(
    live: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_EXCHANGE__SYMBOLS", '["ETH/USDT"]')
    said = live.say("config", "check", "--live")
    assert (said.code, said.out) == (78, "")
    assert said == live.say("run", "--live")
    assert "BTC/USDT is held (position " in said.err


def test_a_check_tells_what_the_exchange_listed_when_it_was_last_asked(
    live: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_EXCHANGE__SYMBOLS", '["BTC/USDT", "ETH/USDT", "FOO/USDT"]')
    monkeypatch.setenv("AEGIS_LIVE__CANARY_NOTIONAL", "0.5")
    said = live.say("config", "check", "--live")
    assert said.code == 0
    ok, small, unknown = said.out.splitlines()
    assert ok.startswith("ok: live")
    least = "BTC/USDT: live.canary_notional = 0.5 is below the least order of 1 USDT (as cryptocom"
    assert small.startswith(f"note: {least}")
    assert unknown.startswith("note: FOO/USDT: the exchange does not trade it (as cryptocom")


def test_words_on_the_state_want_no_consent(place: Place, lived: Lived) -> None:
    shutil.copytree(lived.folder, place.folder, dirs_exist_ok=True)
    assert "canary" in place.say("resume").out  # refused for that, and no consent
    assert place.say("halt").code == 0
    assert place.say("status").code == 0


# A canary -----------------------------------------------------------------------------------


def test_a_live_start_says_whose_money_it_is_and_what_guards_it(lived: Lived) -> None:
    told = [line.split()[2] for line in lived.lines if " WARNING " in line]
    assert told[:4] == ["LiveTrading", "NothingRestsThere", "CanaryTrading", "KeyRightsUntold"]


def test_a_canary_costs_no_more_than_its_notional_and_halts_after_its_entries(
    live: Place, local: Local
) -> None:
    status = live.say("status", "--json").json
    assert (status["trading_state"], status["cause"]) == ("REDUCING", "canary")
    with local.ledger() as ledger:
        buys = [order for order in ledger.orders() if order.side == "BUY"]
    assert len(buys) == 1
    assert 0 < buys[0].value <= 20


# Errands ------------------------------------------------------------------------------------


def test_an_errand_at_the_exchange_is_done_and_says_so(live: Place) -> None:
    said = live.say("reconcile", "--live")
    assert (said.code, said.err) == (0, "")
    assert "discrepancies" in said.out


@pytest.mark.parametrize("command", ["reconcile", "diagnose", "recover"])
def test_a_dry_run_changes_nothing_at_the_exchange(live: Place, local: Local, command: str) -> None:
    before = private_requests(local)
    assert live.say(command, "--dry-run", "--live").code == 0
    after = private_requests(local)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed <= {
        "private/user-balance",
        "private/get-open-orders",
        "private/advanced/get-open-orders",
        "private/get-trades",
        "private/get-order-detail",
    }


@pytest.fixture
def unborn(place: Place, local: Local, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder with the settings and the keys, in which nothing has traded yet."""
    settle(place.folder, local)
    for name, value in keys_of(local).items():
        monkeypatch.setenv(name, value)
    return place


def test_the_account_can_be_asked_before_anything_trades_it(unborn: Place) -> None:
    said = unborn.say("reconcile", "--dry-run", "--live")
    assert (said.code, said.err) == (0, "")
    assert "cryptocom takes the key, and the account has " in said.out
    assert " USDT" in said.out
    assert not unborn.store.exists()


def test_a_first_look_wants_a_key_that_is_taken(
    unborn: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_EXCHANGE__SECRET", "another-secret")
    assert unborn.say("reconcile", "--dry-run", "--live").code == 77
    monkeypatch.delenv("AEGIS_EXCHANGE__SECRET")
    assert unborn.say("reconcile", "--dry-run", "--live").code == 78


def test_a_key_that_is_not_taken_is_77_in_one_line(
    live: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_EXCHANGE__SECRET", "another-secret")
    said = live.say("reconcile", "--live")
    assert (said.code, said.out, said.err.count("\n")) == (77, "", 1)
    assert said.err.startswith("cryptocom does not take the key: HTTP 401")


def test_a_first_look_wants_an_exchange_that_can_be_reached(unborn: Place) -> None:
    _point_elsewhere(unborn)
    assert unborn.say("reconcile", "--dry-run", "--live").code == 69


def test_a_flatten_is_in_the_books_though_nobody_can_be_reached(
    live: Place, local: Local, foreground: Start
) -> None:
    _point_elsewhere(live)
    leaving = foreground("flatten", "--live", **keys_of(local))
    leaving.wait_for("what AEGIS holds is sold")
    leaving.clear()
    status = live.say("status", "--json").json
    assert (status["trading_state"], status["is_flattening"]) == ("REDUCING", True)


def test_nobody_is_told_that_all_is_sold_where_the_settings_forbid_it(live: Place) -> None:
    settings = (live.folder / "config.toml").read_text()
    live.configure(settings.replace("[exchange]", '[exchange]\nsymbols = ["ETH/USDT"]'))
    said = live.say("flatten", "--live")
    assert (said.code, said.out, said.err.count("\n")) == (78, "", 1)
    assert said.err.startswith("BTC/USDT is held")


@pytest.mark.parametrize("command", ["reconcile", "recover --yes"])
def test_an_exchange_that_cannot_be_reached_is_69_in_one_line(live: Place, command: str) -> None:
    _point_elsewhere(live)
    said = live.say(*command.split(), "--live")
    assert (said.code, said.out, said.err.count("\n")) == (69, "", 1)
    assert said.err.startswith("cryptocom cannot be reached: ")


def _point_elsewhere(place: Place) -> None:
    """Have the settings name a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = (place.folder / "config.toml").read_text()
    was = settings.partition("127.0.0.1:")[2].partition("/")[0]
    place.configure(settings.replace(f":{was}/", f":{port}/"))


def test_an_import_is_refused_where_the_money_is_real(live: Place) -> None:
    said = live.say("import", "positions.json")
    assert (said.code, said.err.count("\n")) == (78, 1)
    assert not live.store.with_name("aegis.db.paper").exists()


# Whose store it is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "becomes", "key"),
    [
        ('mode = "live"', 'mode = "shadow"', "mode"),
        ('mode = "live"', 'mode = "paper"', "mode"),
        ('base_url = "http://127.0.0.1', 'sandbox = true\n#"', "market"),
        ("[exchange]", '[exchange]\naccount = "other"', "account"),
    ],
)
def test_a_live_store_opens_for_nothing_else(live: Place, was: str, becomes: str, key: str) -> None:
    live.configure((live.folder / "config.toml").read_text().replace(was, becomes))
    said = live.say("halt")
    assert said.code == 78
    assert key in said.err


# Prices alone -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["paper", "shadow"])
def test_who_trades_on_paper_never_asks_a_private_endpoint_though_keys_are_there(
    place: Place, local: Local, mode: str, foreground: Start
) -> None:
    settle(place.folder, local, mode=mode)
    before = private_requests(local)
    aegis = foreground("run", "--live", **keys_of(local))
    aegis.wait_for("PositionOpened")
    said = aegis.end()
    assert said.code == 0
    assert private_requests(local) == before
    assert local.control.requests()["public/get-tickers"] > 0


# What changes the account, and so comes last ---------------------------------------------------


@pytest.fixture(scope="module")
def flattened(tmp_path_factory: pytest.TempPathFactory, lived: Lived, local: Local) -> Lived:
    """Give a copy of the folder in which all was sold; the others do not know of it."""
    folder = tmp_path_factory.mktemp("flattened")
    shutil.copytree(lived.folder, folder, dirs_exist_ok=True)
    return Lived(folder, [], run_in(folder, "flatten", "--live", **keys_of(local)))


def test_an_old_copy_of_the_store_recovers_what_was_sold_since(
    live: Place, local: Local, flattened: Lived
) -> None:
    assert flattened.said.out.count("flat but for dust") == 1
    said = live.run("recover", "--yes", "--live", **keys_of(local))
    assert (said.code, said.err) == (0, "")
    with local.ledger() as ledger:
        (sale,) = [order for order in ledger.orders() if order.side == "SELL"]
    booked, compared = said.out.splitlines()
    assert booked.startswith(f"booked: sell {sale.filled} of ")
    assert sale.client_oid in booked
    assert compared == "0 discrepancies, nothing changed"
    assert live.say("status", "--json").json["positions"] == []


def test_a_canary_that_is_over_stays_so_over_a_restart_and_a_resume(
    live: Place, local: Local, flattened: Lived
) -> None:
    shutil.copytree(flattened.folder, live.folder, dirs_exist_ok=True)
    resumed = live.say("resume")
    assert resumed.code == 1
    assert "canary's 1 entries are sent" in resumed.out
    aegis = Foreground(live.folder, "run", "--live", environ=keys_of(local))
    try:
        aegis.wait_for("StrategyArmed")
        aegis.end()
    finally:
        aegis.clear()
    with local.ledger() as ledger:
        assert sum(order.side == "BUY" for order in ledger.orders()) == 1
