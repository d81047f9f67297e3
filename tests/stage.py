"""A place to try actors out, the same on threads and on the seeded runtime."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from actors.base import Actor, Context, launch
from actors.directory import Address, Directory, Slot
from aegis.domain.ids import Generation, Instant
from supervisors.runtime import SeededRuntime, ThreadRuntime
from supervisors.spec import Patience, Tree
from supervisors.supervisor import Hooks, Verdict, supervise

BOSS = "Boss"
"""The name that hears of starts and ends where no supervisor runs; nobody takes its mail."""

PATIENCE_S = 10.0
POLL_S = 0.001
WATCH_INTERVAL_S = 0.02


class Stage:
    """A directory on a runtime, and notes of all that is reported."""

    def __init__(self, runtime: ThreadRuntime | SeededRuntime) -> None:
        self.runtime = runtime
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.overflows: list[tuple[str, int]] = []
        self.dead_letters: list[tuple[str, object]] = []
        self.verdicts: list[Verdict] = []
        self.abandoned: list[str] = []
        self.directory = Directory(
            on_overflow=lambda name, dropped: self.overflows.append((name, dropped)),
            on_dead_letter=lambda name, message: self.dead_letters.append((name, message)),
        )
        self.boss: Slot = self.directory.add(BOSS)
        self._hung = threading.Event()
        self._released = threading.Event()

    def log(self, event: str, /, **fields: object) -> None:
        self.logged.append((event, fields))

    def events(self) -> list[str]:
        return [event for event, _ in self.logged]

    def launch(self, name: str, build: Callable[[Context], Actor], *, epoch: int = 1) -> None:
        """Start one incarnation by hand, under the boss."""
        if name not in {slot.name for slot in self.directory}:
            self.directory.add(name)
        self.directory.open(name, epoch)
        context = Context(
            address=Address(name, epoch),
            directory=self.directory,
            runtime=self.runtime,
            generation=Generation(1),
            supervisor=BOSS,
            log=self.log,
        )
        launch(build, context)

    def supervise(self, tree: Tree, patience: Patience) -> Callable[[], None]:
        return supervise(
            tree,
            patience,
            runtime=self.runtime,
            directory=self.directory,
            hooks=Hooks(
                on_verdict=self.verdicts.append,
                on_abandon=lambda name, _reason: self.abandoned.append(name),
                log=self.log,
            ),
            seed=1,
            watch_interval_s=WATCH_INTERVAL_S,
        )

    def tell(self, name: str, message: object) -> None:
        self.directory.tell(None, name, message)

    def told_boss(self) -> list[object]:
        return list(self.boss.messages)

    def wait_for(self, predicate: Callable[[], bool]) -> None:
        """Let the actors work until a predicate holds; fail when it does not within patience."""
        if isinstance(self.runtime, SeededRuntime):
            now = self.runtime.clock.now
            end = Instant(now() + int(PATIENCE_S * 1e9))
            self.runtime.run_while(lambda: not predicate() and now() < end)
        else:
            tick = threading.Event()
            for _ in range(int(PATIENCE_S / POLL_S)):
                if predicate():
                    return
                tick.wait(POLL_S)
        assert predicate(), f"Not within {PATIENCE_S} s; logged: {self.logged[-5:]}"

    def wait_running(self, name: str, epoch: int) -> None:
        """Wait until a supervisor has heard that an incarnation is up."""
        self.wait_for(
            lambda: any(
                event == "ActorStarted" and (fields["name"], fields["epoch"]) == (name, epoch)
                for event, fields in list(self.logged)
            )
        )

    # A handler that does not return: a real one on threads, the fault plan's on the seed.

    def will_hang(self, name: str) -> None:
        """Announce that a name's next message will call `hang_here`."""
        if isinstance(self.runtime, SeededRuntime):
            self.runtime.hang(name)

    def hang_here(self) -> None:
        if not isinstance(self.runtime, SeededRuntime):
            self._hung.set()
            self._released.wait()

    def wait_hung(self, name: str) -> None:
        self.wait_for(lambda: self.directory.slot(name).busy_since is not None)

    def release(self, name: str, epoch: int) -> None:
        """Let a hung incarnation return."""
        if isinstance(self.runtime, SeededRuntime):
            self.runtime.come_back(name, epoch)
        self._released.set()

    def clear(self) -> None:
        """Send everybody home, so that no thread outlives its test."""
        self._released.set()
        for slot in self.directory:
            self.directory.fence(slot.name)
