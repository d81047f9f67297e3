"""Local exchanges, and AEGIS beside each; all are cleaned up, whatever a test did to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.crash.scene", "tests.crash.process", "tests.live.scene")

from tests.exchange_server.local import in_thread  # noqa: E402  rewritten first
from tests.exchange_server.shapes import Settings  # noqa: E402  rewritten first
from tests.live.doomed import LATE_AFTER_S  # noqa: E402  rewritten first
from tests.live.scene import DOOMED, SETTINGS, LiveScene  # noqa: E402  rewritten first

Make = Callable[..., LiveScene]


@pytest.fixture(scope="module")
def make_live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Give what makes scenes: an exchange that takes any client id again, at a price of 40,000."""
    with ExitStack() as opened:

        def make(
            settings: str = SETTINGS, program: tuple[str, ...] = DOOMED, **exchange: object
        ) -> LiveScene:
            folder: Path = tmp_path_factory.mktemp("live")
            ways = {"dedupe": "off", "nonce_window_s": LATE_AFTER_S, **exchange}
            local = opened.enter_context(
                in_thread(folder / "exchange", settings=Settings(**ways))  # type: ignore[arg-type]  # named by the tests
            )
            local.control.price("BTC_USDT", "40000")
            scene = LiveScene(folder / "aegis", local, settings, program)
            opened.callback(scene.clean_up)
            return scene

        yield make
