"""Each agent of ``docs/examples`` is called as readers would: ``glottis serve``, and ``glottis call`` side by side.

What callers hear is found in their recordings, and what they read among what the command prints.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h11
import numpy as np
import pytest
import trio
from glottis.client.command import EXIT_FAILED, CallerOptions, call_from_terminal
from glottis.plugins import Registry, load_plugins
from support.audio import SPEECH, Samples, best_similarity, read_wav, write_wav
from support.command import open_command

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
RATE = 16000
SPEECH_RATE = 24000
LISTEN = 7.0
"""Seconds after a caller's word: what is to come on a busy machine, too, comes by then."""
ATTEMPTS = 3
"""For a machine that is so busy that nothing is heard as a whole."""
BEEP = RATE / 20
"""Hertz, of the menu: a square of ten samples up and ten down."""
ALIKE = 0.75
"""Of a piece of speech and where it comes from, by correlation."""
READ = (
    "text: Good day, stranger!",
    "text: HELLO",
    "text: 1: opening hours, 2: directions",
    "text: Take the tram to the last stop.",
    "text: Support. Listen to the problem:",
    'transferred: {"to": "support"}',
    "text: Nobody else is here yet.",
    "text: At nine.",
    "text: QUESTION",
)
"""Lines that the callers see."""
CONFIG = """
[server]
port = 0

[campaigns]
parrot.agent = "{examples}/parrot.py:parrot"
player = {{ agent = "{examples}/player.py:player", settings = {{ file = "{word}" }} }}
greeter.agent = "{examples}/greeter.py:greeter"
recorder = {{ agent = "{examples}/recorder.py:recorder", settings = {{ folder = "{directory}" }} }}
menu.agent = "{examples}/menu.py:menu"
transfer.agent = "{examples}/transfer.py:reception"
bridge.agent = "{examples}/bridge.py:bridge"
translator.agent = "{examples}/translator.py:translator"
chatbot = {{ agent = "{examples}/chatbot.py:chatbot", sample_rate = 24000 }}
asker = {{ agent = "{examples}/asyncio_library.py:asker", settings = {{ host = "127.0.0.1", port = {port} }} }}
"""


@dataclass(frozen=True, slots=True)
class Servers:
    """What two of the agents ask."""

    lines: int
    """The port of who answers lines."""
    model: int
    """The port of who has OpenAI's interface."""


async def shout(stream: trio.SocketStream) -> None:
    """Give a line back in capitals."""
    async with stream:
        await stream.send_all((await stream.receive_some()).upper())


async def answer(speech: bytes, stream: trio.SocketStream) -> None:
    """As a server with OpenAI's interface: a sentence, or what is made to speech."""
    http = h11.Connection(h11.SERVER)
    path = ""
    async with stream:
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                path = event.target.decode()
            elif isinstance(event, h11.EndOfMessage):
                message = {"role": "assistant", "content": "At nine."}
                choices = json.dumps({"choices": [{"message": message}]}).encode()
                body = speech if path == "/v1/audio/speech" else choices
                head = h11.Response(status_code=200, headers=[("content-length", str(len(body)))])
                for part in (head, h11.Data(body), h11.EndOfMessage()):
                    await stream.send_all(http.send(part) or b"")
                http.start_next_cycle()
            elif not isinstance(event, h11.Data):
                return


@asynccontextmanager
async def open_servers(speech: bytes) -> AsyncIterator[Servers]:
    async with trio.open_nursery() as nursery:
        ports = []
        for handle in (shout, partial(answer, speech)):
            [listener] = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
            ports.append(listener.socket.getsockname()[1])
        yield Servers(*ports)
        nursery.cancel_scope.cancel()


