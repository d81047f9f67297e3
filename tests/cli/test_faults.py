"""What a person gets wrong, through the command line: lines on stderr, a code, no traceback."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.base import outcome_of
from aegis.cli.codes import Code, expected_errors, trouble_of
from aegis.cli.settings import Rereading, load_config
from aegis.clock import wall_text
from aegis.config.faults import ConfigFaults, Fault
from aegis.exchange.paper_ledger import LedgerError, LedgerMismatchError
from aegis.exchange.replay import ReplayFaults
from aegis.log.logger import configure
from aegis.store.errors import (
    NoStore,
    StoreBusy,
    StoreCorrupt,
    StoreFailed,
    StoreForeign,
    StoreForked,
    StoreTooNew,
)
from aegis.strategy_loader import StrategyFault
from tests.cli.place import Place

STORE = Path("data/aegis.db")

COMMANDS = (("run",), ("status",), ("verify",), ("config", "check"), ("halt",))

MINE = """
class Mine:
    warmup = 0
    def __init__(self, params): {init}
    def on_candle(self, candle, *, is_holding): ...
"""

CONFIGS = {
    "no TOML": ("mode =", "config.toml:1"),
    "an unknown key": ("[risk]\nstop_los_pct = 2", "config.toml:2: risk.stop_los_pct"),
    "out of range": ("[market]\nspeed = -1", "config.toml:2: market.speed"),
    "of another type": ('[store]\npath = ""\n[sizing]\nvalue = "x"', "config.toml:4: sizing.value"),
    "a secret in the file": ('[exchange]\napi_key = "abcdefgh"', "AEGIS_EXCHANGE__API_KEY"),
    "an entry above its limit": (
        "[risk]\norder_notional_max = 50\n[sizing]\nvalue = 50.01",
        "config.toml:4: sizing.value: expected at most risk.order_notional_max (50)",
    ),
    "a replay without a file": ('[market]\nsource = "replay"', "market.path"),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_bad_config_is_a_fault_for_every_command(
    place: Place, command: tuple[str, ...], name: str
) -> None:
    text, expected = CONFIGS[name]
    place.configure(text)
    said = place.say(*command)
    assert said.code == 78
    assert expected in said.err
    assert said.out == ""
    assert place.names() == {"config.toml"}


def test_all_faults_come_at_once_one_a_line(place: Place) -> None:
    place.configure('mode = "papre"\n[risk]\nstop_loss_pct = 200\ntake_profit_pct = "much"\n')
    said = place.say("run")
    assert [line.split(": ")[0] for line in said.err.splitlines()] == [
        "config.toml:1",
        "config.toml:3",
        "config.toml:4",
    ]


def test_a_secret_that_stands_in_the_file_is_not_shown(place: Place) -> None:
    place.configure('[exchange]\nsecret = "hunter2hunter2"\n')
    said = place.say("config", "check", "--json")
    assert said.code == 78
    assert "hunter2" not in said.out + said.err
    assert said.json["ok"] is False


@pytest.mark.parametrize("mode", ["live", "shadow"])
@pytest.mark.parametrize("command", [("run",), ("config", "check")], ids=" ".join)
def test_money_is_traded_on_real_prices_alone(
    place: Place, command: tuple[str, ...], mode: str
) -> None:
    place.configure(f'mode = "{mode}"\n')
    said = place.say(*command)
    assert said.code == 78
    assert said.err.count("\n") == 1
    assert 'expected "paper", or market.source = "exchange"' in said.err
    assert place.names() == {"config.toml"}


def test_a_named_file_that_is_absent_is_a_fault(place: Place) -> None:
    said = place.say("status", "--config", "mine.toml")
    assert said.code == 78
    assert said.err.startswith("mine.toml: ")


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_config_may_be_named_before_or_after_the_command(place: Place, where: str) -> None:
    (place.folder / "mine.toml").write_text("[market]\nspeed = 7\n")
    named = ("--config", "mine.toml")
    said = place.say(*(named if where == "before" else ()), "config", "show", "--json",
                     *(named if where == "after" else ()))  # fmt: skip
    assert said.json["market"]["speed"] == 7


@pytest.mark.parametrize(
    "arguments",
    [("--nonsense",), ("run", "--fast"), ("history", "--limit", "0"), ("config", "chek"), ("a b",)],
    ids=" ".join,
)
def test_a_usage_error_is_two_and_goes_to_stderr(place: Place, arguments: tuple[str, ...]) -> None:
    said = place.say(*arguments)
    assert said.code == 2
    assert said.out == ""
    assert "Usage" in said.err


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("value = undefined", "mine:Mine", "NameError"),
        ("\ndef broken(:", "mine:Mine", "cannot import mine: invalid syntax, at mine.py:2"),
        ("raise RuntimeError('no')", "mine:Mine", "RuntimeError: no"),
        ("class Other: ...", "mine:Mine", "no class Mine"),
        ("class Mine: ...", "mine:Mine", "expected __init__(self, params): too many"),
        ("class Mine:\n    def __init__(self, params): assert params", "mine:Mine", "Assertion"),
        ("class Mine:\n    def __init__(self, params): ...", "mine:Mine", "warmup, on_candle"),
        ("", "nobody:Mine", "nobody"),
        ("raise Exception('no')", "mine:Mine", "Exception: no"),
        ("raise SystemExit(0)", "mine:Mine", "SystemExit: 0"),
        ("import sys; sys.exit(3)", "mine:Mine", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "mine:Mine", "KeyboardInterrupt"),
        ("class Own(BaseException): ...\nraise Own('no')", "mine:Mine", "Own: no"),
        (
            "class Mute(Exception):\n    def __str__(self): raise self\nraise Mute",
            "mine:Mine",
            "Mute: (its message cannot be read)",
        ),
        (MINE.format(init="raise ValueError('one\\n\\ntwo')"), "mine:Mine", "one; two"),
        (MINE.format(init="raise SystemExit(0)"), "mine:Mine", "SystemExit: 0 at mine.py"),
        (MINE.format(init="self.warmup = -1"), "mine:Mine", "0 to 5000 as warmup, was -1"),
        (MINE.format(init="self.warmup = 5001"), "mine:Mine", "as warmup, was 5001"),
        (MINE.format(init="self.warmup = True"), "mine:Mine", "as warmup, was True"),
        (MINE.format(init="self.warmup = '3'"), "mine:Mine", "as warmup, was '3'"),
        (MINE.format(init="self.on_candle = 3"), "mine:Mine", "on_candle to be a method, was 3"),
        (MINE.format(init="self.period_s = 0"), "mine:Mine", "as period_s, was 0"),
        (MINE.format(init="self.period_s = 1.5"), "mine:Mine", "as period_s, was 1.5"),
    ],
)
def test_a_broken_strategy_keeps_it_from_running_but_not_from_looking(
    place: Place, module: str, name: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    (place.folder / "mine.py").write_text(module)
    place.configure(f'[strategy]\nname = "{name}"\n')
    said = place.say("run")
    assert said.code == 78
    assert expected in said.err
    assert said.err.count("\n") == 1
    assert place.say("status").code == 0
    assert place.names() == {"mine.py", "config.toml"}


@pytest.mark.parametrize(
    ("name", "event"),
    [("unread:Mine", "ConfigRead"), ("unread:", "ConfigKept"), ("nonsense", "ConfigKept")],
)
def test_reading_the_settings_again_runs_no_code_of_a_persons(
    place: Place, name: str, event: str
) -> None:
    path = place.folder / "config.toml"
    config = load_config(path, {}, is_trading=True, shield=outcome_of)
    (place.folder / "unread.py").write_text("raise SystemExit(0)")
    place.configure(f'[strategy]\nname = "{name}"\n')
    console = io.StringIO()
    log = configure(place.log, "info", 1, 1, console=console, now_text=wall_text)
    Rereading(config, path, {}, log)()
    log.close()
    assert event in console.getvalue()
    assert "unread" not in sys.modules


@pytest.mark.parametrize("path", ["config.toml/aegis.db", "/proc/nowhere/aegis.db", "."])
def test_a_store_that_cannot_be_made_is_told_in_one_line(place: Place, path: str) -> None:
    place.configure(f'[store]\npath = "{path}"\n')
    said = place.say("run")
    assert said.code == 78
    assert "store.path: expected " in said.err
    assert said.err.count("\n") == 1


WRONG_PATHS = {
    "a name too long for its companions": "x" * 254,
    "a folder's name too long": f"{'x' * 300}/aegis.db",
    "a path too long": "/".join(["x" * 100] * 6),
    "a folder": ".",
    "below a file": "config.toml/aegis.db",
    "the settings": "config.toml",
    "the candles": "candles.csv",
}
LOOKS = (
    *(("status",), ("verify",), ("health",), ("positions",), ("history",), ("halt",)),
    *(("statistics",), ("report", "--html", "page.html")),
)


@pytest.mark.parametrize("key", ["store", "log"])
@pytest.mark.parametrize("name", WRONG_PATHS)
@pytest.mark.parametrize("command", [("run",), ("config", "check"), *LOOKS], ids=" ".join)
def test_a_path_that_cannot_be_is_one_line_for_every_command(
    place: Place, command: tuple[str, ...], name: str, key: str
) -> None:
    market = '[market]\nsource = "replay"\npath = "candles.csv"\n'
    place.configure(f'{market}[{key}]\npath = "{WRONG_PATHS[name]}"\n')
    (place.folder / "candles.csv").write_text("")
    said = place.say(*command)
    assert said.code == 78
    assert said.err.startswith(f"config.toml:5: {key}.path: expected ")
    assert said.err.count("\n") == 1
    assert place.names() == {"config.toml", "candles.csv"}


@pytest.mark.parametrize("command", [("run",), *LOOKS], ids=" ".join)
def test_a_store_is_no_device(place: Place, command: tuple[str, ...]) -> None:
    place.configure('[store]\npath = "/dev/null"\n')
    said = place.say(*command)
    assert said.code == 78
    assert "store.path: expected a file, not a device" in said.err


BESIDE = ("", "-wal", "-shm", ".lock", ".mark", ".sock", ".paper", ".paper-wal")


@pytest.mark.parametrize("ending", BESIDE)
def test_the_log_is_none_of_the_stores_files(place: Place, ending: str) -> None:
    place.configure(f'[log]\npath = "data/aegis.db{ending}"\n')
    said = place.say("run")
    assert said.code == 78
    assert said.err.startswith("config.toml:2: log.path: expected another file than ")
    assert place.names() == {"config.toml"}


def test_the_store_is_no_log_that_was_set_aside(place: Place) -> None:
    place.configure('[store]\npath = "data/aegis.log.2"\n')
    assert "log.path: expected another file than" in place.say("status").err


def refused_below(folder: Path, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(path: Path | str, *given: Any, **named: Any) -> Any:
        if str(path).startswith(str(folder)):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *given, **named)

    return call


@pytest.mark.parametrize("command", [("run",), *LOOKS], ids=" ".join)
def test_what_may_not_be_looked_at_is_a_matter_of_permissions(
    place: Place, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stat", "mkdir", "read_bytes"):
        monkeypatch.setattr(Path, name, refused_below(place.store.parent, getattr(Path, name)))
    monkeypatch.setattr(os, "open", refused_below(place.store.parent, os.open))
    said = place.say(*command)
    assert said.code == 77
    assert "Permission denied" in said.err
    assert said.err.count("\n") == 1


TROUBLES: tuple[tuple[Exception, Code], ...] = (
    (ConfigFaults((Fault("config.toml:1", "mode", "expected"),)), Code.CONFIG),
    (ReplayFaults(("candles.csv:2: close",), 1), Code.CONFIG),
    (StrategyFault("expected"), Code.CONFIG),
    (StoreForeign("mode", "paper", "live"), Code.CONFIG),
    (StoreTooNew(STORE, 9, 2), Code.CONFIG),
    (LedgerMismatchError("expected"), Code.CONFIG),
    (StoreBusy(17, STORE), Code.BUSY),
    (StoreBusy(None, STORE), Code.BUSY),
    (StoreCorrupt("mark", "text"), Code.CORRUPT),
    (StoreFailed("commit", "full"), Code.NO),
    (StoreForked("a", "b"), Code.NO),
    (NoStore(STORE), Code.NO),
    (LedgerError("unreadable"), Code.NO),
    (PermissionError(13, "Permission denied", "data"), Code.NO_PERMISSION),
    (OSError(errno.EROFS, "Read-only file system", "data"), Code.NO_PERMISSION),
    (OSError(28, "No space left on device", "data"), Code.NO),
)


@pytest.mark.parametrize(("error", "code"), TROUBLES)
def test_every_expected_error_has_a_code_and_a_line(error: Exception, code: Code) -> None:
    assert isinstance(error, expected_errors())
    trouble = trouble_of(error, STORE)
    assert trouble.code == code
    assert len(trouble.lines) == 1


def test_a_store_that_may_not_be_opened_is_a_matter_of_permissions() -> None:
    error = StoreFailed("open", "Permission denied")
    error.__cause__ = PermissionError(13, "Permission denied", "data/aegis.db.lock")
    trouble = trouble_of(error, STORE)
    assert trouble.code == Code.NO_PERMISSION
    assert trouble.lines == ("data/aegis.db.lock: Permission denied",)


def test_a_bug_of_ours_is_not_told_as_a_persons_mistake() -> None:
    assert not isinstance(KeyError("x"), expected_errors())
    with pytest.raises(AssertionError, match="KeyError"):
        trouble_of(KeyError("x"))
