"""Names and their inboxes: what is told to a name waits there until an incarnation takes it.

It owns every queue between actors. It never looks into a message.

Invariants:
1. An inbox belongs to a name and outlives the incarnations that serve it.
2. One incarnation, the one whose epoch is the slot's, hears and speaks. Once `fence` has
   returned, nothing that an older one says is heard, and it takes no message any more: its seat
   hands it STOP. One lock over the whole directory makes this exact.
3. Every inbox is bounded, the kept ones far above the others. What overflows is the newest
   message; it is counted and reported.
4. A kept inbox gives groups out without removing them. A group that was being decided when its
   incarnation died is given to the next one message at a time; one that takes an incarnation
   down while it is alone is taken out and reported. Senders repeat what they heard no answer to.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.bell import Bell

DEPTH_MAX: Final = 10_000
"""Messages that wait for one actor; an actor so far behind is better served by the log."""

KEPT_DEPTH_MAX: Final = 200_000
"""Commands that wait for the store: seconds of its work, and some 100 MB at worst."""

NOBODY: Final = 0
"""The epoch of a name that no incarnation serves; real epochs begin at 1."""


class Stop:
    """The type of STOP, which a seat hands out in place of a message."""


STOP: Final = Stop()


class Address(msgspec.Struct, frozen=True):
    """Who speaks: a name, and which of its incarnations."""

    name: str
    epoch: int


class Slot:
    """One name's inbox, and who serves it. All fields are guarded by the directory's lock."""

    __slots__ = (
        "bell", "depth_max", "dropped", "epoch", "epoch_last", "in_hand", "is_closed",
        "is_suspecting", "keeps_inbox", "messages", "name", "seat", "singles", "stop_in", "wake",
    )  # fmt: skip

    def __init__(self, name: str, *, keeps_inbox: bool, depth_max: int) -> None:
        self.name = name
        self.keeps_inbox = keeps_inbox
        self.depth_max = depth_max
        self.messages: deque[object] = deque()
        self.bell: Bell | None = None  # of the thread that waits; who takes it rings it
        self.wake: Callable[[], None] | None = None  # a runtime's, where no thread waits
        self.seat: Seat | None = None
        self.epoch = NOBODY
        self.epoch_last = NOBODY  # of all that ever served this name
        self.dropped = 0
        self.is_closed = False  # nobody will serve it again
        self.stop_in: int | None = None  # messages to go until a wanted stop
        self.in_hand = 0  # messages looked at and not yet removed
        self.is_suspecting = False  # one of those in hand may be what kills
        self.singles = 0  # suspects, given one at a time

    @property
    def depth(self) -> int:
        """How many messages wait, those in hand included."""
        return len(self.messages)

    @property
    def busy_since(self) -> float | None:
        """Since which real monotonic second the current incarnation is in a handler."""
        seat = self.seat  # an actor may be leaving it right now
        return None if seat is None else seat.busy_since

    def ring(self) -> None:
        """Let whoever serves this slot look again."""
        if self.wake is not None:
            self.wake()
        bell, self.bell = self.bell, None
        if bell is not None:
            bell.ring()


class Seat:
    """One incarnation's end of a slot. It is what pykka takes for the actor's inbox.

    pykka makes inboxes without knowing for whom; `bind` tells.
    """

    __slots__ = ("_bell", "_directory", "busy_since", "epoch", "group_max", "slot")

    _directory: Directory
    slot: Slot
    epoch: int
    group_max: int

    def __init__(self) -> None:
        self.busy_since: float | None = None
        self._bell: Bell | None = None

    def bind(self, directory: Directory, address: Address, group_max: int) -> None:
        """Sit down at a name's slot; a kept inbox gives out at most `group_max` at once."""
        assert group_max > 0, f"Expected groups of 1 or more, was {group_max}"
        self._directory = directory
        self.slot = directory.slot(address.name)
        self.epoch = address.epoch
        self.group_max = group_max
        directory.sit(self)

    def take(self) -> object:
        """Return the next message, or group of them, or STOP; None when there is nothing."""
        with self._directory.lock:
            return self._next()

    def is_current(self) -> bool:
        """Say whether this incarnation is still the one that is heard."""
        return self.slot.epoch == self.epoch

    def wait(self) -> object:
        """Return the next message, group or STOP, as soon as there is one; for one thread."""
        bell = self.hang_bell()
        while True:
            with self._directory.lock:
                item = self._next()
                if item is not None:
                    return item
                self.slot.bell = bell
            bell.wait()

    def hang_bell(self) -> Bell:
        """Return what wakes the thread that waits; `OSError` when no more files may be opened."""
        if self._bell is None:
            self._bell = Bell()
        return self._bell

    def has_more(self) -> bool:
        """Say whether `take` would return something."""
        slot = self.slot
        return bool(slot.messages) or slot.epoch != self.epoch or slot.stop_in == 0

    def drop(self, count: int) -> bool:
        """Remove the first messages, now done; a fenced incarnation removes nothing."""
        slot = self.slot
        with self._directory.lock:
            if slot.epoch != self.epoch:
                return False
            assert count <= slot.in_hand, f"Expected at most {slot.in_hand} in hand, was {count}"
            for _ in range(count):
                slot.messages.popleft()
            if slot.stop_in is not None:
                slot.stop_in -= count
            slot.singles = max(0, slot.singles - count)
            slot.in_hand = 0
            return True

    def trust(self) -> None:
        """Clear the group in hand: what goes wrong from here on is not a message's doing."""
        with self._directory.lock:
            if self.slot.epoch == self.epoch:
                self.slot.is_suspecting = False

    def leave(self) -> None:
        """Give the name up, at the end of this incarnation."""
        self._directory.fence(self.slot.name, self.epoch)

    # What pykka's own loop asks of an inbox; nobody `ask`s an actor, so only a stop is put.

    def get(self) -> Envelope[object]:
        return Envelope(self.wait())

    def put(self, envelope: Envelope[object], /) -> None:
        assert isinstance(envelope.message, _ActorStop), (
            f"Expected a message told to a name, was {envelope.message!r} put past the directory"
        )
        self._directory.stop(self.slot.name, self.epoch)
        if envelope.reply_to is not None:
            envelope.reply_to.set(None)

    def empty(self) -> bool:
        """Keep pykka's teardown from draining what belongs to the name."""
        return True

    def _next(self) -> object:
        slot = self.slot
        if slot.epoch != self.epoch or slot.stop_in == 0:
            return STOP
        if not slot.messages:
            return None
        if slot.keeps_inbox:
            return self._look()
        if slot.stop_in is not None:
            slot.stop_in -= 1
        return slot.messages.popleft()

    def _look(self) -> tuple[object, ...]:
        slot = self.slot
        limit = 1 if slot.singles else self.group_max
        if slot.stop_in is not None:
            limit = min(limit, slot.stop_in)
        group = tuple(islice(slot.messages, limit))
        slot.in_hand = len(group)
        slot.is_suspecting = True
        return group


