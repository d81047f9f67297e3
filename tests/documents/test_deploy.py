"""What deploy/ promises: the unit's words, and the container's files and commands, tried here.

No container is built and no service manager is asked: what they would run is run.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.cli.codes import Code
from aegis.config.model import Config
from aegis.config.reading import PREFIX
from tests.cli.place import PATIENCE_S, Foreground, Place, clean_environ
from tests.documents.log_lines import ROOT

DEPLOY = ROOT / "deploy"
IN_CONTAINER = Path("/app")


class Unit(configparser.RawConfigParser):
    """A unit file; each key once, but those that may come again."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture(scope="module")
def unit() -> Unit:
    read = Unit(strict=True, interpolation=None, comment_prefixes=("#",))
    read.read_string((DEPLOY / "aegis.service").read_text())
    return read


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and their arguments, lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = filter(None, text.replace("\\\n", " ").splitlines())
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def argument(word: str) -> str:
    (found,) = [rest for instruction, rest in instructions() if instruction == word]
    return found


def copies() -> Iterator[tuple[Path, str]]:
    """Yield each source that is copied, and where to below the folder of the application."""
    for word, rest in instructions():
        if word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                name = Path(source).name if target.endswith("./") else target.removeprefix("./")
                yield ROOT / source, name


# systemd ------------------------------------------------------------------------------------


def test_the_unit_is_for_a_service_that_says_when_it_is_ready(unit: Unit) -> None:
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    assert unit["Service"]["Type"] == "notify"
    assert unit["Service"]["KillSignal"] == "SIGTERM"
    assert unit["Service"]["ExecReload"].endswith("-HUP $MAINPID")


def test_it_is_started_again_but_for_what_a_start_cannot_mend(unit: Unit) -> None:
    service = unit["Service"]
    assert service["Restart"] == "always"
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == {
        Code.CORRUPT,
        Code.NO_PERMISSION,
        Code.CONFIG,
    }
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


def test_the_watchdog_waits_longer_than_a_heartbeat(unit: Unit) -> None:
    assert int(unit["Service"]["WatchdogSec"]) >= 2 * Config().supervisor.heartbeat_s


def test_it_runs_as_a_user_of_its_own_with_nothing_to_gain(unit: Unit) -> None:
    service = unit["Service"]
    assert service["User"] == service["Group"] == "aegis"
    assert service["NoNewPrivileges"] == service["ProtectHome"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["StateDirectory"] == service["LogsDirectory"] == "aegis"


def test_the_unit_s_command_is_one_of_ours(unit: Unit, place: Place) -> None:
    interpreter, program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert interpreter.endswith("/.venv/bin/python")
    assert Path(program).name == "run.py"
    at = arguments.index("--config")
    assert Path(arguments[at + 1]).parent == Path(unit["Service"]["WorkingDirectory"])
    arguments[at + 1] = str(place.folder / "config.toml")
    assert place.say(*arguments, "--help").code == 0


def test_no_secret_stands_in_the_unit(unit: Unit) -> None:
    text = (DEPLOY / "aegis.service").read_text()
    named = re.findall(rf"{PREFIX}\w+(?:TOKEN|KEY|SECRET)\w*", text)
    assert all(name.endswith("_FILE") for name in named)
    assert "AEGIS_TELEGRAM__TOKEN_FILE" in named


def test_the_paths_of_the_readme_are_the_unit_s_folders(unit: Unit) -> None:
    readme = (DEPLOY / "README.md").read_text()
    assert f'path = "/var/lib/{unit["Service"]["StateDirectory"]}/aegis.db"' in readme
    assert f'path = "/var/log/{unit["Service"]["LogsDirectory"]}/aegis.log"' in readme


# The container ------------------------------------------------------------------------------


def test_whatever_is_copied_is_there_and_not_ignored() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for source, _ in copies():
        assert source.exists(), source
        assert f"!{source.name}" in ignored


def test_all_that_is_installed_and_run_is_copied() -> None:
    packages = (ROOT / "setup.cfg").read_text().partition("[options.packages.find]")[2]
    listed = set(re.findall(r"^    (\w+)\*$", packages, re.MULTILINE))
    assert len(listed) == 3
    assert {name for _, name in copies()} >= listed | {"run.py", "config.toml", "setup.cfg"}


def test_the_container_runs_as_nobody_special_and_keeps_its_data() -> None:
    assert argument("USER") == "aegis"
    assert json.loads(argument("VOLUME")) == ["/data"]
    assert argument("STOPSIGNAL") == "SIGTERM"
    assert "/" not in argument("FROM")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the container's would have, and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    skipped = shutil.ignore_patterns("__pycache__")
    for source, name in copies():
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=skipped)
        else:
            shutil.copy(source, folder / name)
    return folder


def test_the_container_s_commands_run_and_stop_in_its_files_alone(
    image: Path, tmp_path: Path
) -> None:
    environ = dict(pair.split("=", 1) for pair in shlex.split(argument("ENV")))
    placed = {
        name: value.replace("/data", str(tmp_path)) if name.startswith(PREFIX) else value
        for name, value in environ.items()
    }
    entry, default = json.loads(argument("ENTRYPOINT")), json.loads(argument("CMD"))
    check = json.loads(argument("HEALTHCHECK").partition(" CMD ")[2])
    assert entry[0] == check[0] == "python"
    aegis = Foreground(image, *default, program=image / entry[1], environ=placed)
    try:
        aegis.wait_for("StrategyArmed")
        healthy = subprocess.run(
            [sys.executable, *check[1:]],
            cwd=image,
            env=clean_environ(placed),
            timeout=PATIENCE_S,
            capture_output=True,
            check=False,
        )
        assert healthy.returncode == 0, healthy
        assert aegis.end().code == 0
    finally:
        aegis.clear()
    assert {path.name for path in tmp_path.iterdir()} >= {"aegis.db", "aegis.log"}
    assert not (image / "data").exists()
