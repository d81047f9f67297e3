from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.exchange_server.in_process import InProcess


@pytest.fixture
def place() -> Iterator[InProcess]:
    """Give an exchange in this process whose price stands at 40,000."""
    made = InProcess()
    made.price("40000")
    yield made
    made.ledger.close()


@pytest.fixture
def ccxt(place: InProcess) -> Any:
    """Give ccxt's own class, connected to that exchange."""
    return place.ccxt
