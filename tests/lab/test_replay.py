"""Calls that were kept, run again."""

import json
import random
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import trio
from glottis import Call, ConfigurationError, Malformed, TextMessage
from glottis.cli import main
from glottis.contracts.extensions import Incoming
from glottis.dtls import Certificate
from glottis.lab import Delay, Replay, replay
from glottis.lab.replaying.differences import differences
from glottis.lab.replaying.outcome import Outcome, Spoke
from glottis.lab.replaying.reading import read_call_untrusted
from glottis.peer import PeerConnection, PeerSettings
from glottis.testing import Impairments, VirtualNetwork, VirtualPeer
from glottis.testing.peers import CALLER, GATEWAY
from glottis.wire.address import Address
from glottis.wire.call_file import MAGIC, Entry, Kind, encode_entry, parse_call_file_untrusted
from glottis_opus import OPUS
from hypothesis import given, settings
from hypothesis import strategies as st
from support.examples import examples
from support.markdown import Document
from support.worst.call_files import AGREED, AGREEMENT

DOCS = Path(__file__).parents[2] / "docs"
KINDS = {
    "negotiated": Kind.NEGOTIATED,
    "keys": Kind.KEYS,
    "rtp": Kind.RTP,
    "rtcp": Kind.RTCP,
    "tick": Kind.TICK,
}


class Ear(VirtualPeer):
    """Hears as the gateway does, and keeps what comes in."""

    def __init__(self, connection: PeerConnection, network: VirtualNetwork) -> None:
        super().__init__(connection, network)
        self.entries: list[Entry] = []
        connection.voice.taps.incoming = self._keep

    def _keep(self, kind: Incoming, data: bytes, now: float) -> None:
        self.entries.append(Entry(KINDS[kind], now, data))

    def hear(self, now: float) -> None:
        super().hear(now)
        self.connection.voice.next_keys(now)


def peer(address: Address) -> PeerConnection:
    rng = random.Random(address.port)
    return PeerConnection(PeerSettings((OPUS,)), certificate=Certificate.generate(), local_addresses=[address], rng=rng)