class Callers:
    """Call the gateway at ``url``; each keeps what is heard in a file of its name in ``directory``."""

    def __init__(self, url: str, directory: Path, registry: Registry) -> None:
        self._url = url
        self._directory = directory
        self._registry = registry

    async def call(
        self, campaign: str, *, name: str = "", says: Path | None = None, exit_code: int | None = 0, **options: Any
    ) -> None:
        """``glottis call`` with these options, and some for all; ``exit_code`` is None where any may come."""
        record = self._directory / f"heard by {name or campaign}.wav"
        chosen = CallerOptions(self._url, campaign, "G722", says, record, listen=LISTEN, **options)
        ended_with = await call_from_terminal(chosen, self._registry)
        assert exit_code in (None, ended_with), campaign

    async def call_all(self) -> None:
        """All examples, side by side."""
        word = self._directory / "word.wav"
        async with trio.open_nursery() as nursery:
            for one in (
                partial(self.call, "parrot", says=word),
                partial(self.call, "player"),
                partial(self.call, "greeter", text="hello"),
                partial(self.call, "recorder", says=SPEECH, dtmf="#", exit_code=EXIT_FAILED),
                partial(self.call, "menu"),
                partial(self.call, "menu", name="one who chooses at once", dtmf="2", exit_code=None),
                partial(self.call, "transfer", text="support", says=word),
                partial(self.call, "bridge", name="anna", says=word),
                partial(self.call, "bridge", name="ben", says=word),
                partial(self.call, "translator", says=word),
                partial(self.call, "chatbot", text="When do you open?"),
                partial(self.call, "asker", text="question", exit_code=EXIT_FAILED),
            ):
                nursery.start_soon(one)


def resampled(samples: Samples, before: int, after: int) -> Samples:
    """By straight lines, which is good enough to be known again."""
    if not len(samples):
        return samples
    return np.interp(np.arange(len(samples) * after // before) * before / after, np.arange(len(samples)), samples)


def loudest(heard: Samples, hertz: float) -> float:
    """The amplitude of a tone where it is loudest, in windows of a tenth of a second."""
    size = RATE // 10
    wave = np.exp(2j * np.pi * hertz * np.arange(size) / RATE)
    return max(2 * float(abs(heard[start : start + size] @ wave)) / size for start in range(0, len(heard) - size, size))


@pytest.mark.realtime
async def test_callers_of_all_examples_hear_and_read_what_is_said_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word = read_wav(SPEECH)[0][: RATE * 6 // 5]
    write_wav(tmp_path / "word.wav", pcm_of(word), RATE)
    async with open_servers(pcm_of(resampled(word, RATE, SPEECH_RATE))) as servers:
        (tmp_path / "glottis.toml").write_text(
            CONFIG.format(examples=EXAMPLES, word=tmp_path / "word.wav", directory=tmp_path, port=servers.lines)
        )
        env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{servers.model}/v1"}
        for _ in range(ATTEMPTS):
            async with open_command("serve", "--config", tmp_path / "glottis.toml", env=env) as gateway:
                url = (await gateway.wait_for(r"serves (http://\S+)"))[1]
                await Callers(url, tmp_path, load_plugins()).call_all()
                gateway.process.terminate()
                await gateway.wait()
            if not (missed := unheard(tmp_path, word)):
                break
    assert "failed" not in gateway.errors
    assert missed == []
    shown = capsys.readouterr()
    missing = [line for line in READ if f"{line}\n" not in shown.err]
    assert missing == []
    assert "end: the caller has finished\n" in shown.out
    assert '{"role": "agent", "text": "' in shown.err


def unheard(directory: Path, word: Samples) -> list[str]:
    """Whose recording has not in it what is to be there."""

    def heard(name: str) -> Samples:
        samples, rate = read_wav(directory / f"heard by {name}.wav")
        return resampled(samples, rate, RATE)

    def likeness(samples: Samples, wanted: Samples) -> float:
        return best_similarity(samples, wanted, RATE, window=0.3)

    def is_heard(samples: Samples, wanted: Samples) -> bool:
        return likeness(samples, wanted) > ALIKE

    backwards = likeness(heard("translator"), word[::-1])
    kept = [path for path in directory.glob("*.wav") if not path.name.startswith(("heard by", "word"))]
    found = {
        **{name: is_heard(heard(name), word) for name in ("parrot", "player", "transfer", "chatbot")},
        "bridge, who came first": is_heard(heard("anna"), word) or is_heard(heard("ben"), word),
        "translator": backwards > max(ALIKE, likeness(heard("translator"), word)),
        "recorder": any(is_heard(read_wav(path)[0], read_wav(SPEECH)[0]) for path in kept),
        "greeter": min(loudest(heard("greeter"), hertz) for hertz in (660, 880)) > 3000,
        "menu": loudest(heard("menu"), BEEP) > 3000,
    }
    return [name for name, is_there in found.items() if not is_there]


def pcm_of(samples: Samples) -> bytes:
    return samples.astype(np.int16).tobytes()
