"""Who speaks with the configured exchange: clients for prices, without a key, and for the account.

The only place where keys are handed on. It opens nothing: a client is made, and its library
loaded, at its first call.
"""

from __future__ import annotations

from collections.abc import Callable

from aegis.config.model import Config
from aegis.exchange.live.calls import MakeClient
from aegis.exchange.live.client.client import Access, client_maker
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.client.markets import Markets, markets_beside
from aegis.exchange.live.profiles import PROFILES
from aegis.ports import Log

SILENCE_SHARE = 0.8
"""Of a call's deadline: a client that hears nothing for so long says so itself, and can go on."""


class Clients:
    """Makes the clients of one configuration; they share what the exchange lists."""

    def __init__(self, config: Config, log: Log) -> None:
        self.profile = PROFILES[config.exchange.name]
        self._exchange = config.exchange
        self._markets = Markets(
            markets_beside(config.store.path),
            config.exchange.name,
            lambda text: log("InstrumentsRemark", level="warning", text=text),
        )

    def public(self, now_ms: Callable[[], int]) -> MakeClient:
        """Return what makes clients that know no key: for prices, candles and instruments."""
        return client_maker(self.profile, self._access(None), now_ms, self._markets)

    def private(self, config: Config, now_ms: Callable[[], int]) -> MakeClient:
        """Return what makes clients of the account, with the keys of a configuration."""
        key, secret = config.secrets.exchange_api_key, config.secrets.exchange_secret
        assert key is not None, "Expected the key to be checked already"
        assert secret is not None, "Expected the secret to be checked already"
        keys = Keys(api_key=key, secret=secret)
        return client_maker(self.profile, self._access(keys), now_ms, self._markets)

    def _access(self, keys: Keys | None) -> Access:
        exchange = self._exchange
        return Access(
            keys=keys,
            base_url=exchange.base_url,
            is_sandbox=exchange.sandbox,
            silence_s_max=exchange.call_deadline_s * SILENCE_SHARE,
        )
