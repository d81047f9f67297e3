"""Threads that share a store: one at a time, and who waits for another lends it the turn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from aegis.store.turns import Turns

SOON_S = 0.05
PATIENCE_S = 5.0


def is_free(turns: Turns) -> bool:
    """Say whether another thread gets the turn soon; it is given up once it had it."""
    had = Event()

    def take() -> None:
        with turns:
            had.set()

    ThreadPoolExecutor(1).submit(take)
    return had.wait(SOON_S)


def test_who_has_the_turn_takes_it_again_and_no_other_thread_does() -> None:
    turns = Turns()
    with turns:
        with turns:
            assert not is_free(turns)
        assert not is_free(turns)
    assert is_free(turns)


def test_whom_the_holder_waits_for_has_the_turn_for_as_long() -> None:
    turns, done = Turns(), []

    def work() -> None:
        with turns.lent(), turns:
            done.append("worked")

    with ThreadPoolExecutor(1) as other:
        with turns:
            other.submit(work).result(PATIENCE_S)
            assert not is_free(turns)
        assert is_free(turns)
    assert done == ["worked"]


def test_a_holder_that_is_interrupted_while_it_lent_the_turn_leaves_it_free() -> None:
    turns, lent, go_on = Turns(), Event(), Event()

    def work() -> None:
        with turns.lent():
            lent.set()
            go_on.wait(PATIENCE_S)

    with ThreadPoolExecutor(1) as other:
        with turns:  # and left at once, as an interrupted holder leaves it
            working = other.submit(work)
            assert lent.wait(PATIENCE_S)
        go_on.set()
        working.result(PATIENCE_S)
    assert is_free(turns)
