"""The only place that chooses paper or live: which desk orders go to, and who asks an exchange.

Invariant: nobody but a live desk is ever handed a key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aegis.config.model import Config
from aegis.ports import Log
from aegis.store.journal import Store
from aegis.vitals import NoteCalls
from supervisors.desk import Desk
from supervisors.ground import Ground
from supervisors.paper_desk import Faults, PaperDesk

if TYPE_CHECKING:
    from supervisors.clients import Clients

ClientsOf = Callable[[Config, Log], "Clients | None"]


def clients_of(config: Config, log: Log) -> Clients | None:
    """Return who makes an exchange's clients; None where the market is none of an exchange's.

    What they take to load is not spent on a market that is simulated or replayed.
    """
    if config.market.source != "exchange":
        return None
    from supervisors.clients import Clients

    return Clients(config, log)


def desk_of(
    config: Config,
    store: Store,
    ground: Ground,
    clients: Clients | None,
    log: Log,
    *,
    on_calls: Callable[[NoteCalls], None],
    on_canary_over: Callable[[str], None],
    faults: Faults,
    is_kept: bool,
) -> Desk:
    """Return the account that a configuration trades; raises what a ledger raises.

    `on_calls` hears how calls to an exchange fared, `on_canary_over` why no entries go out any
    more, `faults` go wrong on paper alone.
    """
    if config.mode != "live":
        return PaperDesk(config, store, ground, faults=faults, is_kept=is_kept)
    from supervisors.live_desk import LiveDesk

    assert clients is not None, "Expected clients, since money is traded on real prices alone"
    return LiveDesk(
        config,
        clients,
        log,
        entries_sent=store.entries_sent(),
        on_calls=on_calls,
        on_canary_over=on_canary_over,
    )
