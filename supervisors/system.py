"""The composition root: one AEGIS, from a configuration to its parts and its tree.

The only place that chooses paper or live, real or fake. It owns the order in which things open
and close; it must never decide anything about trading. Who drives the runtime is `runs`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from actors import names
from actors.base import ActorRuntime, outcome_of
from actors.command_listener import ControlPort
from actors.directory import Directory
from aegis.archive.settings import archive_of
from aegis.clock import read_clocks, wall_text
from aegis.config.model import Config
from aegis.config.recorded import recorded_settings
from aegis.domain.account import CANARY, TradingState
from aegis.domain.book import Book
from aegis.domain.commands import ChangeTradingState, Command, Refusal
from aegis.domain.events import Recorded
from aegis.domain.ids import EventId, Instant, account_tag
from aegis.domain.notices import notice_of
from aegis.domain.recorded import Fact, RunEnded, SettingsChanged
from aegis.domain.wishes import Plan
from aegis.exchange.lookout import LISTING_EACH_S
from aegis.exchange.lookout import Patience as GatewayPatience
from aegis.exchange.paper import no_faults
from aegis.messages import Execute
from aegis.ports import Log, Messenger
from aegis.store.clerk import Clerk
from aegis.store.inspection import Inspection, Places
from aegis.store.journal import Store
from aegis.store.recorder import Recorder
from aegis.strategy_loader import strategy_maker
from aegis.tuning import Reconfigured
from aegis.vitals import NoteCalls
from supervisors.backing import Backing, back_up_before_migration
from supervisors.desk import Desk
from supervisors.desks import ClientsOf, clients_of, desk_of
from supervisors.examination import Examination, RealTime
from supervisors.ground import Ground, ground_of, run_started
from supervisors.keeper import Pulse
from supervisors.markets import Opened, Setting, market_in
from supervisors.paper_desk import Faults
from supervisors.preflight import (
    refuse_other_markets,
    refuse_stray_ledger,
)
from supervisors.settings import (
    about_of,
    identity_of,
    ledger_path,
    tuning_of,
)
from supervisors.spec import Patience, Tree
from supervisors.store_lives import StoreLives
from supervisors.supervisor import Hooks, Verdict, supervise
from supervisors.tree import TRADING, Errand, Parts, tree_of

if TYPE_CHECKING:
    from supervisors.clients import Clients

DAY_S = 86_400.0
"""At speed 0 a minute of patience would be one candle: restarts of a market day count together."""

OUTBOX_AFTER_S = 300.0
"""Real seconds after which a notice that nobody has sent is overdue."""

UNKNOWN_AFTER_BARRIERS = 3
"""Past its barrier an order is proved absent or found; three of them are too long."""

UNPROVABLE_S = 60.0
"""Where nobody can prove absence, in the barrier's place."""

DEEP_INTERVAL_S = 3600.0
"""Real seconds between looks into files and indices; at speed 0 the start's is the only one."""

TICKS_A_CANDLE = 4
"""Of a market made from candles: a price is stale when the next tick is overdue, not before."""

DEAD_LETTER_CHARS_MAX = 500

TUNED = (
    names.POSITION_STORE,
    names.RECONCILER,
    names.GUARD,
    names.STRATEGY,
    names.DIAGNOSTICIAN,
)
"""Who hears of changed settings."""


