"""The shell around every actor: it takes messages, keeps time, and speaks of its own end.

It owns the one place where any exception is caught. It never decides what a death means; that
is the supervisor's.

Invariants:
1. Start is not success: `Started` is told when `on_started` has returned, `StartFailed` when it
   has not.
2. Whatever a handler raises, `SystemExit` included, ends this actor alone, told as `Died`.
3. Nothing of an ended incarnation is heard: its sends, timers and replies are dropped, its
   timers cancelled.
4. The constructor takes a `Context` and opens nothing; files and sockets are `on_started`'s.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from pathlib import PurePath
from typing import Any, ClassVar, Final, NoReturn, Protocol, cast

import msgspec
import pykka

from actors.directory import STOP, Address, Directory, Seat
from actors.timers import Timers
from aegis.dialogue import Message
from aegis.domain.ids import Generation
from aegis.ports import Clock, Log, Raised, Runtime, Timer, no_log

ERROR_CHARS_MAX: Final = 500
"""An error's text in messages and log lines; whole pages come back from some exchanges."""


class ActorRuntime(Runtime, Protocol):
    """A runtime that runs actors as well; it holds them, since pykka's refs are weak."""

    can_hang: bool  # whether a handler may go on for ever, so that somebody has to look

    def start_loop(self, actor: Actor) -> None:
        """Run an actor until its end: by `run()` on a thread of its own, or by `step()`s."""
        ...


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Who an incarnation is, and everything that it may reach."""

    address: Address
    directory: Directory
    runtime: ActorRuntime
    generation: Generation
    supervisor: str  # the name that hears of start and end; "" for the root, whom nobody hears
    log: Log = no_log


class Started(Message, frozen=True, kw_only=True):
    name: str
    epoch: int


class StartFailed(Message, frozen=True, kw_only=True):
    name: str
    epoch: int
    error: str


class Died(Message, frozen=True, kw_only=True):
    name: str
    epoch: int
    error: str


class Stopped(Message, frozen=True, kw_only=True):
    """An incarnation has ended in peace, wanted or by its own will."""

    name: str
    epoch: int


class Actor(pykka.Actor):
    """One incarnation of a name. Subclasses fill the four hooks and leave the rest alone."""

    group_max: ClassVar[int] = 256
    """How many messages at most one `receive_batch` gets."""

    actor_inbox: Seat

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._address = context.address
        self._directory = context.directory
        self._runtime = context.runtime
        self._supervisor = context.supervisor
        self._monotonic = context.runtime.clock.monotonic
        self._timers = Timers()
        self.is_set_up = False
        self._has_opened = False
        self._seat = self.actor_inbox
        self._seat.bind(context.directory, context.address, self.group_max)
        self._keeps_inbox = self._seat.slot.keeps_inbox
        self.generation = context.generation
        self.log = context.log

    # For subclasses to fill ---------------------------------------------------------------

    def on_started(self) -> None:
        """Open what the actor needs, in its own context; the others wait for its return."""

    def receive(self, message: Any) -> None:
        """Handle one message."""
        self._refuse(message)

    def receive_batch(self, messages: tuple[Any, ...]) -> None:
        """Handle a group from a kept inbox; it is removed when this returns."""
        self._refuse(messages)

    def on_stopped(self) -> None:
        """Close what `on_started` opened; called if it has run, and not after a death."""

    def on_died(self, error: str) -> None:
        """Speak last words after a death; only a root needs to, whom no supervisor hears."""

    # For subclasses to use ----------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._address.name

    @property
    def epoch(self) -> int:
        return self._address.epoch

    @property
    def supervisor(self) -> str:
        """The name that hears of this actor's start and end."""
        return self._supervisor

    @property
    def clock(self) -> Clock:
        return self._runtime.clock

    @property
    def runtime(self) -> ActorRuntime:
        return self._runtime

    def tell(self, name: str, message: object) -> None:
        """Put a message into a name's inbox."""
        self._directory.tell(self._address, name, message)

    def reply_to(self) -> Callable[[object], None]:
        """Return what puts an answer into this actor's inbox, while this incarnation lasts."""
        return partial(self._directory.tell, self._address, self._address.name)

    def after(self, delay_s: float, message: object) -> Timer:
        """Tell this actor something once, after real seconds."""
        return self._timers.start(self._runtime.after, delay_s, self._delivery(message), once=True)

    def every(self, interval_s: float, message: object) -> Timer:
        """Tell this actor something again and again, first after one interval."""
        return self._timers.start(
            self._runtime.every, interval_s, self._delivery(message), once=False
        )

    def trust_batch(self) -> None:
        """Say that the deciding is over: a failure from here on is no message's doing."""
        self._seat.trust()

    # For runtimes and supervisors ---------------------------------------------------------

    def begin(self) -> None:
        """Start the loop."""
        pykka.ActorRegistry.register(self.actor_ref)
        self._start_actor_loop()

    def run(self) -> None:
        """Live from start to end, in the calling thread: pykka's own loop."""
        self._actor_loop()

    def step(self) -> bool:
        """Live one step, the start or one message; say whether there is another step."""
        if self.is_set_up:
            self.handle(self._seat.take())
        else:
            self._actor_loop_setup()
        return self.has_next_step()

    def has_next_step(self) -> bool:
        """Say whether `step` has something to do."""
        return not self._timers.is_closed and self._seat.has_more()

    @property
    def is_over(self) -> bool:
        """Whether this incarnation has ended, in peace or not."""
        return self._timers.is_closed

    def answer_bell(self, wake: Callable[[], None]) -> None:
        """Call `wake`, short and under the directory's lock, when there is a step to take."""
        self._directory.answer_bell(self._seat, wake)

    def handle(self, message: object) -> None:
        """Handle a message, a group or STOP, and whatever comes of it."""
        if message is STOP:
            self._stop()
            return
        seat = self._seat
        seat.busy_since = self._monotonic()
        try:
            if self._keeps_inbox:
                group = cast("tuple[object, ...]", message)
                self.receive_batch(group)
                seat.drop(len(group))
            else:
                self.receive(message)
        except BaseException as error:  # noqa: BLE001  a broken actor must not take others along
            self._die(error, "ActorDied", Died)
        finally:
            seat.busy_since = None

    @property
    def seat(self) -> Seat:
        return self._seat

    # pykka's hooks ------------------------------------------------------------------------

    @staticmethod
    def _create_actor_inbox() -> Seat:
        return Seat()

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return pykka.ThreadingFuture()

    def _start_actor_loop(self) -> None:
        self._runtime.start_loop(self)

    def _actor_loop_setup(self) -> None:
        self.is_set_up = True
        if not self._seat.is_current():  # replaced before its thread had begun
            return
        self._has_opened = True
        try:
            self.on_started()
        except BaseException as error:  # noqa: BLE001  pykka would print it and tell nobody
            self._die(error, "ActorStartFailed", StartFailed)
        else:
            self._tell_supervisor(Started(name=self.name, epoch=self.epoch))

    def _handle_receive(self, message: Any) -> None:
        self.handle(message)

    def _handle_failure(self, *failure: Any) -> None:
        """Take what pykka would print. Nothing should come here: the shell caught it before."""
        error = failure[1]
        self._die(error if error is not None else RuntimeError("unknown"), "ActorDied", Died)

    def on_stop(self) -> None:
        try:
            if self._has_opened:
                self.on_stopped()
        except BaseException as error:  # noqa: BLE001  it ends anyway; what it held is its own
            self._say("ActorStopFailed", error)
        self._timers.close()
        self._tell_supervisor(Stopped(name=self.name, epoch=self.epoch))
        self._seat.leave()

    # Helpers ------------------------------------------------------------------------------

    def _die(self, error: BaseException, event: str, last_words: type[Died | StartFailed]) -> None:
        pykka.ActorRegistry.unregister(self.actor_ref)
        self.actor_stopped.set()
        self._timers.close()
        text = error_text(error)
        self._say(event, error)
        self._tell_supervisor(last_words(name=self.name, epoch=self.epoch, error=text))
        outcome_of(partial(self.on_died, text))
        self._seat.leave()

    def _say(self, event: str, error: BaseException) -> None:
        fields = {
            "level": "error",
            "name": self.name,
            "epoch": self.epoch,
            "error": error_text(error),
            "traceback": _traceback_text(error),
        }
        outcome_of(partial(self.log, event, **fields))  # a full disk must not hide a death

    def _tell_supervisor(self, message: Message) -> None:
        if self._supervisor:
            self.tell(self._supervisor, message)

    def _delivery(self, message: object) -> Callable[[], None]:
        return partial(self._directory.tell, self._address, self._address.name, message)

    def _refuse(self, message: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} takes no {message!r:.200}")


