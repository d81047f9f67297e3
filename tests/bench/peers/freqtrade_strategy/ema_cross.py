"""The bench's strategy as freqtrade wants it; its settings come from the config's `bench`."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from freqtrade.strategy import IStrategy
from pandas import DataFrame

AMOUNT_STEP = Decimal("0.00001")


class EmaCross(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi: ClassVar = {"0": 1_000}
    stoploss = -0.99
    use_exit_signal = True
    process_only_new_candles = True
    startup_candle_count = 0

    def populate_indicators(self, dataframe: DataFrame, metadata: object) -> DataFrame:
        task = self.config["bench"]
        fast, slow = (
            dataframe["close"].ewm(span=task[name], adjust=False).mean()
            for name in ("fast", "slow")
        )
        dataframe["is_above"] = fast > slow
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: object) -> DataFrame:
        above = dataframe["is_above"]
        crossed = above & ~above.shift(1, fill_value=True)
        is_warm = dataframe.index >= self.config["bench"]["warmup"]
        dataframe.loc[crossed & is_warm, "enter_long"] = 1
        # The amount is worked out from the close that decides, as in all engines.
        dataframe["enter_tag"] = dataframe["close"].astype(str)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: object) -> DataFrame:
        dataframe.loc[~dataframe["is_above"], "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, current_rate: float, entry_tag: str, **_told: object) -> float:
        notional = Decimal(self.config["bench"]["notional"])
        steps = notional / Decimal(entry_tag) // AMOUNT_STEP
        # A hair more, as the amount is cut to its step once more after a division of floats.
        return float(steps * AMOUNT_STEP) * current_rate * (1 + 1e-9)
