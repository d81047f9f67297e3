"""One or two real lines for each command's help; a test carries out each as far as help."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "run": ("run.py", "AEGIS_MARKET__SPEED=60 run.py run --config mine/config.toml"),
    "backtest": (
        "run.py backtest --data candles.csv",
        "run.py backtest --data candles.csv --set strategy.params.fast=5 --json",
    ),
    "what-if": (
        "run.py what-if",
        "run.py what-if --set risk.stop_loss_pct=1.5 --from 2024-01-02",
    ),
    "status": ("run.py status --watch", "run.py status --json | jq '.equity, .to_settle'"),
    "positions": ("run.py positions", "run.py positions --all --json | jq '.[].pnl'"),
    "history": (
        "run.py history --limit 20",
        "run.py history 066f169ab70f613d004c4657",
        "run.py history --from 2024-01-31T09:30 --to 2024-01-31T10:00",
        "run.py history --from 1 --json | jq -c '.[] | [.event_id, .event_type]'",
    ),
    "at": (
        "run.py at 2024-01-31T10:00",
        "run.py at 1200 --json | jq '.balances'",
    ),
    "statistics": ("run.py statistics", "run.py statistics --json"),
    "report": (
        "run.py report --html report.html",
        "run.py report --since 2024-01-01 --html new.html",
    ),
    "export": (
        "run.py export --from 2024-01-01 --to 2025-01-01 --out trades-2024.csv",
        "run.py export --what fills --format jsonl | jq .fee",
    ),
    "verify": ("run.py verify && cp data/aegis.log elsewhere/",),
    "health": ("run.py health || systemctl restart aegis",),
    "config check": ("AEGIS_RISK__STOP_LOSS_PCT=1.5 run.py config check",),
    "config show": ("run.py config show > all-settings.toml",),
    "backups": ("run.py backups --verify", "run.py backups --json | jq '.[0].head_hash'"),
    "backup": ("run.py backup && run.py backups",),
    "restore": ("run.py restore latest && run.py reconcile",),
    "recover": ("run.py recover --dry-run", "run.py recover"),
    "reconcile": ("run.py reconcile --dry-run", "run.py reconcile"),
    "diagnose": ("run.py diagnose --dry-run", "run.py diagnose --json"),
    "halt": ("run.py halt",),
    "resume": ("run.py status && run.py resume",),
    "flatten": ("run.py flatten --dry-run", "run.py flatten"),
    "import": (
        "run.py import old_state.json --dry-run",
        "run.py import positions.csv",
    ),
    "resolve": (
        "run.py resolve 066f169ab70f613d004c4657 --transferred",
        "run.py resolve 066f169ab70f613d004c4657 --closed-at 40100.5",
        "run.py resolve ae1f2c7d9b3e4a5f60718293a4b5c6d7 --never-placed",
    ),
}


def epilog_of(command: str) -> str | None:
    """Return what stands below a command's help; paragraphs become lines there."""
    lines = EXAMPLES.get(command)
    return None if lines is None else "\n\n".join(("Examples:", *lines))
