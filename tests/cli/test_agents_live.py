"""Agents of one file in processes of their own: talked with, and served by their script."""

import signal
import sys
from pathlib import Path

import pytest
from support.audio import SPEECH, best_similarity, read_wav
from support.command import open_command, open_program

SAYS = """
async def greet(call):
    await call.send_text("{}")
    with call.forward(call):
        async for message in call.messages:
            pass
"""


@pytest.mark.realtime
async def test_talk_speaks_a_file_to_the_agent_and_records_it(tmp_path: Path) -> None:
    path, recording = tmp_path / "my.py", tmp_path / "out.wav"
    path.write_text(SAYS.format("hello").replace('"hello"', 'call.info.campaign_settings["greeting"]'))
    config = tmp_path / "glottis.toml"
    config.write_text(f'[campaigns.greet]\nagent = "{path}:greet"\nsettings = {{ greeting = "good day" }}\n')
    options = ("--config", config, "--wav", SPEECH, "--record", recording)
    async with open_command("talk", f"{path}:greet", *options) as talk:
        assert await talk.wait() == 0
    assert "text: good day" in talk.errors
    assert "glottis serves" not in talk.errors
    played, rate = read_wav(SPEECH)
    assert best_similarity(read_wav(recording)[0], played, rate) > 0.7


@pytest.mark.realtime
async def test_a_script_serves_itself_until_it_is_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "my.py"
    path.write_text(f"from glottis import run\n{SAYS.format('hello')}\nrun(greet, port=0)\n")
    async with open_program(sys.executable, path) as script:
        url = (await script.wait_for(r"talk at (http://\S+)/\?campaign=greet\n"))[1]
        async with open_command("call", url, "--campaign", "greet", "--listen", "3") as call:
            assert await call.wait() == 0
        script.process.send_signal(signal.SIGINT)
        assert await script.wait() == 0
    assert "text: hello" in call.errors
    assert "Traceback" not in script.errors
