"""The frame of a page: head, style, script, and the policy that lets nothing in or out.

Invariant: what the policy allows is this style and this script, named by their hashes, and nothing
else: no request, no image, no font, no frame, no form.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

import msgspec

from aegis.cli.page.markup import Markup, element, joined


def document(title: str, body: Markup, points: object) -> str:
    """Return a whole page; `points` is what its script reads."""
    style, script = _own("report.css"), _own("report.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    data = msgspec.json.encode(points).decode().replace("<", "\\u003c")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", style),
    )
    whole = element(
        "html",
        head,
        element(
            "body",
            body,
            element("script", Markup(data), type="application/json", id="points"),
            element("script", script),
        ),
        lang="en",
    )
    return joined((Markup("<!doctype html>\n"), whole, Markup("\n")))


def _own(name: str) -> Markup:
    return Markup(files("aegis.cli.page").joinpath(name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
