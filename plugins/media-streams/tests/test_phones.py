"""The routes ``twilio``, with a provider that says what Twilio says, and plays what it is sent as time goes on."""

import gc
import logging
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from glottis import AgentSpec, AudioFrame, Call, ConfigurationError, Heard, Malformed, Secret, hookimpl
from glottis_media_streams.door import TwilioConfig
from glottis_media_streams.messages import CONNECTED, RATE, Media, Told, read_event_untrusted, samples_of
from glottis_media_streams.signature import is_signed
from hypothesis import given
from hypothesis import strategies as st
from support.audio import SPEECH, from_pcm, read_wav, similarity
from support.gateway import CONFIG
from support.http import request
from support.memory import open_memory_exchange
from support.phone import Exchange, eventually
from support.phone_provider import BLOCK, Provider
from support.route_socket import ask_for_socket, open_route_socket

LOUD = b"\x00\x20"
ROUTES = (
    CONFIG
    + """
[campaigns.reader]
agent = "reader"

[routes]
enabled = ["twilio"]

[routes.settings.twilio]
"""
)
SIGNED = ROUTES + 'auth_token = "12345"\nurl = "wss://voice.example"\n'
SIGNATURE = "Lkjnf8fSwe6pk4TCSTu5ssNgKl8="
"""Of wss://voice.example/twilio/echo with this token, as the validator of Twilio's own library for Python makes it."""
UNAUTHENTICATED = (
    "UNAUTHENTICATED: no signature of this URL with the auth token; see url",
    "UNAUTHENTICATED: the last segment of the path is not the secret",
)
Clock = trio.testing.MockClock


