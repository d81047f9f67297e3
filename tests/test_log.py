"""The log: one fact a line, no secrets, and never a reason to fall."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from threading import Thread

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.config.secret import Secret
from aegis.log.file import LogFile
from aegis.log.logger import LIBRARY_EVENT, LOST_EVENT, Log, configure, last_of

NOW = "2024-05-01T08:14:02.123Z"
TOKEN = '123456:AAH-se/cret"tok\\en'  # noqa: S105  a made-up one, with all that is quoted somewhere

Written = Callable[[], list[dict[str, object]]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class BrokenPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "aegis.log"


@pytest.fixture
def console() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(path: Path, console: io.StringIO) -> Iterator[Log]:
    made = configure(path, "info", 20, 5, console=console, now_text=lambda: NOW)
    yield made
    made.close()


@pytest.fixture
def written(path: Path) -> Written:
    return lambda: [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _quiet(path: Path, **changes: object) -> Log:
    wanted: dict[str, object] = {"level": "info", "rotate_mb": 20, "keep": 5, "console": None}
    wanted |= changes
    return configure(path, now_text=lambda: NOW, **wanted)  # type: ignore[arg-type]  # by name


# Lines ------------------------------------------------------------------------------------


def test_a_fact_is_one_json_object_that_begins_with_time_level_and_event(
    log: Log, path: Path
) -> None:
    log("PositionOpened", symbol="BTC/USDT", price=Decimal("64000.10"))
    assert path.read_text() == (
        f'{{"ts":"{NOW}","level":"info","event":"PositionOpened",'
        '"symbol":"BTC/USDT","price":"64000.1"}\n'
    )


def test_the_terminal_shows_the_same_fact_in_words(log: Log, console: io.StringIO) -> None:
    log("PositionOpened", symbol="BTC/USDT", price=Decimal("64000.10"), note="two words")
    assert console.getvalue() == (
        '08:14:02 PositionOpened symbol=BTC/USDT price=64000.1 note="two words"\n'
    )


def test_the_terminal_names_the_level_of_what_is_not_ordinary(
    log: Log, console: io.StringIO
) -> None:
    log("BreakerOpened", level="warning", failures=3)
    assert console.getvalue() == "08:14:02 WARNING BreakerOpened failures=3\n"


def test_bound_fields_stand_before_the_fact_s_own(log: Log, written: Written) -> None:
    log.bind(actor="Guard").bind(epoch=2)("Started", symbol="X/Y")
    assert list(written()[0])[3:] == ["actor", "epoch", "symbol"]


def test_fields_cannot_take_the_place_of_time_level_or_event(log: Log, written: Written) -> None:
    log.bind(level="x")("Real", ts=1, event=2)
    assert written() == [
        {"ts": NOW, "level": "info", "event": "Real", "level_": "x", "ts_": 1, "event_": 2}
    ]


@pytest.mark.parametrize(
    ("level", "seen"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_the_wanted_levels_are_written(path: Path, level: str, seen: list[str]) -> None:
    log = _quiet(path, level=level)
    for each in ("debug", "info", "warning", "error"):
        log("Said", level=each)
    log.close()
    assert [json.loads(line)["level"] for line in path.read_text().splitlines()] == seen


class Colour(StrEnum):
    RED = "red"


class Pair(msgspec.Struct):
    left: Decimal
    right: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1E+3"), "1000"),
        (Decimal("0.00000001"), "0.00000001"),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("-0.00"), "0"),
        (Decimal("NaN"), "NaN"),
        (Decimal("sNaN"), "sNaN"),
        (Decimal("-Infinity"), "-Infinity"),
        (Decimal("1E+999999"), "1E+999999"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (0.5, 0.5),
        (10**500, "a number of too many digits"),
        (True, True),
        (None, None),
        (Colour.RED, "red"),
        (Path("/a"), "/a"),
        (Pair(Decimal("1.50"), (1, 2)), {"left": "1.5", "right": [1, 2]}),
        ({"a": {Decimal(1): (None,)}}, {"a": {"1": [None]}}),
        (frozenset({1}), [1]),
        (b"bytes", "<bytes>"),
        (object(), "<object>"),
        (Secret("never"), "***"),
        (ValueError("a\nb"), "ValueError: a\nb"),
        ("x" * 20_000, "x" * 16_384 + "... (3616 more)"),
        (list(range(150)), [*range(100), "... 50"]),
    ],
)
def test_a_value_is_written_as_plain_json(
    log: Log, written: Written, value: object, expected: object
) -> None:
    log("Said", value=value)
    assert written()[0]["value"] == expected


def test_a_value_that_holds_itself_comes_to_an_end(log: Log, written: Written) -> None:
    loop: list[object] = []
    loop.append(loop)
    log("Said", value=loop)
    assert written()[0]["value"] == [[[[[["..."]]]]]]


def test_an_exception_is_a_line_with_its_way_in_the_file_alone(
    log: Log, written: Written, console: io.StringIO
) -> None:
    try:
        _ = dict[str, str]()["key"]
    except KeyError as error:
        log("ActorCrashed", level="error", error=error)
    (record,) = written()
    assert record["error"] == "KeyError: 'key'"
    assert str(record["trace"]).startswith("Traceback (most recent call last):\n")
    assert console.getvalue() == "08:14:02 ERROR ActorCrashed error=\"KeyError: 'key'\"\n"


class Unspeakable(Exception):  # noqa: N818  as hostile as they come
    def __str__(self) -> str:
        raise RuntimeError


def test_an_exception_that_cannot_say_what_it_is_does_no_harm(log: Log, written: Written) -> None:
    log("ActorCrashed", error=Unspeakable())
    assert "Unspeakable" in str(written()[0]["error"])


NASTY = st.text(
    st.characters() | st.sampled_from('\n\r\x00\x1b\x7f\x85\x9b\u2028"\\= {}'), max_size=20
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=NASTY, key=NASTY, value=NASTY)
def test_whatever_is_said_stays_one_line_in_both_places(
    tmp_path: Path, event: str, key: str, value: str
) -> None:
    path, console = tmp_path / "log", io.StringIO()
    path.unlink(missing_ok=True)
    log = _quiet(path, console=console)
    log(event, **{f"k{key}": value, "nested": {key: [value]}})
    log.close()
    assert len(console.getvalue().splitlines()) == 1
    content = path.read_bytes()
    assert not set("\x1b\x7f\x9b") & set(console.getvalue() + content.decode())
    assert len(content.decode().splitlines()) == 1
    record = json.loads(content)
    assert (record["event"], record[f"k{key}"], record["nested"]) == (event, value, {key: [value]})


# Terminal ---------------------------------------------------------------------------------


def test_a_console_shows_what_it_was_given_a_level_for_and_the_file_has_all(
    path: Path, console: io.StringIO
) -> None:
    log = configure(
        path, "info", 20, 5, console=console, now_text=lambda: NOW, console_level="warning"
    )
    log("Opened")
    log("Doubted", level="warning")
    log.close()
    assert console.getvalue() == "08:14:02 WARNING Doubted\n"
    assert [line["event"] for line in map(json.loads, path.read_text().splitlines())] == [
        "Opened",
        "Doubted",
    ]


def test_colour_is_for_terminals_alone(path: Path, console: io.StringIO) -> None:
    terminal = Terminal()
    for each in (terminal, console):
        _quiet(path, console=each)("Failed", level="error")
    assert terminal.getvalue() == "\x1b[31m08:14:02 ERROR Failed\x1b[0m\n"
    assert console.getvalue() == "08:14:02 ERROR Failed\n"


def test_a_terminal_without_the_letters_gets_escapes(path: Path) -> None:
    raw = io.BytesIO()
    _quiet(path, console=io.TextIOWrapper(raw, "ascii"))("Said", text="ü€")
    assert raw.getvalue() == b"08:14:02 Said text=\\xfc\\u20ac\n"


def test_a_reader_that_has_gone_away_does_no_harm(path: Path, written: Written) -> None:
    log = _quiet(path, console=BrokenPipe())
    log("One")
    log("Two")
    assert [record["event"] for record in written()] == ["One", "Two"]


def test_a_pipe_that_nobody_empties_keeps_nobody_waiting(path: Path, written: Written) -> None:
    """As a terminal that somebody holds with Ctrl-S: no actor may wait for it to go on."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as console, os.fdopen(reader, "rb") as reading:
        log = _quiet(path, console=console)

        def say_much() -> None:
            for _ in range(400):
                log("Said", text="x" * 1000)

        many = Thread(target=say_much, daemon=True)
        many.start()
        many.join(5)
        is_waiting = many.is_alive()
        shown = os.read(reader, 1 << 20)
        many.join(5)
        assert not is_waiting
        assert len(written()) == 400
        assert shown.startswith(b"08:14:02 Said text=xxx")
        log("Again")
        assert os.read(reading.fileno(), 1 << 20).endswith(b"08:14:02 Again\n")


