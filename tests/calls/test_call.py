import inspect
import json
import math
import tracemalloc
from collections.abc import Callable

import pytest
import trio
import trio.testing
from glottis import (
    AudioFrame,
    BytesMessage,
    Call,
    CallInfo,
    EncodedPacket,
    Heard,
    LocalError,
    TextMessage,
    TypedMessage,
)
from glottis.calls.call import GatewayCall
from glottis.calls.inbox import MAX_MESSAGES, MAX_SIZE, MESSAGES_AHEAD, SIZE_AHEAD
from glottis.calls.messenger import Messenger
from glottis.calls.metadata import MAX_METADATA
from glottis.calls.typed_messages import MAX_TYPED_SIZE, message_of
from glottis.contracts.audio import FRAME_SECONDS
from glottis.contracts.json_object import JsonObject
from glottis.rtp import KeyChange, Taps, Tone
from support.real_call import real_call

RATE = 16000
FRAME_SAMPLES = 320
INFO = CallInfo("s", "c")


class RecordingVoice:
    """Stands for the peer connection: what is said is queued, and a tick sends 20 ms of it."""

    encoding_name = "opus"
    frame_seconds = FRAME_SECONDS
    can_send = True
    takes_tones = True
    unheard = 0.0

    def __init__(self) -> None:
        self.taps = Taps()
        self.pending = bytearray()
        self.sent = bytearray()
        self.packets: list[EncodedPacket] = []
        self.incoming: list[AudioFrame] = []
        self.incoming_packets: list[EncodedPacket] = []
        self.tones: list[Tone] = []
        self.incoming_keys: list[KeyChange] = []

    @property
    def queued(self) -> float:
        return len(self.pending) / 2 / RATE + len(self.packets) * 0.02

    def write(self, pcm: bytes) -> None:
        self.pending += pcm

    def write_packet(self, packet: EncodedPacket) -> None:
        self.packets.append(packet)

    def write_tone(self, tone: Tone) -> None:
        self.tones.append(tone)

    def flush(self) -> Heard:
        heard = Heard(len(self.sent) / 2 / RATE, self.queued)
        self.pending.clear()
        return heard

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        if packets is not None:
            packets += self.next_packets(now)
        return self.incoming.pop(0) if self.incoming else None

    def next_packets(self, now: float) -> list[EncodedPacket]:
        packets, self.incoming_packets = self.incoming_packets, []
        return packets

    def next_keys(self, now: float) -> list[KeyChange]:
        changes, self.incoming_keys = self.incoming_keys, []
        return changes

    def tick(self) -> None:
        self.sent += self.pending[: FRAME_SAMPLES * 2]
        del self.pending[: FRAME_SAMPLES * 2]


@pytest.fixture
def voice() -> RecordingVoice:
    return RecordingVoice()


@pytest.fixture
async def call(voice: RecordingVoice) -> GatewayCall:
    return make_call(voice)


def make_call(
    voice: RecordingVoice, caught_up: Callable[[], None] = lambda: None, info: CallInfo = INFO
) -> GatewayCall:
    messenger = Messenger(send_signaling=lambda _: None, deliver=lambda _: None, pump=lambda: None)
    return GatewayCall(
        info,
        sample_rate=RATE,
        voice=voice,
        messenger=messenger,
        hang_up=lambda _: None,
        caught_up=caught_up,
    )


def silence(seconds: float) -> AudioFrame:
    return AudioFrame(bytes(round(seconds * RATE) * 2), RATE)


def ramp(samples: int) -> bytes:
    return b"".join((i % 32768).to_bytes(2, "little") for i in range(samples))


