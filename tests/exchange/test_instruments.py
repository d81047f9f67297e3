from __future__ import annotations

import pytest

from aegis.domain.ids import Symbol
from aegis.exchange.instruments import paper_instruments


def test_a_symbol_that_is_no_pair_is_named() -> None:
    with pytest.raises(ValueError, match="was 'BTCUSDT'"):
        paper_instruments((Symbol("BTC/USDT"), Symbol("BTCUSDT")))