def test_a_line_that_was_cut_for_want_of_room_does_not_run_into_the_next(path: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as console, os.fdopen(reader, "rb"):
        log = _quiet(path, console=console)
        console.write("x" * (fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) - 8192))
        console.flush()
        log("Cut", **dict.fromkeys("abcdefghijklmnop", "x" * 1000))
        os.read(reader, 1 << 20)
        log("Next")
        log("Last")
        assert os.read(reader, 1 << 20) == b"\n08:14:02 Next\n08:14:02 Last\n"


def test_a_line_is_in_the_pipe_before_the_next_step() -> None:
    program = (
        "import sys; from pathlib import Path; from aegis.log.logger import configure\n"
        "log = configure(Path('/dev/null'), 'info', 1, 1, console=sys.stderr,"
        f" now_text=lambda: '{NOW}')\n"
        "log('Started'); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"08:14:02 Started\n"
        assert process.poll() is None
        assert process.communicate(b"") == (b"", b"")


# Secrets ----------------------------------------------------------------------------------


def test_a_secret_is_hidden_wherever_it_stands(log: Log, path: Path, console: io.StringIO) -> None:
    log.register_secret(TOKEN)
    try:
        raise ConnectionError({"url": f"https://api/bot{TOKEN}/send"})  # noqa: TRY301  as a library
    except ConnectionError as error:
        log(f"Said{TOKEN}", error=error, text=f"a {TOKEN} b", deep={TOKEN: [{"x": TOKEN}]})
        log.bind(url="https://x/bot123456%3AAAH-se%2Fcret%22tok%5Cen")("Said")
    for text in (path.read_text(), console.getvalue()):
        assert "AAH" not in text
        assert "***" in text


def test_a_secret_of_digits_is_hidden_as_a_number_too(log: Log, written: Written) -> None:
    log.register_secret("987654321")
    log("Said", count=987654321, price=Decimal("987654321.5"), other=5)
    assert written()[0] | {"count": "***", "price": "***.5", "other": 5} == written()[0]


def test_a_secret_of_several_lines_is_hidden_line_by_line(log: Log, written: Written) -> None:
    log.register_secret("-----BEGIN KEY-----\nMHcCAQEEIB\nxyz\n")
    log("Said", text="key: MHcCAQEEIB!")
    assert written()[0]["text"] == "key: ***!"


def test_of_two_secrets_the_longer_is_hidden_whole(log: Log, written: Written) -> None:
    for secret in ("abcd", "abcdefgh", ""):
        log.register_secret(secret)
    log("Said", text="abcdefgh")
    assert written()[0]["text"] == "***"


def test_no_part_of_a_secret_is_left_where_a_text_is_cut(log: Log, written: Written) -> None:
    log.register_secret("s" * 40)
    log("Said", text="x" * 16_370 + "s" * 40)
    assert written()[0]["text"] == "x" * 16_370 + "***"


# Libraries --------------------------------------------------------------------------------


def test_a_library_s_warning_is_a_line_of_ours_without_secrets(
    log: Log, written: Written, console: io.StringIO
) -> None:
    log.register_secret(TOKEN)
    logging.getLogger("urllib3.connectionpool").warning("Retrying %s", f"/bot{TOKEN}/x")
    (record,) = written()
    assert record["event"] == LIBRARY_EVENT
    assert (record["logger"], record["message"]) == ("urllib3.connectionpool", "Retrying /bot***/x")
    assert console.getvalue().startswith("08:14:02 WARNING LibraryLogged logger=urllib3.connec")


def test_a_library_s_chat_stays_off_the_terminal(
    log: Log, written: Written, console: io.StringIO
) -> None:
    logging.getLogger("pykka").info("Starting")
    assert [record["message"] for record in written()] == ["Starting"]
    assert console.getvalue() == ""
    assert log.lost == 0


@pytest.mark.parametrize("name", ["urllib3", "ccxt", "pykka", "anything"])
def test_a_library_is_never_heard_at_debug(path: Path, name: str) -> None:
    log = _quiet(path, level="debug")
    library = logging.getLogger(f"{name}.deep")
    library.setLevel(logging.DEBUG)
    library.debug("GET /?apiKey=...")
    library.setLevel(logging.NOTSET)
    log.close()
    assert not path.exists()


def test_a_library_s_own_handlers_are_taken_away(path: Path) -> None:
    own = io.StringIO()
    logging.getLogger("ccxt").addHandler(logging.StreamHandler(own))
    log = _quiet(path)
    logging.getLogger("ccxt").error("x")
    log.close()
    assert own.getvalue() == ""


def test_a_library_s_exception_comes_with_its_way(log: Log, written: Written) -> None:
    try:
        raise ValueError("x")  # noqa: TRY301  as a library would
    except ValueError:
        logging.getLogger("pykka").exception("Unhandled")
    (record,) = written()
    assert (record["level"], record["error"]) == ("error", "ValueError: x")
    assert "Traceback" in str(record["trace"])
    assert log.lost == 0


def test_a_library_s_broken_format_is_still_a_line(log: Log, written: Written) -> None:
    record = logging.makeLogRecord({"msg": "%d apples", "args": ("no",), "levelno": 30})
    for handler in logging.root.handlers:
        if type(handler).__module__ == "aegis.log.logger":  # pytest's own handler would raise
            handler.handle(record)
    assert written()[0]["message"] == "%d apples"
    assert log.lost == 0


def test_the_latest_log_alone_hears_the_libraries(tmp_path: Path) -> None:
    first, second = _quiet(tmp_path / "first"), _quiet(tmp_path / "second")
    logging.getLogger("ccxt").warning("x")
    first.close()
    logging.getLogger("ccxt").warning("y")
    second.close()
    assert not (tmp_path / "first").exists()
    assert len((tmp_path / "second").read_text().splitlines()) == 2


# The file ---------------------------------------------------------------------------------


def _file(path: Path, rotate_bytes: int, keep: int, told: list[str] | None = None) -> LogFile:
    heard: list[str] = [] if told is None else told
    return LogFile(path, rotate_bytes=rotate_bytes, keep=keep, tell=heard.append)


def test_a_full_file_is_set_aside_and_the_oldest_is_dropped(tmp_path: Path) -> None:
    file = _file(tmp_path / "log", rotate_bytes=20, keep=2)
    for number in range(8):
        file.write(f"line {number:04}")
    found = {path.name: path.read_text().split("\n")[:-1] for path in tmp_path.iterdir()}
    assert found == {
        "log": ["line 0006", "line 0007"],
        "log.1": ["line 0004", "line 0005"],
        "log.2": ["line 0002", "line 0003"],
    }


def test_a_line_longer_than_a_file_has_one_of_its_own(tmp_path: Path) -> None:
    file = _file(tmp_path / "log", rotate_bytes=4, keep=5)
    for line in ("one", "x" * 9, "two"):
        file.write(line)
    names = ("log.2", "log.1", "log")
    assert [(tmp_path / name).read_text() for name in names] == ["one\n", "x" * 9 + "\n", "two\n"]


def test_where_files_cannot_be_set_aside_lines_go_on(tmp_path: Path) -> None:
    (tmp_path / "log.1").mkdir()
    told: list[str] = []
    file = _file(tmp_path / "log", rotate_bytes=8, keep=1, told=told)
    for number in range(5):
        file.write(f"line {number}")
    assert len((tmp_path / "log").read_text().splitlines()) == 5
    assert told[0] == "the log cannot be set aside (Is a directory) and grows"


def test_a_torn_last_line_is_ended_before_the_next(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"event":"To')
    _file(tmp_path / "log", rotate_bytes=999, keep=1).write("next")
    assert (tmp_path / "log").read_text() == '{"event":"To\nnext\n'


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_file_that_somebody_took_away_is_begun_again(tmp_path: Path, *, is_moved: bool) -> None:
    path = tmp_path / "log"
    file = _file(path, rotate_bytes=999, keep=1)
    file.write("one")
    if is_moved:
        path.rename(tmp_path / "elsewhere")
        path.write_text("")
    else:
        path.unlink()
    file.write("two")
    assert path.read_text() == "two\n"


def test_the_file_is_for_its_owner_alone(log: Log, path: Path) -> None:
    log("Said")
    assert path.stat().st_mode & 0o777 == 0o600


def test_lines_of_many_threads_stay_whole(log: Log, written: Written) -> None:
    def say(number: int) -> None:
        for count in range(50):
            log("Said", thread=number, count=count, text="x" * 200)

    threads = [Thread(target=say, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {(record["thread"], record["count"]) for record in written()}
    assert len(found) == 200


def test_a_full_disk_is_told_once_and_raises_nothing(console: io.StringIO) -> None:
    log = _quiet(Path("/dev/full"), console=console)
    for _ in range(3):
        log("Said")
    assert log.lost == 3
    assert console.getvalue().splitlines() == [
        "AEGIS: the log cannot be written (No space left on device) and loses lines",
        "08:14:02 Said",
        "08:14:02 Said",
        "08:14:02 Said",
    ]


def test_a_full_disk_is_told_even_without_a_console(capsys: pytest.CaptureFixture[str]) -> None:
    _quiet(Path("/dev/full"))("Said")
    assert capsys.readouterr().err.startswith("AEGIS: the log cannot be written")


def test_lines_that_were_lost_are_counted_in_the_file_when_it_is_back(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")
    path = tmp_path / "logs" / "log"
    log = _quiet(path, console=io.StringIO())
    log("One")
    log("Two")
    (tmp_path / "logs").unlink()
    log("Three")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["event"] for record in records] == [LOST_EVENT, "Three"]
    assert records[0]["count"] == log.lost == 2


# Reading ----------------------------------------------------------------------------------


def _line(event: str, **fields: object) -> str:
    return json.dumps({"ts": NOW, "event": event, **fields}, separators=(",", ":")) + "\n"


def test_the_last_line_of_an_event_is_found(log: Log, path: Path) -> None:
    for number in range(3):
        log("Heartbeat", number=number)
        log("Other", text='"event":"Heartbeat"', deep={"event": "Heartbeat"})
    found = last_of(path, "Heartbeat")
    assert found is not None
    assert found["number"] == 2


@pytest.mark.parametrize("tail", ["", '{"event":"Heartbeat"', '{"event":"Heartbeat"}', "\x00\xff"])
def test_a_torn_end_is_passed_over(path: Path, tail: str) -> None:
    path.parent.mkdir()
    path.write_bytes((_line("Heartbeat", n=1) + tail).encode("latin-1"))
    assert last_of(path, "Heartbeat") == {"ts": NOW, "event": "Heartbeat", "n": 1}


@pytest.mark.parametrize(
    "line", ['["event":"X"]', '"event":"X"', '{"event":"X"', '[{"event":"X"}]']
)
def test_a_line_that_is_no_record_is_passed_over(path: Path, line: str) -> None:
    path.parent.mkdir()
    path.write_text(_line("X", n=1) + line + "\n")
    found = last_of(path, "X")
    assert found is not None
    assert found["n"] == 1


def test_the_last_line_is_found_in_what_was_set_aside(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("aegis.log.2").write_text(_line("X", n=2))
    path.with_name("aegis.log.1").write_text(_line("Y"))
    path.write_text(_line("Y"))
    assert last_of(path, "X") == {"ts": NOW, "event": "X", "n": 2}


def test_a_file_that_is_being_set_aside_does_not_hide_the_others(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("aegis.log.1").write_text(_line("X"))
    assert last_of(path, "X") is not None


def test_a_line_far_from_the_end_is_found_whole(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(_line("X", text="x" * 70_000) + _line("Y", text="y" * 999) * 300)
    found = last_of(path, "X")
    assert found is not None
    assert len(str(found["text"])) == 70_000


def test_no_more_is_read_than_was_allowed(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(_line("X") + _line("Y") * 100)
    assert last_of(path, "X", bytes_max=1_000) is None


def test_nothing_is_found_where_there_is_nothing(path: Path) -> None:
    assert last_of(path, "X") is None
    path.parent.mkdir()
    path.write_text("")
    assert last_of(path, "X") is None


@pytest.mark.parametrize("event", ["Starting", "Heartbeat"])
def test_what_health_judges_by_is_written_at_any_level(path: Path, event: str) -> None:
    console = io.StringIO()
    log = configure(path, "error", 1, 1, console=console, now_text=lambda: "2026-01-01T00:00:00Z")
    log(event)
    log("PositionOpened")
    log.close()
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == [event]
    assert console.getvalue() == ""


def test_a_level_can_be_changed_while_it_is_written(path: Path) -> None:
    log = configure(path, "info", 1, 1, console=None, now_text=lambda: "2026-01-01T00:00:00Z")
    log("OrderIntended", level="debug")
    log.set_level("debug")
    log("OrderFilled", level="debug")
    log.set_level("error")
    log("PositionOpened")
    log.close()
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["OrderFilled"]
