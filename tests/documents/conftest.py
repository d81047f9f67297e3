"""The fixtures of the command line's tests."""

from __future__ import annotations

from tests.cli.conftest import *  # noqa: F403  a place to say commands in
