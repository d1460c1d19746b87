"""``glottis serve --agent``, ``glottis talk`` and ``glottis.run``, up to the gateway that they start."""

import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import trio
from glottis import Call, ConfigurationError, LocalError
from glottis.cli import Parts, main
from glottis.cli.agents import reload_on_change
from glottis.cli.script import run_agent
from glottis.client.command import CallerOptions
from glottis.config import ResolvedConfig
from glottis.plugins import AgentFile, Registry, load_plugins
from msgspec.structs import replace
from support.audio import SPEECH
from support.imports import imports_of

CODE = "async def parrot(call): ...\n"
PLUGIN = """
from glottis import AgentSpec, hookimpl
async def parrot(call): ...
@hookimpl
def register_agents():
    return [AgentSpec("mimic", lambda settings: parrot)]
"""


@pytest.fixture(name="agent_file")
def write_agent_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "my.py"
    path.write_text(CODE)
    with imports_of(tmp_path):
        yield path


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    """What the commands change of the log is as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


class Gateway:
    """Stands in for what the commands run."""

    def __init__(self) -> None:
        self.config: ResolvedConfig | None = None
        self.caller: CallerOptions | None = None
        self.beside: tuple[Callable[[], Awaitable[None]], ...] = ()
        self.parts = Parts(run_gateway=self.run, run_talk=self.talk)

    def run(self, config: ResolvedConfig, *beside: Callable[[], Awaitable[None]]) -> None:
        self.config, self.beside = config, beside

    def talk(self, config: ResolvedConfig, caller: CallerOptions, registry: Registry) -> int:
        self.config, self.caller = config, caller
        return 0


def test_a_function_is_served_as_a_campaign_of_its_name_with_the_demo_page(agent_file: Path) -> None:
    gateway = Gateway()
    assert main(["serve", "--agent", f"{agent_file}:parrot"], gateway.parts) == 0
    assert gateway.config
    assert list(gateway.config.campaigns) == ["parrot"]
    assert "demo" in gateway.config.page_sets
    assert gateway.beside == ()


def test_the_campaign_of_its_name_keeps_the_settings_and_the_others_are_there(agent_file: Path, tmp_path: Path) -> None:
    config = tmp_path / "glottis.toml"
    config.write_text("""
        [campaigns.echo]
        agent = "echo"
        [campaigns.parrot]
        agent = "echo"
        sample_rate = 24000
        settings = { words = ["polly"], times = 2 }
    """)
    gateway = Gateway()
    assert main(["serve", "--config", str(config), "--agent", f"{agent_file}:parrot"], gateway.parts) == 0
    assert gateway.config
    assert gateway.config.campaigns["echo"].agent.name == "echo"
    parrot = gateway.config.campaigns["parrot"]
    assert (parrot.agent.name, parrot.sample_rate) == (f"{agent_file}:parrot", 24000)
    assert parrot.agent.told_settings == {"words": ["polly"], "times": 2}


def test_campaigns_name_functions_too_and_share_one_with_settings_of_their_own(
    agent_file: Path, tmp_path: Path
) -> None:
    config = tmp_path / "glottis.toml"
    config.write_text(f"""
        [campaigns.a]
        agent = "{agent_file}:parrot"
        settings = {{ word = "a" }}
        [campaigns.b]
        agent = "{agent_file}:parrot"
    """)
    gateway = Gateway()
    assert main(["serve", "--config", str(config), "--reload"], gateway.parts) == 0
    assert gateway.config
    settings = {name: campaign.agent.told_settings for name, campaign in gateway.config.campaigns.items()}
    assert settings == {"a": {"word": "a"}, "b": {}}
    assert len(gateway.beside) == 1


@pytest.mark.parametrize("command", ["serve", "talk"])
def test_a_file_may_be_called_as_the_module_of_an_installed_plugin(command: str, tmp_path: Path) -> None:
    (installed := tmp_path / "installed").mkdir()
    (mine := tmp_path / "mine").mkdir()
    (installed / "mimic.py").write_text(PLUGIN)
    (mine / "mimic.py").write_text(CODE)
    (config := mine / "glottis.toml").write_text('[campaigns.other]\nagent = "mimic"\n')
    reference = f"{mine / 'mimic.py'}:parrot"
    gateway = Gateway()
    entry_points = [EntryPoint("mimic", "mimic", "glottis"), *metadata.entry_points(group="glottis")]
    parts = replace(gateway.parts, load_plugins=partial(load_plugins, installed=entry_points))
    with imports_of(tmp_path):
        sys.path.insert(0, str(installed))
        arguments = [command, *(["--agent"] if command == "serve" else []), reference, "--config", str(config)]
        assert main(arguments, parts) == 0
    assert gateway.config
    agents = {name: campaign.agent.name for name, campaign in gateway.config.campaigns.items()}
    assert agents == {"other": "mimic", "parrot": reference}


def test_each_campaign_whose_function_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "glottis.toml"
    config.write_text('[campaigns.a]\nagent = "none.py:a"\n[campaigns.b]\nagent = "none.py:b"\n')
    assert main(["config", "check", "--config", str(config)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"glottis: campaigns.{name}.agent: none.py: there is no such file (in {config})" for name in "ab"
    ]


@pytest.mark.parametrize("command", [["serve", "--agent"], ["talk"]])
def test_what_is_no_agent_is_told_in_one_line_and_exit_code_2(
    command: list[str], agent_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, f"{agent_file}:parot"], Gateway().parts) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(f"{agent_file}:parot: nothing there is called 'parot'; did you mean parrot?")


def test_reload_needs_an_agent(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--reload"], Gateway().parts) == 2
    assert "--reload: expected --agent FILE:FUNCTION beside it" in capsys.readouterr().err


def test_with_reload_the_files_are_watched_beside_the_gateway(agent_file: Path) -> None:
    gateway = Gateway()
    assert main(["serve", "--agent", f"{agent_file}:parrot", "--reload"], gateway.parts) == 0
    assert len(gateway.beside) == 1


def test_a_port_that_is_taken_is_told_in_one_line_with_reload_too(
    agent_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("GLOTTIS_SERVER__PORT", str(taken.getsockname()[1]))
        assert main(["serve", "--agent", f"{agent_file}:parrot", "--reload"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "server.host, server.port: cannot listen on 127.0.0.1 port " in line


def test_who_talks_needs_no_key_and_no_port_that_is_free(agent_file: Path, tmp_path: Path) -> None:
    config = tmp_path / "glottis.toml"
    config.write_text(f"""
        [server]
        host = "192.0.2.1"
        [auth]
        scheme = "api-keys"
        settings = {{ keys.website = "{"ab" * 32}" }}
    """)
    gateway = Gateway()
    arguments = ["talk", f"{agent_file}:parrot", "--config", str(config), "--wav", str(SPEECH)]
    assert main(arguments, gateway.parts) == 0
    assert gateway.config
    assert gateway.caller
    assert gateway.config.auth.name == "anonymous"
    assert (gateway.config.config.server.host, gateway.config.config.server.port) == ("127.0.0.1", 0)
    assert (gateway.caller.campaign, gateway.caller.wav) == ("parrot", SPEECH)


async def greet(call: Call) -> None: ...


def test_a_script_serves_its_function_on_its_port() -> None:
    gateway = Gateway()
    run_agent(greet, 9000, None, gateway.parts)
    assert gateway.config
    assert gateway.config.config.server.port == 9000
    assert list(gateway.config.campaigns) == ["greet"]
    assert gateway.config.campaigns["greet"].agent.plugin.owns(__name__)


def test_a_script_is_told_what_is_no_agent() -> None:
    def deaf(call: Call) -> None: ...

    with pytest.raises(LocalError, match=r"deaf: expected an async function of the call, .* it is not async"):
        run_agent(deaf, 9000, None, Gateway().parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("port", "got"), [("9000", "an integer, got str"), (70000, "from 0 to 65535, got 70000")])
def test_a_script_is_told_what_is_no_port(port: Any, got: str) -> None:
    with pytest.raises(LocalError, match=rf"^run: port: expected .*{got}"):
        run_agent(greet, port, None, Gateway().parts)


class Listener(logging.Handler):
    """Hands on what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self._told, self._heard = trio.open_memory_channel[str](10)

    def emit(self, record: logging.LogRecord) -> None:
        self._told.send_nowait(record.getMessage())

    async def next_message(self) -> str:
        return await self._heard.receive()