def negotiate(mouth: VirtualPeer, ear: VirtualPeer, now: float) -> None:
    answer = ear.connection.accept_offer_untrusted(mouth.connection.make_offer(), now)
    mouth.connection.accept_answer_untrusted(answer, now)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of noise over a bad network, negotiated anew in the middle."""
    network = VirtualNetwork(3, Impairments(loss=0.05, delay=0.02, jitter=0.05))
    mouth, ear = VirtualPeer(peer(CALLER), network), Ear(peer(GATEWAY), network)
    network.attach(mouth, CALLER)
    network.attach(ear, GATEWAY)
    negotiate(mouth, ear, network.now)
    assert network.run(lambda: mouth.connected and ear.connected)
    ear.start_media(network.now)
    mouth.start_media(network.now)
    noise = np.random.default_rng(1).integers(-9000, 9000, 32000, np.int16)
    mouth.connection.voice.write(noise.tobytes())
    network.run(seconds=1)
    negotiate(mouth, ear, network.now)
    network.run(seconds=1.5)
    statistics = ear.connection.voice.session.statistics(network.now).to_json()
    ended = Entry(Kind.ENDED, network.now, msgspec.json.encode({"reason": "over", "statistics": statistics}))
    path = tmp_path_factory.mktemp("calls") / "call.glottis"
    path.write_bytes(MAGIC + b"".join(map(encode_entry, [*ear.entries, ended])))
    return path


@pytest.fixture(scope="module")
def first(kept: Path) -> Replay:
    """The same, heard again."""
    return replay(kept)


def test_a_call_is_heard_again_as_it_was(first: Replay) -> None:
    assert first.is_whole
    assert first.differences == ()
    assert first.before.figures is not None
    assert first.before.figures == first.now.figures
    assert min(first.before.figures[name] for name in ("packetsLost", "concealedSamples", "fecRecoveredSamples")) > 0


def test_the_same_file_gives_the_same(kept: Path) -> None:
    assert replay(kept, greeter) == replay(kept, greeter)


async def greeter(call: Call) -> None:
    """Answers as soon as it hears, and listens."""
    await call.send_text("hello")
    async for frame in call.audio:
        await call.say(frame)


def test_another_delay_shows_in_what_is_heard_and_an_agent_in_what_is_said(kept: Path) -> None:
    again = replay(kept, greeter, delay=Delay(policy="fixed", ms=120))
    told = "\n".join(again.differences)
    assert "agent failed" not in told
    assert "meanDelayMs: " in told
    assert "messages of the agent: none before, now 'hello' at" in told
    assert re.search(r"the agent speaks from 0\.\d+ to 2\.\d+ s, and did not before", told)


async def deaf(call: Call) -> None:
    """Has enough after half a second."""
    await trio.sleep(0.5)
    raise ValueError("enough")


def test_an_agent_that_fails_is_told_and_not_what_is_missing_after_it(kept: Path) -> None:
    (told,) = replay(kept, deaf).differences
    assert re.fullmatch(r"the agent failed at \d\.\d\d s: ValueError: enough", told)


def test_what_is_heard_is_compared_with_an_earlier_replay(kept: Path, first: Replay) -> None:
    """The files themselves hold no sound."""
    assert replay(kept, against=first.now).differences == ()
    later = replay(kept, delay=Delay(policy="fixed", ms=300), against=first.now)
    assert any(one.startswith("what was heard is of another level from ") for one in later.differences)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ([(1.05, 2.95)], []),
        ([(1, 2), (2.5, 3)], ["the agent does not speak from 2.00 to 2.50 s, and did before"]),
        (
            [(0.5, 3.5)],
            [
                "the agent speaks from 0.50 to 1.00 s, and did not before",
                "the agent speaks from 3.00 to 3.50 s, and did not before",
            ],
        ),
        ([], ["the agent does not speak from 1.00 to 3.00 s, and did before"]),
    ],
)
def test_where_the_agent_speaks_or_not_is_told(now: list[tuple[float, float]], told: list[str]) -> None:
    before = Outcome(ended_at=4, spoke=(Spoke(1, 3),))
    again = Outcome(ended_at=4, spoke=tuple(Spoke(*one) for one in now))
    assert list(differences(before, again, has_agent=True)) == told
    assert differences(before, again, has_agent=False) == ()


def entries_of(path: Path) -> list[Entry]:
    return parse_call_file_untrusted(path.read_bytes()).entries


def written(path: Path, entries: Iterable[Entry]) -> Path:
    path.write_bytes(MAGIC + b"".join(map(encode_entry, entries)))
    return path


def test_a_file_that_breaks_off_is_run_as_far_as_it_goes(kept: Path, first: Replay, tmp_path: Path) -> None:
    path = tmp_path / "killed.glottis"
    path.write_bytes(kept.read_bytes()[:-3000])
    again = replay(path)
    assert (again.is_whole, again.differences, again.before.figures) == (False, (), None)
    assert 1 < again.now.ended_at < first.now.ended_at


def test_texts_come_at_their_time_and_keys_are_told(kept: Path, tmp_path: Path) -> None:
    async def answers(call: Call) -> None:
        async for message in call.messages:
            assert isinstance(message, TextMessage)
            await call.send_text(f"{message.text} by {message.channel}")

    texts = [(0.5, None), (1.0, "chat")]
    said = [Entry(Kind.TEXT, at, json.dumps({"text": "hi", "channel": label}).encode()) for at, label in texts]
    path = written(tmp_path / "texts.glottis", [*entries_of(kept), *said])
    assert [(one.at, one.content) for one in replay(path, answers).now.wrote] == [
        (0.5, "hi by None"),
        (1.0, "hi by chat"),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "expected version 1, this is no file"),
        (MAGIC.replace(b"1", b"2"), "expected version 1, this is another version"),
        (MAGIC, "holds no audio"),
        (MAGIC + b"\x04" + bytes(8) + b"\xff" * 4, "an entry of 4294967295 bytes"),
        (MAGIC + b"\x04" + b"\xff" * 8 + bytes(4), "a time of nan s"),
        (MAGIC + encode_entry(Entry(Kind.NEGOTIATED, 0, b"{}")), "agreement: "),
        (MAGIC + encode_entry(Entry(Kind.NEGOTIATED, 0, AGREEMENT.replace(b"[{", b'[], "x": [{'))), "a codec at least"),
        (AGREED.replace(b"PCMU", b"NONE"), "has the codec NONE, which is not installed"),
        (AGREED + encode_entry(Entry(Kind.SAID, 0, b"x")), "expected milliseconds"),
        (AGREED + encode_entry(Entry(Kind.BYTES, 0, b"x")), "expected a label"),
    ],
)
def test_a_file_that_cannot_be_run_is_refused(content: bytes, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.glottis"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        replay(path)


@given(st.binary(max_size=300), st.integers(0, 2**32))
@settings(max_examples=examples(100))
def test_any_bytes_are_a_call_or_malformed(data: bytes, seed: int) -> None:
    """Fuzz: ``read_call_untrusted`` raises ``Malformed`` and nothing else, as do those that read parts for it:
    ``parse_call_file_untrusted`` and ``read_agreement_untrusted``."""
    rng = random.Random(seed)
    kind = rng.choice(list(Kind))
    mutated = bytearray(AGREED)
    mutated[rng.randrange(len(MAGIC), len(mutated))] = rng.randrange(256)
    for tried in (data, MAGIC + data, bytes(mutated), AGREED + encode_entry(Entry(kind, 0.0, data))):
        with suppress(Malformed):
            read_call_untrusted(tried)


# The command


def test_the_command_says_what_differs(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome, toml = tmp_path / "outcome.json", tmp_path / "settings.toml"
    assert main(["lab", "replay", str(kept), "--save", str(outcome)]) == 0
    assert re.fullmatch(r"\d\.\d s of call went again as they went before\n", capsys.readouterr().out)
    toml.write_text('[delay]\npolicy = "delays.py:long"\n')
    (tmp_path / "delays.py").write_text(
        "from glottis.rtp import FixedDelay\n\ndef long():\n    return FixedDelay(0.3)\n"
    )
    command = ["lab", "replay", str(kept), "--settings", str(toml), "--against", str(outcome)]
    assert main(command) == 1
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("meanDelayMs: ") for line in told)
    assert main([*command, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["differences"] == told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[delay]\npolcy = 1", "delay.polcy: unknown key, did you mean policy?"),
        ("[delay]\nms = -1", "delay.ms: "),
        ("[agnt]", "agnt: unknown key"),
        ("agent = ", "is no TOML"),
        ('[delay]\npolicy = "clever"', "policy: expected adaptive, fixed or FILE.py:FUNCTION"),
    ],
)
def test_settings_that_are_wrong_are_told_with_their_paths(
    text: str, line: str, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "replay.toml").write_text(text)
    assert main(["lab", "replay", str(kept), "--settings", str(tmp_path / "replay.toml")]) == 2
    assert line in capsys.readouterr().err


def test_the_support_case_of_the_documentation_is_a_test(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "call.glottis").write_bytes(kept.read_bytes())
    Document(DOCS / "lab.md").write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = dict[str, Any]()
    exec((tmp_path / "test_case.py").read_text(), names)
    names["test_the_caller_is_answered_at_once"]()