async def test_say_waits_while_200_ms_are_queued(
    call: GatewayCall, voice: RecordingVoice, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    await call.say(silence(0.2))
    second = trio.Event()

    async def speak() -> None:
        await call.say(silence(0.02))
        second.set()

    nursery.start_soon(speak)
    await trio.testing.wait_all_tasks_blocked()
    assert not second.is_set()
    voice.tick()
    call.spoke()
    await second.wait()


async def test_a_frame_of_ten_minutes_never_fills_more_than_the_queue(
    call: GatewayCall, voice: RecordingVoice, nursery: trio.Nursery
) -> None:
    nursery.start_soon(call.say, silence(600))
    for _ in range(100):
        await trio.testing.wait_all_tasks_blocked()
        assert voice.queued <= 0.2 + 1e-9
        voice.tick()
        call.spoke()
    assert math.isclose(len(voice.sent) / 2 / RATE, 2.0)


async def test_no_sample_is_lost_or_reordered_whatever_the_length(
    call: GatewayCall, voice: RecordingVoice, nursery: trio.Nursery
) -> None:
    pcm = ramp(12345)
    nursery.start_soon(call.say, AudioFrame(pcm, RATE))
    while len(voice.sent) < len(pcm):
        await trio.testing.wait_all_tasks_blocked()
        voice.tick()
        call.spoke()
    assert bytes(voice.sent) == pcm


async def test_flush_stops_speech_in_progress_and_counts_what_was_not_sent(
    call: GatewayCall, voice: RecordingVoice, nursery: trio.Nursery
) -> None:
    said = trio.Event()

    async def speak() -> None:
        await call.say(silence(1.0))
        said.set()

    nursery.start_soon(speak)
    await trio.testing.wait_all_tasks_blocked()
    voice.tick()
    heard = call.flush()
    await said.wait()
    assert heard.sent == pytest.approx(0.02)
    assert heard.dropped == pytest.approx(0.98)
    assert voice.queued == 0


async def test_speech_after_a_flush_is_sent(call: GatewayCall, voice: RecordingVoice) -> None:
    call.flush()
    await call.say(silence(0.02))
    assert voice.queued == pytest.approx(0.02)


async def test_drain_returns_when_everything_was_sent(
    call: GatewayCall, voice: RecordingVoice, nursery: trio.Nursery
) -> None:
    await call.say(silence(0.04))
    drained = trio.Event()

    async def wait() -> None:
        await call.drain()
        drained.set()

    nursery.start_soon(wait)
    for expected in (False, True):
        voice.tick()
        call.spoke()
        await trio.testing.wait_all_tasks_blocked()
        assert drained.is_set() is expected


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (AudioFrame(bytes(640), 8000), "sample rate is 16000 Hz"),
        (AudioFrame(bytes(641), RATE), "whole 16-bit samples"),
        (EncodedPacket(b"x", "PCMU", 8000, 0, 160), "this call sends opus, not PCMU"),
        (EncodedPacket(b"x", "opus", 48000, 0, 0), "lasts up to"),
        (EncodedPacket(b"x", "opus", 48000, 0, -960), "lasts up to"),
        (EncodedPacket(b"x", "opus", 48000, 0, 480000), "lasts up to"),
        (EncodedPacket(b"x", "opus", 0, 0, 960), "lasts up to"),
        (EncodedPacket(b"x", "opus", 48000, 0, 960.0), "duration: expected an integer, got float"),  # type: ignore[arg-type]
        (EncodedPacket(b"x", "opus", 48000, None, 960), "rtp_timestamp: expected an integer"),  # type: ignore[arg-type]
        (EncodedPacket(b"x", "opus", 48000, 0, 960, -1), "lost_before counts packets"),
        (EncodedPacket(b"x", "opus", 48000, 0, 960, 0, 128), "audio_level: expected an integer from 0 to 127, got 128"),
        (EncodedPacket(b"x", None, 48000, 0, 960), "encoding_name: expected str, got NoneType"),  # type: ignore[arg-type]
        (bytes(640), "takes an AudioFrame or an EncodedPacket, not bytes"),
        (None, "takes an AudioFrame or an EncodedPacket, not NoneType"),
        (EncodedPacket(b"", "opus", 48000, 0, 960), "has a payload"),
        (EncodedPacket(bytes(5000), "opus", 48000, 0, 960), "has a payload"),
    ],
)
@pytest.mark.parametrize("can_send", [True, False])
async def test_audio_that_does_not_fit_the_call_is_refused_by_name(
    call: GatewayCall, voice: RecordingVoice, can_send: bool, audio: AudioFrame | EncodedPacket, message: str
) -> None:
    voice.can_send = can_send
    with pytest.raises(ValueError, match=message):
        await call.say(audio)


async def test_samples_are_sent_as_they_were_when_they_were_said(call: GatewayCall, voice: RecordingVoice) -> None:
    samples = bytearray(ramp(320))
    await call.say(AudioFrame(samples, RATE))  # type: ignore[arg-type]
    samples[:] = bytes(640)
    assert bytes(voice.pending) == ramp(320)