class Directory:
    """Name -> slot. The set of names is fixed before anybody speaks."""

    def __init__(
        self,
        *,
        on_overflow: Callable[[str, int], None] | None = None,
        on_dead_letter: Callable[[str, object], None] | None = None,
    ) -> None:
        """Take what hears of trouble; both are called in whoever's thread met it.

        `on_overflow(name, dropped)` hears the 1st, 2nd, 4th, 8th ... message that an inbox could
        not hold; `on_dead_letter(name, message)` each message taken out as deadly.
        """
        self.lock = threading.Lock()
        self.fenced_messages = 0
        self._slots: dict[str, Slot] = {}
        self._on_overflow = on_overflow
        self._on_dead_letter = on_dead_letter

    def add(self, name: str, *, keeps_inbox: bool = False, depth_max: int | None = None) -> Slot:
        """Make a name known; its inbox takes messages from now on."""
        assert name not in self._slots, f"Expected a new name, was {name!r}"
        bound = depth_max or (KEPT_DEPTH_MAX if keeps_inbox else DEPTH_MAX)
        slot = Slot(name, keeps_inbox=keeps_inbox, depth_max=bound)
        self._slots[name] = slot
        return slot

    def slot(self, name: str) -> Slot:
        slot = self._slots.get(name)
        assert slot is not None, f"Expected one of {sorted(self._slots)}, was {name!r}"
        return slot

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    def tell(self, sender: Address | None, to: str, message: object) -> None:
        """Put a message into a name's inbox, unless its sender is fenced; None is the edge.

        Never from a signal handler: it may have interrupted whoever holds the lock.
        """
        slots = self._slots
        assert to in slots, f"Expected one of {sorted(slots)}, was {to!r}"
        slot = slots[to]
        with self.lock:
            if sender is not None and slots[sender.name].epoch != sender.epoch:
                self.fenced_messages += 1
                return
            messages = slot.messages
            if len(messages) < slot.depth_max:
                messages.append(message)
                if slot.wake is not None and len(messages) == 1:
                    slot.wake()
                bell, slot.bell = slot.bell, None
                dropped = 0
            elif slot.is_closed:
                return
            else:
                bell = None
                slot.dropped += 1
                dropped = slot.dropped
        if bell is not None:
            bell.ring()  # without the lock, which whoever wakes needs
        if dropped and self._on_overflow is not None and dropped & (dropped - 1) == 0:
            self._on_overflow(to, dropped)

    def open(self, name: str, epoch: int) -> None:
        """Give a name to a new incarnation; the group that killed the last one is suspected."""
        slot = self.slot(name)
        with self.lock:
            last = slot.epoch_last
            assert epoch > last, f"Expected {name!r} to get an epoch above {last}, was {epoch}"
            slot.ring()
            slot.epoch = slot.epoch_last = epoch
            slot.seat, slot.wake, slot.stop_in = None, None, None
            deadly = _suspect(slot)
        for message in deadly:
            if self._on_dead_letter is not None:
                self._on_dead_letter(name, message)

    def sit(self, seat: Seat) -> None:
        """Show the seat of the incarnation that now serves its name, if it still does."""
        with self.lock:
            if seat.slot.epoch == seat.epoch:
                seat.slot.seat = seat

    def answer_bell(self, seat: Seat, wake: Callable[[], None]) -> None:
        """Call `wake`, short and under the lock, when there is something new for a seat."""
        with self.lock:
            if seat.slot.epoch == seat.epoch:
                seat.slot.wake = wake

    def fence(self, name: str, epoch: int | None = None) -> None:
        """Silence a name's current incarnation, or only this one; at once, whatever it does."""
        slot = self.slot(name)
        with self.lock:
            if epoch is None or slot.epoch == epoch:
                slot.ring()
                slot.epoch, slot.seat, slot.wake = NOBODY, None, None

    def stop(self, name: str, epoch: int) -> None:
        """Ask an incarnation to stop once it has done what waits for it now."""
        slot = self.slot(name)
        with self.lock:
            if slot.epoch == epoch and slot.stop_in is None:
                slot.stop_in = len(slot.messages)
                slot.ring()

    def empty(self, name: str) -> None:
        """Throw away what waits for a name; its next incarnation recovers from the log."""
        slot = self.slot(name)
        assert not slot.keeps_inbox, f"Expected an inbox that is not kept, was {name!r}"
        with self.lock:
            slot.messages.clear()

    def close(self, name: str) -> None:
        """Throw away what waits for a name and whatever comes; nobody will serve it again."""
        slot = self.slot(name)
        with self.lock:
            slot.messages.clear()
            slot.depth_max, slot.is_closed = 0, True


def _suspect(slot: Slot) -> tuple[object, ...]:
    """Judge the group that was in hand when an incarnation ended; return what must go."""
    in_hand, slot.in_hand = slot.in_hand, 0
    if not (in_hand and slot.is_suspecting):
        return ()
    if not slot.singles:
        slot.singles = in_hand
        return ()
    slot.singles -= 1
    return (slot.messages.popleft(),)