class Reader:
    """An agent that reads aloud until a key is pressed, and says goodbye at the last one."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.heard: list[Heard] = []

    @hookimpl
    def register_agents(self) -> Sequence[AgentSpec]:
        return [AgentSpec("reader", lambda settings: self.read, sample_rate=RATE)]

    async def read(self, call: Call) -> None:
        speech = call.start_saying([AudioFrame(b"\x00\x40" * 10 * RATE, RATE)])
        async for key in call.dtmf:
            self.keys.append(key.digit)
            if key.digit == "#":
                await call.say(AudioFrame(LOUD * RATE, RATE))
                return
            self.heard.append(speech.cancel())


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
async def exchange(reader: Reader, tmp_path: Path) -> AsyncIterator[Exchange]:
    async with open_memory_exchange(tmp_path, ROUTES, [reader]) as exchange:
        yield exchange


@asynccontextmanager
async def attached(exchange: Exchange, path: str = "/twilio/echo", **headers: str) -> AsyncIterator[Provider]:
    async with open_route_socket(exchange, path, **headers) as client, trio.open_nursery() as nursery:
        provider = Provider(client, nursery)
        nursery.start_soon(provider.listen)
        yield provider
        nursery.cancel_scope.cancel()


async def test_caller_hears_the_agent_and_is_heard(exchange: Exchange, autojump_clock: Clock) -> None:
    samples, rate = read_wav(SPEECH)
    pcm = samples[: 3 * rate : rate // RATE].astype("int16").tobytes()
    async with attached(exchange) as provider:
        await provider.begin(name="Ada", room="7")
        await provider.speak(pcm)
        await trio.sleep(0.5)
        (session,) = exchange.gateway.sessions
        assert session.info.campaign_id == "echo"
        assert session.info.dynamic_variables == {"name": "Ada", "room": "7"}
        assert session.info.metadata == {"callSid": "CA1", "streamSid": "MZ1", "accountSid": "AC1"}
        assert session.info.principal.name == "anonymous"
    heard = from_pcm(samples_of(Media(provider.played)))
    assert similarity(heard, from_pcm(pcm), RATE) > 0.95
    assert len(heard) > 0.9 * len(pcm) / 2
    assert provider.marks == [str(number + 1) for number in range(len(provider.marks))]
    assert len(provider.marks) > 3


async def test_key_interrupts_the_agent_who_knows_what_was_heard(
    reader: Reader, exchange: Exchange, autojump_clock: Clock
) -> None:
    async with attached(exchange, "/twilio/reader") as provider:
        await provider.begin()
        await trio.sleep(2.05)
        await provider.say(provider.told.dtmf("5"))
        await trio.sleep(0.5)
        assert reader.keys == ["5"]
        assert provider.clears == 1
        heard = len(provider.played) / RATE
        assert heard == pytest.approx(2, abs=0.3)
        assert reader.heard[0].sent == pytest.approx(heard, abs=0.05)
        await provider.say(provider.told.dtmf("x"), provider.told.dtmf("#"))
        await provider.wait_closed(1000)
    assert reader.keys == ["5", "#"]
    assert len(provider.played) / RATE == pytest.approx(heard + 1, abs=0.03)  # all of the last words
    assert provider.marks[-1] == "last"


async def test_stream_that_is_stopped_ends_the_call(exchange: Exchange, autojump_clock: Clock) -> None:
    async with attached(exchange) as provider:
        await provider.begin()
        await eventually(lambda: len(exchange.gateway.sessions))
        await provider.say(provider.told.stop())
        await provider.wait_closed(1000)
    assert not len(exchange.gateway.sessions)


async def test_stream_that_breaks_ends_the_call_and_no_other(exchange: Exchange, autojump_clock: Clock) -> None:
    other = await exchange.call()
    async with open_route_socket(exchange, "/twilio/echo") as client:
        await Provider(client).begin()
        await eventually(lambda: len(exchange.gateway.sessions) == 2)
        client.cut()
        await eventually(lambda: len(exchange.gateway.sessions) == 1)
    await other.hear()


@pytest.mark.parametrize("is_cut", [False, True])
async def test_call_that_has_ended_is_freed_without_a_garbage_collector(
    is_cut: bool, exchange: Exchange, autojump_clock: Clock
) -> None:
    gc.collect()
    gc.disable()
    try:
        async with open_route_socket(exchange, "/twilio/echo") as client:
            provider = Provider(client)
            await provider.begin()
            await provider.speak(LOUD * 1600)
            leg = weakref.ref(next(iter(exchange.gateway.sessions)).leg)
            if is_cut:
                client.cut()
            else:
                await provider.say(provider.told.stop())
                await client.closed()
        await trio.sleep(3)
        assert leg() is None
    finally:
        gc.enable()


def _start(parameters: dict[str, Any]) -> dict[str, Any]:
    return Told("MZ1", "CA1", "AC1").start(parameters)


@pytest.mark.parametrize(
    ("messages", "code", "reason"),
    [
        (["hello"], 1008, "MALFORMED"),
        ([b"\xff\xfe"], 1008, "MALFORMED"),
        (["[" * 5000], 1008, "MALFORMED"),
        ([{"event": "start"}] * 5, 1008, "NO_START"),
        ([], 1008, "NO_START"),
        ([CONNECTED, {"event": "media", "media": {"payload": "AAAA"}}], 1008, "NO_START"),
        ([{"event": "start", "start": {"callSid": 7}}], 1008, "MALFORMED"),
        (["START L16"], 1008, "UNSUPPORTED_FORMAT"),
        (["START", "START"], 1008, "STARTED_TWICE"),
        ([CONNECTED, {"event": "stop"}], 1008, "NO_START"),
        (["START", {"event": "stop"}, {"event": "stop"}, "hello"], 1000, ""),
        ([_start({"name": 7})], 1008, "MALFORMED"),
        ([_start({str(number): "" for number in range(3_000)})], 1008, "MALFORMED"),
        ([_start({"\ud800": "\udfff"})], 1008, "MALFORMED"),
        (["START", {"event": "media", "media": {"payload": "****"}}], 1008, "MALFORMED"),
        (["START", {"event": "media", "media": "AAAA"}], 1008, "MALFORMED"),
        (["START", "a" * 70_000], 1009, ""),
    ],
)
async def test_what_is_no_stream_is_told_why(
    messages: list[Any], code: int, reason: str, exchange: Exchange, autojump_clock: Clock
) -> None:
    async with open_route_socket(exchange, "/twilio/echo") as client:
        provider = Provider(client)
        for message in messages:
            if message == "START L16":
                start = provider.told.start({})
                start["start"]["mediaFormat"] = {"encoding": "audio/l16", "sampleRate": 16000, "channels": 1}
                await provider.say(start)
            else:
                await provider.say(provider.told.start({}) if message == "START" else message)
        closed = await client.closed()
    assert closed.code == code
    assert (closed.reason or "").startswith(reason)
    assert not len(exchange.gateway.sessions)


async def test_what_is_not_needed_is_skipped(reader: Reader, exchange: Exchange, autojump_clock: Clock) -> None:
    async with attached(exchange, "/twilio/reader") as provider:
        await provider.begin()
        await provider.say(
            {"event": "of the future", "media": None},
            {"event": "media"},
            {"event": "media", "media": {"track": "outbound", "payload": "AAAA"}},
            {"event": "media", "media": {"payload": ""}},
            {"event": "mark", "mark": {"name": "theirs"}},
            {"event": "mark", "mark": {"name": "9" * 16}},
            {"event": "mark", "mark": {"name": "9" * 1000}},
            {"event": "dtmf", "dtmf": {"digit": "12"}},
            *[provider.told.dtmf("1")] * 200,  # of which only so many are taken at once
            provider.told.media(bytes(2 * BLOCK)),
        )
        await trio.sleep(1)
        assert len(exchange.gateway.sessions) == 1
        assert provider.client.connection.closed is None
        assert set(reader.keys) == {"1"}


async def test_what_a_provider_has_nothing_to_say_of_may_be_null(exchange: Exchange, autojump_clock: Clock) -> None:
    async with attached(exchange) as provider:
        start = provider.told.start({})
        start["start"] |= {"accountSid": None, "customParameters": None, "streamSid": None}
        await provider.say(CONNECTED, start)
        await eventually(lambda: len(exchange.gateway.sessions))
        (session,) = exchange.gateway.sessions
        assert session.info.metadata == {"callSid": "CA1", "streamSid": "MZ1", "accountSid": ""}
        assert session.info.dynamic_variables == {}


@pytest.mark.parametrize(
    ("path", "config", "code", "reason"),
    [
        ("/twilio/nobodys", ROUTES, 1008, "UNKNOWN_CAMPAIGN"),
        ("/twilio/echo", ROUTES.replace("max_load = 1", "max_load = 1\nmax_sessions = 1", 1), 1013, "FULL"),
        ("/twilio/echo", ROUTES + "\n[media]\ncodecs = ['opus']\n", 1008, "UNSUPPORTED_CODEC"),
    ],
)
async def test_call_that_cannot_be_had_is_refused_as_ever(
    path: str, config: str, code: int, reason: str, reader: Reader, tmp_path: Path, autojump_clock: Clock
) -> None:
    async with (
        open_memory_exchange(tmp_path, config, [reader]) as exchange,
        open_route_socket(exchange, "/twilio/reader") as first,
        open_route_socket(exchange, path) as client,
    ):
        await Provider(first).begin()
        await trio.sleep(1)
        await Provider(client).begin()
        closed = await client.closed()
        assert exchange.gateway.refusals.keys() == {reason}
    assert closed.code == code
    assert (closed.reason or "").startswith(reason)


@pytest.mark.parametrize(
    ("config", "path", "headers", "is_let_in"),
    [
        (SIGNED, "/twilio/echo", {"x_twilio_signature": SIGNATURE}, True),
        (SIGNED.replace("example", "example:443"), "/twilio/echo", {"x_twilio_signature": SIGNATURE}, True),
        (SIGNED, "/twilio/reader", {"x_twilio_signature": SIGNATURE}, False),
        (SIGNED.replace("12345", "1234"), "/twilio/echo", {"x_twilio_signature": SIGNATURE}, False),
        (SIGNED, "/twilio/echo", {"x_twilio_signature": "é"}, False),
        (SIGNED, "/twilio/echo", {}, False),
        (ROUTES + 'secret = "s3cret"\nname = "phones"\n', "/twilio/echo/s3cret", {}, True),
        (ROUTES + 'secret = "s3cret"\n', "/twilio/echo/secret", {}, False),
    ],
)
async def test_stream_shows_whose_it_is(
    config: str,
    path: str,
    headers: dict[str, str],
    is_let_in: bool,
    reader: Reader,
    tmp_path: Path,
    autojump_clock: Clock,
) -> None:
    async with (
        open_memory_exchange(tmp_path, config, [reader]) as exchange,
        open_route_socket(exchange, path, **headers) as client,
    ):
        await Provider(client).begin()
        if is_let_in:
            await eventually(lambda: len(exchange.gateway.sessions))
            assert next(iter(exchange.gateway.sessions)).info.principal.name in ("twilio", "phones")
        else:
            assert (await client.closed()).reason in UNAUTHENTICATED


async def test_secret_in_a_path_is_not_logged(
    reader: Reader, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: Clock
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_memory_exchange(tmp_path, ROUTES + 'secret = "s3cret"\n', [reader]) as exchange:
        for path in (
            "/twilio/echo/s3cret",
            "/twilio/echo/s3cret/",
            "/twilio//echo/s3cret",
            "/twilio/s3cret",
            "/twilio/s3cret/echo",
            "/Twilio/echo/s3cret",
            "/twillio/echo/s3cret",
            "//twilio/echo/s3cret",
            "/voice/twilio/echo/s3cret",
            "/twilio/echo%2Fs3cret",
            "/s3cret",
        ):
            await request(exchange.gateway, "GET", path, connect=exchange.network.connect)
            await ask_for_socket(exchange, path, origin="https://elsewhere.example")
        async with attached(exchange, "/twilio/echo/s3cret") as provider:
            await provider.begin()
            await provider.say(provider.told.stop())
    assert "UPGRADE_REQUIRED: GET /twilio/echo/{secret}" in caplog.text
    assert "Request(method='GET', path='/{secret}/twilio/echo/{secret}', " in caplog.text
    assert "s3cret" not in caplog.text


async def test_without_secrets_the_auth_scheme_is_asked(reader: Reader, tmp_path: Path, autojump_clock: Clock) -> None:
    keyed = ROUTES.replace(
        'scheme = "anonymous"', 'scheme = "api-keys"\n[auth.settings.plain_keys]\nada = "correct-horse-battery"'
    )
    async with open_memory_exchange(tmp_path, keyed, [reader]) as exchange:
        assert (await ask_for_socket(exchange, "/twilio/echo")).status == 401
        async with attached(exchange, authorization="Bearer correct-horse-battery") as provider:
            await provider.begin()
            await eventually(lambda: len(exchange.gateway.sessions))


def test_url_is_the_one_that_the_request_came_to_unless_it_is_set() -> None:
    assert is_signed(SIGNATURE, "wss://voice.example/", "/twilio/echo", "12345")
    assert not is_signed(SIGNATURE, "wss://voice.example\udcff", "/twilio/echo", "12345")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "https://voice.example"}, "^url: expected the beginning of a URL"),
        ({"auth_token": Secret("")}, "^auth_token: expected some text"),
        ({"secret": Secret("")}, "^secret: expected some text"),
        ({"name": ""}, "^name: "),
    ],
)
def test_settings_that_do_not_fit_are_told_before_any_call(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TwilioConfig(**settings)


@pytest.mark.slow
@given(
    st.binary(max_size=200)
    | st.text(max_size=200)
    | st.from_regex(r'\{"event": "(start|media|dtmf|mark|stop)", "(start|media|dtmf|mark)": .{0,20}\}')
)
def test_any_event_is_read_or_refused(message: str | bytes) -> None:
    """Fuzz: ``read_event_untrusted`` raises ``Malformed`` and nothing else."""
    try:
        read_event_untrusted(message)
    except Malformed:
        return
