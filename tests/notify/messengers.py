"""Messengers with behaviour: one that follows a list, one that goes wrong by its seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from aegis.domain.delivery import (
    Delivery,
    Letter,
    Manners,
    NoAnswer,
    Refused,
    RetryAfter,
    Sent,
)
from aegis.ports import Late

CHAT = Manners(deadline_s=10, interval_s=1, length_max=4096, gather_from=4, page_max=100)
SILENCE = Late(None, None)


class ScriptedMessenger:
    """Answers as it is told, one after the other, and then takes everything.

    What it answers may be anything that a call can come to, an exception too.
    """

    def __init__(
        self, answers: Iterable[object] = (), *, channel: str = "chat", manners: Manners = CHAT
    ) -> None:
        self.channel = channel
        self.manners = manners
        self.answers = list(answers)
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> Delivery:
        self.letters.append(letter)
        answer: Any = self.answers.pop(0) if self.answers else Sent()
        if isinstance(answer, Exception):
            raise answer
        said: Delivery = answer
        return said

    def texts(self) -> list[str]:
        return [letter.text for letter in self.letters]


class Odds(msgspec.Struct, frozen=True, kw_only=True):
    """How likely a request ends in each way; what is left is a plain success."""

    asked_to_wait: float = 0.0
    no_answer: float = 0.0  # refused connections, 5xx: it did not arrive
    hang: float = 0.0  # it did not arrive, and nothing comes back
    lost_answer: float = 0.0  # it arrived, and nothing comes back
    refused: float = 0.0


SMOOTH = Odds()


class SeededMessenger:
    """A channel at the other end of a bad line. `arrived` is what people see, doubled or not."""

    def __init__(
        self,
        seed: int,
        odds: Odds = SMOOTH,
        *,
        channel: str = "seeded",
        manners: Manners = CHAT,
    ) -> None:
        self.channel = channel
        self.manners = manners
        self.odds = odds
        self.tries = 0
        self.arrived: list[Letter] = []
        self.lost_answers: list[Letter] = []
        self._chance = random.Random(seed)

    def send(self, letter: Letter) -> Delivery:
        """Take or lose the letter; it returns `Late` where nothing is ever heard."""
        self.tries += 1
        odds, drawn = self.odds, self._chance.random()
        fates: tuple[tuple[float, Callable[[], Any]], ...] = (
            (odds.asked_to_wait, lambda: RetryAfter(self._chance.randint(1, 90))),
            (odds.no_answer, lambda: NoAnswer("502 Bad Gateway")),
            (odds.hang, lambda: SILENCE),
            (odds.lost_answer, lambda: self._lose(letter)),
            (odds.refused, lambda: Refused("403 blocked by the user")),
        )
        for likelihood, act in fates:
            if drawn < likelihood:
                answer: Delivery = act()  # or `Late`, which is the runtime's to read
                return answer
            drawn -= likelihood
        self.arrived.append(letter)
        return Sent()

    def _lose(self, letter: Letter) -> Late:
        self.arrived.append(letter)
        self.lost_answers.append(letter)
        return SILENCE