def launch(build: Callable[[Context], Actor], context: Context) -> None:
    """Build an actor and start its loop; what goes wrong on the way is a failed start."""
    try:
        build(context).begin()
    except BaseException as error:  # noqa: BLE001  a child's constructor must not end its parent
        name, epoch = context.address.name, context.address.epoch
        failed = StartFailed(name=name, epoch=epoch, error=error_text(error))
        context.directory.tell(None, context.supervisor, failed)
        fields = {"level": "error", "error": failed.error, "traceback": _traceback_text(error)}
        outcome_of(partial(context.log, "ActorStartFailed", name=name, epoch=epoch, **fields))


def outcome_of(function: Callable[[], object]) -> object:
    """Return a function's value, or what it raised as `Raised`."""
    try:
        return function()
    except BaseException as error:  # noqa: BLE001  foreign code on a runtime's own thread
        return Raised(error_text(error))


def error_text(error: BaseException) -> str:
    """Write an exception's type, message and origin ("file:line in function"), no locals."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  its own __str__ may be the broken part
        message = "(its message cannot be read)"
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    origin = ""
    if frames:
        last = frames[-1]
        origin = f" at {PurePath(last.filename).name}:{last.lineno} in {last.name}"
    return f"{type(error).__name__}: {message[:ERROR_CHARS_MAX]}{origin}"


def _traceback_text(error: BaseException) -> str:
    lines = outcome_of(partial(traceback.format_exception, error))
    return "".join(lines) if isinstance(lines, list) else str(lines)
