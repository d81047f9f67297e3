"""What is said while a person's errand is under way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.cli.asking import Place, ask_or_act
from aegis.cli.codes import Code
from aegis.config.model import Config, Secrets, build
from aegis.config.secret import Secret
from aegis.control import Answer, Ask
from aegis.ports import Log


def sells(
    config: Config,
    *,
    folder: Path,
    log: Log,
    ask: Ask,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    on_selling: Callable[[], None] = lambda: None,
) -> Answer:
    """Do a flatten that an exchange can be asked for."""
    on_selling()
    return Answer(is_done=True, text="flat")


@pytest.mark.parametrize(("mode", "is_unpriced"), [("live", True), ("paper", False)])
def test_a_flatten_says_that_it_sells_and_without_a_price_only_where_one_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, *, is_unpriced: bool
) -> None:
    store = tmp_path / "a.db"
    store.touch()
    values = {"mode": mode, "store": {"path": store}, "log": {"path": tmp_path / "a.log"}}
    config = build({**values, "market": {"source": "exchange", "speed": 1}})
    assert isinstance(config, Config), config
    keys = Secrets(exchange_api_key=Secret("key"), exchange_secret=Secret("word"))
    config = config.model_copy(update={"secrets": keys})
    place = Place(config=config, path=tmp_path / "c", office=lambda: sells, is_live_meant=True)
    code = ask_or_act(place, Ask(command="flatten"), is_json=False)
    told = capsys.readouterr()
    assert (code, told.out) == (Code.DONE, "flat\n"), told.err
    assert ("sold" in told.err, "without one" in told.err) == (True, is_unpriced)
