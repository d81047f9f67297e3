"""The domain is tried out where the thread's own decimal context is deadly."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Inexact, Rounded, localcontext

import pytest

DEADLY = Context(prec=1, traps=[Inexact, Rounded])
"""Whatever reckons under the thread's context raises: `Decimal("1.5") + Decimal("1")` as well."""


@pytest.fixture(autouse=True)
def _deadly_thread_context() -> Iterator[None]:
    with localcontext(DEADLY):
        yield