class System:
    """Everything opened and composed, nothing running until `start`."""

    def __init__(
        self,
        config: Config,
        *,
        folder: Path,
        runtime_of: Callable[[Instant], ActorRuntime],
        log: Log,
        control: ControlPort,
        messengers: tuple[Messenger, ...],
        draw_incarnation: Callable[[], str],
        faults: Faults = no_faults,
        make_clients: ClientsOf = clients_of,
        errand: Errand | None = None,
        ground: Ground | None = None,
        is_kept: bool = True,
    ) -> None:
        """Open store, account and market; raises what they raise, and then holds nothing.

        `runtime_of` is given the market's instant at which this run begins. `folder` is where
        a person's strategy is looked for. `ground` is the market, where it is not the
        configuration's; `make_clients` makes who speaks with an exchange. Only what a backtest
        writes may be not kept; it is not recorded either.
        """
        self.config = config
        self._errand = errand
        self._is_kept = is_kept
        self._messengers = messengers
        self.log = log
        self.pulse = Pulse()
        self.verdicts: SimpleQueue[Verdict] = SimpleQueue()
        self.is_market_ended = False
        self.ground = ground_of(config) if ground is None else ground
        self._identity = identity_of(config, self.ground.name)
        self._draw_incarnation = draw_incarnation
        is_recorded = is_kept and errand is None
        self._recorder = Recorder(config.market.timeframe_s, self._cut) if is_recorded else None
        begins_at = self.ground.begins_at
        with ExitStack() as opened:
            refuse_stray_ledger(config.store.path, ledger_path(config))
            self._lives = StoreLives(config.store.path, self._open_store, begins_at)
            opened.callback(self._store.close)
            self.recovered_events = self._store.recovered_events
            refuse_other_markets(self._store, config.exchange.symbols)
            clients = make_clients(config, log)
            self.desk = opened.enter_context(closing(self._desk(clients, faults)))
            lived_until = max(self._store.stamp(Instant(0)), self.desk.lived_until)
            self.runtime = runtime_of(max(lived_until, begins_at))
            self._note(run_started(config, self.ground, self._store.incarnation, folder))
            self.desk.open(self.runtime)
            self.market = opened.enter_context(closing(self._market(clients, lived_until)))
            self._tuning = tuning_of(config, self.runtime.clock)
            self._backing = self._backing_of(self.runtime.clock.now())
            self._examination = self._examining(opened)
            self.tree = self._tree(folder, control)
            self._opened = opened.pop_all()
        self.directory = Directory(on_overflow=self._overflowed, on_dead_letter=self._dead_lettered)
        self._stop: Callable[[], None] = lambda: None

    def execute_first(self, command: Command, *, by: str) -> tuple[Recorded, ...] | Refusal:
        """Decide and commit before anybody lives, and so before the exchange is asked anything."""
        clerk = Clerk(self._store, self._tuning.limits, by=by)
        return clerk.execute(command, now=self.runtime.clock.now())

    def start(self, seed: int) -> None:
        """Start the tree; its end comes as a verdict."""
        for remark in self.ground.remarks:
            self.log("ReplayRemark", level="warning", text=remark)
        self.desk.begin()
        supervisor = self.config.supervisor
        self._stop = supervise(
            self.tree,
            Patience(
                restarts_max=supervisor.restarts_max,
                window_s=supervisor.window_s if self.config.market.speed else DAY_S,
                backoff_ms_first=supervisor.backoff_ms_first,
                backoff_ms_max=supervisor.backoff_ms_max,
                stop_deadline_s=supervisor.stop_deadline_s,
            ),
            runtime=self.runtime,
            directory=self.directory,
            hooks=Hooks(on_verdict=self.verdicts.put, on_abandon=self._abandoned, log=self.log),
            seed=seed,
        )

    def reconfigure(self, config: Config) -> None:
        """Let what can change while AEGIS runs be as configured from now on.

        The value first, then the word: whoever starts in between is built from it, or told.
        """
        self.desk.renew(config)
        self._tuning = tuning_of(config, self.runtime.clock)
        self._note(SettingsChanged(settings=recorded_settings(config)))
        for name in TUNED:
            self.directory.tell(None, name, Reconfigured(tuning=self._tuning))

    def book(self) -> Book:
        """Return the book as it was committed last; for whoever runs this on one thread."""
        return self._store.book

    @property
    def last_event_id(self) -> EventId:
        """The last event that is on disk; any thread may ask."""
        return self._store.last_event_id

    def note_end(self) -> None:
        """Record that this run was told to end, or has come to the end of its data."""
        self._note(RunEnded(is_market_over=self.is_market_ended))

    def stop(self) -> None:
        """Ask the tree to end: Strategy first, the store last."""
        self._stop()

    def close(self) -> None:
        """Close what the actors did not: the ledger, and a store that no actor took."""
        self._opened.close()

    def _desk(self, clients: Clients | None, faults: Faults) -> Desk:
        return desk_of(
            self.config,
            self._store,
            self.ground,
            clients,
            self.log,
            on_calls=self._note_calls,
            on_canary_over=self._canary_over,
            faults=faults,
            is_kept=self._is_kept,
        )

    def _market(self, clients: Clients | None, lived_until: Instant) -> Opened:
        setting = Setting(
            config=self.config,
            ground=self.ground,
            runtime=self.runtime,
            venue=self.desk.venue,
            recorder=self._recorder,
            lived_until=lived_until,
            errand=self._errand,
            clients=clients,
            log=self.log,
        )
        return market_in(setting)

    @property
    def _store(self) -> Store:
        return self._lives.store

    def _open_store(self, now: Instant, *, is_first: bool) -> Store:
        return Store.open(
            self.config.store.path,
            self._identity,
            draw_incarnation=self._draw_incarnation,
            now=now,
            channels=tuple(each.channel for each in self._messengers),
            notice_of=partial(notice_of, about=about_of(self.config)),
            recorder=self._recorder,
            may_mend=is_first,
            is_kept=self._is_kept,
            backup=partial(back_up_before_migration, self.config) if self._is_kept else None,
        )

    def _backing_of(self, now: Instant) -> Backing | None:
        """Return who makes backups; nobody at speed 0, where a day is a moment."""
        if self.config.market.speed == 0 or not self._is_kept:
            return None
        return Backing(archive_of(self.config), wall_text, now)

    def _examining(self, opened: ExitStack) -> Examination:
        places = Places(
            path=self.config.store.path,
            files=lambda: self._store.files,
            outbox_after_s=OUTBOX_AFTER_S / self.runtime.clock.real_s(1.0),
            is_proved=True,
        )
        inspection = Inspection(places)
        opened.callback(inspection.close)
        vitals = self.desk.exchange.vitals
        return Examination(inspection, self._real_time(), self._backing, vitals)

    def _stale_after_s(self) -> float:
        """Return after how many real seconds without news a price is stale."""
        market = self.config.market
        if market.source == "exchange":
            return market.stale_after_s
        tick_s = self.runtime.clock.real_s(market.timeframe_s / TICKS_A_CANDLE)
        return market.stale_after_s + tick_s

    def _real_time(self) -> RealTime | None:
        """Return what tells of news and clocks, where market time follows a real one."""
        heard_at = self.market.heard_at
        if self.config.market.speed == 0 or heard_at is None:
            return None
        return RealTime(
            heard_at=heard_at,
            monotonic=self.runtime.clock.monotonic,
            stale_after_s=self._stale_after_s(),
            read_clocks=read_clocks,
        )

    def _abandoned(self, name: str, reason: str) -> None:
        """Halt entries for good when the strategy has used up its restarts; stops go on."""
        self.pulse.abandon()
        self.log("StrategyAbandoned", level="error", name=name, reason=reason)
        why = f"entries halted, positions guarded: {name} gave up ({reason})"
        self._halt("strategy", why)

    def _halt(self, cause: str, reason: str) -> None:
        command = ChangeTradingState(state=TradingState.REDUCING, cause=cause, reason=reason)
        self.directory.tell(None, names.POSITION_STORE, Execute(command=command, by="Supervisor"))

    def _overflowed(self, name: str, dropped: int) -> None:
        self.log("InboxOverflowed", level="error", name=name, dropped=dropped)

    def _dead_lettered(self, name: str, message: object) -> None:
        """Tell of a message that took its actor down by itself, and is not tried again."""
        what = repr(message)[:DEAD_LETTER_CHARS_MAX]
        self.log("DeadLetter", level="error", name=name, message=what)

    def _note(self, fact: Fact) -> None:
        """Let the recording have a fact about this run, where there is one."""
        if self._recorder is not None:
            self._recorder.note(self.runtime.clock.now(), self._store.last_event_id, fact)

    def _note_calls(self, note: NoteCalls) -> None:
        self.directory.tell(None, names.POSITION_STORE, note)

    def _canary_over(self, why: str) -> None:
        """Halt entries where a canary has sent its last one; that may fill, and is guarded."""
        self.log("CanaryOver", level="warning", text=why)
        self._halt(CANARY, why)

    def _cut(self, blocks: int) -> None:
        self.log("RecordingCut", level="warning", blocks=blocks)

    def _market_ended(self) -> None:
        self.is_market_ended = True

    def _tree(self, folder: Path, control: ControlPort) -> Tree:
        config = self.config
        identity, proof = self._identity, self.desk.proof
        is_watched = config.market.speed > 0 and self._errand is None
        is_asked = config.market.source == "exchange" and (self._errand or TRADING).is_trading
        parts = Parts(
            tag=account_tag(identity.mode, identity.exchange, identity.account),
            symbols=config.exchange.symbols,
            tuning=lambda: self._tuning,
            quote_coin=config.exchange.quote,
            open_store=lambda: self._lives.next(self.runtime.clock.now()),
            exchange=self.desk.exchange,
            gateway_patience=GatewayPatience(
                poll_interval_s=config.market.poll_interval_s,
                stale_after_s=self._stale_after_s(),
                barrier_s=proof.barrier_s,
                lag_s=proof.lag_s,
                listing_each_s=LISTING_EACH_S if config.mode == "live" else None,
            ),
            market=self.market.data,
            on_market_ended=self._market_ended,
            make_strategy=None
            if self._errand is not None
            else strategy_maker(config.strategy.name, config.strategy.params, folder, outcome_of),
            plan=Plan(
                name=config.strategy.name,
                symbols=config.exchange.symbols,
                sizing=self._tuning.sizing,
                policy=self._tuning.policy,
                spread_bps=config.paper.spread_bps,
                entries_max=config.risk.entries_per_position_max,
            ),
            fresh_s=config.market.stale_after_s,
            began_s=self.runtime.clock.monotonic(),
            has_exchange_stop=config.risk.exchange_stop != "off",
            is_shared=config.mode == "live",
            inspect=self._examination.look,
            unknown_after_s=int(UNKNOWN_AFTER_BARRIERS * (proof.barrier_s or UNPROVABLE_S)),
            deep_interval_s=DEEP_INTERVAL_S if is_watched else None,
            messengers=self._messengers if self._errand is None else (),
            errand=self._errand or TRADING,
            control=control,
            heartbeat_s=config.supervisor.heartbeat_s if is_watched else None,
            feed_check_s=config.market.stale_after_s if is_watched or is_asked else None,
            pulse=self.pulse,
            make_backup=self._backing.make if self._backing and not self._errand else None,
            backup_interval_s=self.runtime.clock.real_s(config.backup.interval_s),
        )
        return tree_of(parts)