@pytest.mark.parametrize("audio", [AudioFrame(bytes(640), RATE), EncodedPacket(b"p", "opus", 48000, 0, 960)])
async def test_speech_that_nobody_can_hear_takes_its_time_all_the_same(
    call: GatewayCall, voice: RecordingVoice, autojump_clock: trio.testing.MockClock, audio: AudioFrame | EncodedPacket
) -> None:
    voice.can_send = False
    start = trio.current_time()
    for _ in range(50):
        await call.say(audio)
    assert trio.current_time() - start == pytest.approx(1.0)
    assert voice.queued == 0


async def test_empty_frames_in_a_tight_loop_do_not_block_the_others(call: GatewayCall, nursery: trio.Nursery) -> None:
    async def speak() -> None:
        while True:
            await call.say(AudioFrame(b"", RATE))

    nursery.start_soon(speak)
    for _ in range(3):
        await trio.lowlevel.checkpoint()
    nursery.cancel_scope.cancel()


async def test_an_agent_that_does_not_listen_loses_the_oldest_frames(call: GatewayCall, voice: RecordingVoice) -> None:
    stream = aiter(call.audio)
    for index in range(15):
        voice.incoming.append(AudioFrame(bytes(640), RATE, index))
        call.hear(0.0)
    assert (await anext(stream)).timestamp == 5
    assert stream.dropped == 5


def tick_with_sound(call: GatewayCall, voice: RecordingVoice, index: int = 0) -> None:
    voice.incoming.append(AudioFrame(bytes(640), RATE, index))
    voice.incoming_packets.append(EncodedPacket(b"%d" % index, "opus", 48000, 960 * index, 960))
    call.hear(0.02 * index)


async def test_nothing_is_decoded_for_an_agent_that_wants_packets(call: GatewayCall, voice: RecordingVoice) -> None:
    packets = aiter(call.packets)
    tick_with_sound(call, voice)
    assert (await anext(packets)).payload == b"0"
    assert len(voice.incoming) == 1


async def test_what_is_tapped_is_decoded_though_the_agent_reads_nothing(
    call: GatewayCall, voice: RecordingVoice
) -> None:
    voice.incoming = [AudioFrame(bytes(640), RATE)] * 2
    call.hear(0.0)
    assert len(voice.incoming) == 2
    voice.taps.heard = lambda frame: frame
    call.hear(0.0)
    assert len(voice.incoming) == 1


async def test_frames_and_packets_can_be_read_at_a_time(call: GatewayCall, voice: RecordingVoice) -> None:
    audio, packets = aiter(call.audio), aiter(call.packets)
    for index in range(3):
        tick_with_sound(call, voice, index)
    assert [(await anext(audio)).timestamp for _ in range(3)] == [0, 1, 2]
    assert [(await anext(packets)).payload for _ in range(3)] == [b"0", b"1", b"2"]


async def test_a_look_at_a_stream_does_not_open_it(call: GatewayCall, voice: RecordingVoice) -> None:
    inspect.getmembers(call)
    assert all(hasattr(call, name) for name in ("audio", "packets", "messages", "events"))
    tick_with_sound(call, voice)
    assert (len(voice.incoming), len(voice.incoming_packets)) == (1, 1)


