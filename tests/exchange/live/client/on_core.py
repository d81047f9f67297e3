"""The product's own client on a local exchange in this process: all of it but the socket."""

from __future__ import annotations

from aegis.config.secret import Secret
from aegis.exchange.live.calls import MakeClient
from aegis.exchange.live.client.client import Access, Client
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.client.markets import Markets
from aegis.exchange.live.profiles import CRYPTOCOM
from tests.exchange_server.ccxt_peer import IN_PROCESS, CoreAdapter
from tests.exchange_server.in_process import SECRET, InProcess


def client_on(place: InProcess) -> Client:
    """Return a client whose requests a core answers at once, on the clock of that exchange."""
    access = Access(
        keys=Keys(api_key=Secret(place.core.key), secret=Secret(SECRET)), base_url=IN_PROCESS
    )
    markets = Markets(None, CRYPTOCOM.name, lambda _: None)
    client = Client(CRYPTOCOM, access, lambda: place.now // 10**6, markets)
    session = client._opened()._exchange.session
    session.mount("http://", CoreAdapter(place.core, lambda: place.now))
    return client


def maker_on(place: InProcess) -> MakeClient:
    """Return what makes such clients, as a line wants them."""
    return lambda: client_on(place).execute
