"""Every bad setting that the reading refuses, as the person sees it: 78, in words, nothing made."""

from __future__ import annotations

import pytest

from tests.cli.place import Place
from tests.test_config import BAD_FILES


@pytest.mark.parametrize(("text", "expected"), BAD_FILES, ids=[case[0][:40] for case in BAD_FILES])
def test_a_bad_file_leaves_with_78_in_one_line_and_nothing_is_made(
    place: Place, text: str, expected: str
) -> None:
    place.configure(text)
    said = place.say("run")

    assert said.code == 78
    (line,) = said.err.splitlines()
    assert line.startswith(": ".join(expected.split(": ")[:2])), line  # the line and the key
    assert said.out == ""
    assert place.names() == {"config.toml"}