@pytest.fixture(name="listener")
def listen_to_the_log() -> Iterator[Listener]:
    logger = logging.getLogger("glottis.cli.agents")
    logger.addHandler(listener := Listener())
    logger.setLevel(logging.INFO)
    yield listener
    logger.removeHandler(listener)
    logger.setLevel(logging.NOTSET)


def change(path: Path, text: str) -> None:
    path.write_text(text)


async def test_each_change_of_the_file_is_taken_or_told_with_its_line(
    agent_file: Path, listener: Listener, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    nursery.start_soon(reload_on_change, [AgentFile(f"{agent_file}:parrot")])
    await trio.sleep(1)
    change(agent_file, f"\noops\n{CODE}")
    complaint = "my.py, line 2 raised NameError: name 'oops' is not defined; the agent stays as it was"
    assert await listener.next_message() == complaint
    change(agent_file, f"\n{CODE}")
    news = f"{agent_file}:parrot has changed: calls that begin now get the new one"
    assert await listener.next_message() == news


def test_a_script_is_told_the_file_of_a_wrong_configuration(tmp_path: Path) -> None:
    async def greet(call: Call) -> None: ...

    path = tmp_path / "glottis.toml"
    path.write_text("[server]\nprot = 80\n")
    with pytest.raises(ConfigurationError) as caught:
        run_agent(greet, 9000, path, Gateway().parts)
    assert str(caught.value) == f"server.prot: unknown key, did you mean port? (in {path})"
