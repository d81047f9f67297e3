"""A store put back, and what it had forgotten, as a person asks for them."""

from __future__ import annotations

from msgspec.structs import replace

from aegis.cli.asking import Place, act_alone, is_without_store, tell_answer, tell_no_store
from aegis.cli.codes import Code
from aegis.cli.output import complain, is_answering
from aegis.control import Ask


def restore_and_tell(place: Place, which: str, *, is_json: bool) -> Code:
    """Put back what is named, and say what was done and what comes next."""
    wanted = Ask(command="restore", backup=which)
    answer = act_alone(place, wanted, "Restoring")
    return answer if isinstance(answer, Code) else tell_answer(answer, is_json=is_json)


def recover_and_tell(place: Place, *, is_dry_run: bool, is_agreed: bool, is_json: bool) -> Code:
    """Show what would be booked, ask, and book it; with `is_agreed` nobody is asked.

    Where nothing was forgotten nobody is asked either: the books are compared, and that is told.
    """
    if is_without_store(place):
        looks = Ask(command="recover", is_dry_run=is_dry_run)
        return tell_no_store(place.config.store.path, looks, is_json=is_json)
    if not is_agreed:
        found = act_alone(place, Ask(command="recover", is_dry_run=True), "Looking")
        if isinstance(found, Code):
            return found
        if is_dry_run:  # which was done, whatever it found
            return tell_answer(replace(found, is_done=True), is_json=is_json)
        if not found.is_done:
            tell_answer(found, is_json=is_json)
            if is_json or not is_answering("Book them?"):
                complain("Nothing was booked; say --yes, or answer y, to book them")
                return Code.NO
    answer = act_alone(place, Ask(command="recover"), "Booking")
    return answer if isinstance(answer, Code) else tell_answer(answer, is_json=is_json)