async def test_who_stops_iterating_and_begins_again_gets_what_still_waits(
    call: GatewayCall, voice: RecordingVoice
) -> None:
    aiter(call.audio)
    for index in range(3):
        tick_with_sound(call, voice, index)
    seen = []
    for _ in range(3):
        async for frame in call.audio:
            seen.append(frame.timestamp)
            break
    assert seen == [0, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("reads_packets", [True, False])
async def test_every_loud_frame_is_heard_whatever_becomes_of_the_packets(
    reads_packets: bool, autojump_clock: trio.testing.MockClock
) -> None:
    loud, packets = [], []

    async def read_packets(call: Call) -> None:
        async for packet in call.packets:
            packets.append(packet.payload)

    async def agent(call: Call) -> None:
        assert hasattr(call, "packets")
        if reads_packets:
            call.nursery.start_soon(read_packets, call)
        async for frame in call.audio:
            if any(frame.pcm):
                loud.append(frame.pcm)

    async with real_call(agent) as caller:
        await caller.caller_speaks(ramp(100 * FRAME_SAMPLES))
        await trio.sleep(0.2)
    heard = loud[:100]  # what comes after is concealment
    assert b"".join(heard) == ramp(100 * FRAME_SAMPLES)
    assert packets == (heard if reads_packets else [])


@pytest.mark.slow
async def test_what_is_written_last_comes_though_it_is_lost_at_first(autojump_clock: trio.testing.MockClock) -> None:
    async def agent(call: Call) -> None:
        await anext(call.messages)
        await call.send_text("goodbye")

    async with real_call(agent) as caller:
        caller.caller_opens_channel("chat")
        await trio.sleep(0.5)
        caller.caller_writes(TextMessage("enough", "chat"))
        await caller.loses(0.1)
        await caller.ended.wait()
    assert ("goodbye", "chat") in caller.sent_messages


async def test_two_readers_of_one_stream_are_told_so(call: GatewayCall, nursery: trio.Nursery) -> None:
    nursery.start_soon(anext, call.audio)
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await anext(call.audio)
    nursery.cancel_scope.cancel()


async def test_unread_messages_are_bounded_and_their_loss_is_logged_once(
    call: GatewayCall, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(MAX_MESSAGES + 3):
        call.push_message(TextMessage(str(index)))
    assert (await anext(call.messages)) == TextMessage("3")
    assert [record.getMessage() for record in caplog.records] == [
        "session s: the agent reads no messages: the oldest are dropped"
    ]


@pytest.mark.parametrize(("character", "width"), [("a", 1), ("ä", 1), ("€", 2), ("😀", 4)])
async def test_unread_messages_are_bounded_by_the_memory_that_they_take(
    call: GatewayCall, character: str, width: int
) -> None:
    quarter = character * (MAX_SIZE // width // 4)
    for index in range(5):
        call.push_message(TextMessage(f"{index}{quarter}"))
    assert call.messages.dropped == 2
    assert not call.messages.has_room_for(TextMessage(quarter))
    oldest = await anext(call.messages)
    assert isinstance(oldest, TextMessage)
    assert oldest.text[0] == "2"
    assert call.messages.has_room_for(TextMessage(quarter[:-100]))


async def test_megabytes_of_typed_messages_that_nobody_reads_take_no_more_than_their_bound(call: GatewayCall) -> None:
    text = '{"type":"x","list":[' + "[]," * 10_000 + "1]}"
    tracemalloc.start()
    for index in range(600):
        call.push_message(TextMessage(f"{text}{' ' * (index % 7)}"))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert call.messages.dropped > 400
    assert held < MAX_SIZE + 100_000
    assert peak < MAX_SIZE + 500_000


async def test_bytes_count_as_well(call: GatewayCall) -> None:
    for _ in range(5):
        call.push_message(BytesMessage(bytes(MAX_SIZE // 4), "files"))
    assert call.messages.dropped == 2


async def test_few_large_messages_put_an_agent_behind_as_many_small_ones_do(voice: RecordingVoice) -> None:
    caught_up: list[int] = []
    slow: GatewayCall = make_call(voice, caught_up=lambda: caught_up.append(len(slow.messages)))
    call = slow
    aiter(call.messages)
    for _ in range(8):
        assert not call.messages.is_behind
        call.push_message(TextMessage("x" * (SIZE_AHEAD // 8)))
    assert call.messages.is_behind
    for _ in range(8):
        await anext(call.messages)
    assert caught_up == [3]


async def test_others_have_their_turn_between_the_messages_of_an_agent_that_reads_on_and_on(
    voice: RecordingVoice, nursery: trio.Nursery
) -> None:
    busy: GatewayCall = make_call(voice, caught_up=lambda: busy.push_message(TextMessage("another")))
    call = busy
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    for _ in range(100):
        call.push_message(TextMessage("x"))
    nursery.start_soon(other)
    for _ in range(100):
        await anext(call.messages)
    assert turns >= 99
    nursery.cancel_scope.cancel()


async def test_an_agent_that_reads_its_messages_too_slowly_is_behind_until_it_has_caught_up(
    voice: RecordingVoice,
) -> None:
    caught_up: list[int] = []
    slow: GatewayCall = make_call(voice, caught_up=lambda: caught_up.append(len(slow.messages)))
    call = slow
    call.push_message(TextMessage("first"))
    await anext(call.messages)
    for index in range(MESSAGES_AHEAD):
        assert not call.messages.is_behind
        call.push_message(TextMessage(str(index)))
    assert call.messages.is_behind
    for index in range(MESSAGES_AHEAD):
        assert await anext(call.messages) == TextMessage(str(index))
    assert caught_up == [MESSAGES_AHEAD // 2]


async def test_an_agent_that_reads_no_messages_is_not_behind(call: GatewayCall) -> None:
    for _ in range(2 * MAX_MESSAGES):
        call.push_message(TextMessage("unread"))
    assert not call.messages.is_behind


async def test_metadata_that_the_client_sends_later_reaches_call_info(call: GatewayCall) -> None:
    call.push_message(message_of('{"type": "metadata", "userId": "user-123"}'))
    assert call.info.metadata == {"userId": "user-123"}
    message = await anext(call.messages)
    assert isinstance(message, TypedMessage)
    assert message.type == "metadata"


async def test_what_the_request_held_is_decoded_when_the_agent_looks(voice: RecordingVoice) -> None:
    info = CallInfo("s", "c", dynamic_variables=JsonObject(b'{"v":[1]}'), metadata=JsonObject(b'{"a":1,"b":2}'))
    call = make_call(voice, info=info)
    assert call.info.metadata == {"a": 1, "b": 2}
    call.push_message(TextMessage('{"type": "metadata", "b": 3}'))
    assert json.dumps([call.info.metadata, call.info.dynamic_variables]) == '[{"a": 1, "b": 3}, {"v": [1]}]'
    assert info.metadata == {"a": 1, "b": 2}


async def test_metadata_is_a_snapshot(call: GatewayCall) -> None:
    call.push_message(message_of('{"type": "metadata", "a": {"b": [1]}}'))
    before = call.info
    assert call.info is before
    call.push_message(message_of('{"type": "metadata", "a": 2, "c": null}'))
    assert before.metadata == {"a": {"b": [1]}}
    assert call.info.metadata == {"a": 2, "c": None}
    assert json.dumps(call.info.metadata) == '{"a": 2, "c": null}'


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "metadat", "a": 1}',
        '{"kind": "metadata", "a": 1}',
        '["metadata"]',
        '{"type": ["metadata"], "a": 1}',
        '{"type": "metadata", "a": 1',
        '{"type": "metadata", "a": "' + "x" * MAX_TYPED_SIZE + '"}',
    ],
)
async def test_other_messages_are_no_metadata(call: GatewayCall, text: str) -> None:
    call.push_message(TextMessage(text))
    assert call.info.metadata == {}


async def test_metadata_that_the_client_sends_grows_to_a_bound_and_is_replaced_within_it(
    call: GatewayCall, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(200):
        call.push_message(TextMessage(json.dumps({"type": "metadata", f"key{index}": "x" * 1000})))
    assert 60_000 < len(json.dumps(call.info.metadata)) <= MAX_METADATA
    assert len(caplog.records) == 1
    call.push_message(TextMessage('{"type": "metadata", "key0": "short"}'))
    assert call.info.metadata["key0"] == "short"
    call.push_message(TextMessage('{"type": "metadata", "deep": ' + "[" * 500 + "]" * 500 + "}"))
    assert "deep" not in call.info.metadata
    assert call.messages.dropped == 0


# What is said beside the agent


async def test_what_is_to_be_said_is_checked_before_anything_is(
    call: GatewayCall, voice: RecordingVoice, nursery: trio.Nursery
) -> None:
    call.nursery = nursery
    wrong: list[tuple[object, str]] = [
        (AudioFrame(bytes(640), 8000), "sample rate is 16000 Hz"),
        (bytes(641), "whole 16-bit samples"),
        ([bytes(640), bytes(641)], "whole 16-bit samples"),
        ([bytes(640), None], "start_saying: expected a frame, .* or an async iterator of these, got NoneType"),
        ("hello", "of these, got str"),
        ((bytes(2) for _ in range(3)), "of these, got generator"),
        (make_call, "of these, got function: call it"),
        (EncodedPacket(b"x", "PCMU", 8000, 0, 160), "this call sends opus, not PCMU"),
    ]
    for audio, message in wrong:
        with pytest.raises(ValueError, match=message):
            call.start_saying(audio)  # type: ignore[arg-type]
    assert call.is_speaking is False
    utterance = call.start_saying([bytearray(640), AudioFrame(bytes(640), RATE), bytes(0)])  # type: ignore[list-item]
    assert call.is_speaking is True
    await trio.testing.wait_all_tasks_blocked()
    assert voice.queued == pytest.approx(0.04)
    assert utterance.cancel().dropped == pytest.approx(0.04)
    assert call.is_speaking is False


async def test_a_call_by_websocket_has_no_channels_to_wait_for(voice: RecordingVoice) -> None:
    call = make_call(voice, info=CallInfo("s", "c", transport="WebSocket"))
    with pytest.raises(LocalError, match="by WebSocket has no data channels: send text and events"):
        await call.wait_for_channel()
