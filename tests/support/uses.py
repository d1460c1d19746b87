"""How each method of the plugin ``Faulty`` comes to be called, and what its caller is to see."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio
from glottis.contracts.audio import FRAME_SECONDS
from glottis.signaling.close_codes import INTERNAL_ERROR, NORMAL, POLICY_VIOLATION, TRY_AGAIN_LATER
from glottis.signaling.messages import Text
from glottis.wire.rtcp import ReceiverReport, ReportBlock, build_rtcp, is_rtcp

from support.crowd import Crowd
from support.faults import AWAITED, Fault, Faulty, faulty_codec
from support.http import Reply, request
from support.phone import RATE, TONE, Phone, eventually
from support.route_socket import open_route_socket

Use = Callable[["Trial"], Awaitable[None]]
"""Gets the method called, and checks what comes of it."""

PATIENCE = 3.0
"""Seconds of virtual time for a fault to show."""


@dataclass(slots=True)
class Trial:
    """One fault in one method, beside the crowd."""

    crowd: Crowd
    plugin: Faulty
    method: str
    fault: Fault
    harmless: bool
    """Whether the method does its work even so, or its work is not needed."""

    def arm(self) -> None:
        """From now on the method has its fault."""
        self.plugin.arm(self.method, self.fault)

    def phone(self) -> Phone:
        """One that offers the plugin's codec, and no other."""
        return self.crowd.phone(faulty_codec())

    async def call(self) -> Phone:
        """One in the middle of a call, whose next use has the fault."""
        phone = self.phone()
        await phone.connect("faulty")
        await phone.hear()
        self.arm()
        return phone

    async def expect_end(self, phone: Phone) -> None:
        """The call of this phone ends as the fault wants it, and leaves nothing behind."""
        if self.harmless:
            await eventually(lambda: self.plugin.struck, PATIENCE)
            await phone.hear(2)
            await phone.hang_up()
            assert phone.socket.closed == (NORMAL, "the caller hung up: enough")
        else:
            assert await phone.wait_closed(PATIENCE) == (INTERNAL_ERROR, "internal error")
            phone.hang_down()


# How each method comes to be called


async def request_session(trial: Trial) -> None:
    """By the request for a session."""
    trial.arm()
    reply = await trial.crowd.exchange.post("faulty")
    if trial.harmless:
        await talk_to_session(trial, reply)
    else:
        assert reply.status == 500, reply
        assert reply.document["code"], reply


async def request_placed(trial: Trial) -> None:
    """By the request for a session, which comes about here if the cluster does not know better."""
    trial.arm()
    reply = await trial.crowd.exchange.post("faulty")
    await talk_to_session(trial, reply)


async def look_for_session(trial: Trial) -> None:
    """By the WebSocket of a session that is not here."""
    phone = trial.phone()
    await phone.create("faulty")
    trial.arm()
    await phone.open_socket(phone.url.replace(phone.session_id, "1" * 22))
    code, reason = await phone.wait_closed(PATIENCE)
    assert (code == POLICY_VIOLATION and "it was long ago" in reason) if trial.harmless else code == TRY_AGAIN_LATER
    await phone.open_socket()
    await phone.negotiate()
    await phone.hang_up()


async def request_route(trial: Trial) -> None:
    """By a request for a route."""
    trial.arm()
    exchange = trial.crowd.exchange
    reply = await request(exchange.gateway, "GET", "/api/plugins/faulty/", connect=exchange.network.connect)
    assert reply.status == (200 if trial.harmless else 500), reply


async def talk_to_route(trial: Trial) -> None:
    """By a WebSocket of a route."""
    trial.arm()
    async with open_route_socket(trial.crowd.exchange, "/api/plugins/faulty/") as socket:
        await socket.send("hello")
        if trial.harmless:
            assert await socket.receive() == "hello"
        else:
            assert (await socket.closed()).code == INTERNAL_ERROR


async def request_servers(trial: Trial) -> None:
    """The same, where the session comes about even so, without servers. Outages are told once, so it worked before."""
    await talk_to_session(trial, await trial.crowd.exchange.post("faulty"))
    trial.arm()
    reply = await trial.crowd.exchange.post("faulty")
    await talk_to_session(trial, reply)
    assert bool(reply.document["iceServers"]) == trial.harmless, reply


async def talk_to_session(trial: Trial, reply: Reply) -> None:
    """The session that was created is one."""
    assert reply.status == 200, reply
    phone = trial.phone()
    phone.url = reply.document["websocketUrl"]
    await phone.open_socket()
    await phone.negotiate()
    await phone.hang_up()


async def offer(trial: Trial) -> None:
    """By an offer."""
    phone = trial.phone()
    await phone.create("faulty")
    await phone.open_socket()
    trial.arm()
    await phone.send_offer()
    if trial.harmless:
        await phone.take_answer()
    await trial.expect_end(phone)


async def talk(trial: Trial) -> None:
    """By speech in both directions."""
    phone = trial.phone()
    await phone.create("faulty")
    await phone.open_socket()
    await phone.send_offer()
    await phone.take_answer()
    trial.arm()
    await trial.expect_end(phone)


async def lose_one(trial: Trial) -> None:
    """By a packet that is missing."""
    phone = await trial.call()
    lose_media(phone, 1)
    await trial.expect_end(phone)


async def fall_silent(trial: Trial) -> None:
    """By packets that do not come for a while."""
    phone = await trial.call()
    lose_media(phone, 5)
    await trial.expect_end(phone)


async def report_loss(trial: Trial) -> None:
    """By a report of the caller."""
    phone = await trial.call()
    report(phone, fraction_lost=0.25)
    await trial.expect_end(phone)


async def come_under_load(trial: Trial) -> None:
    """By load, under which calls are encoded with less effort."""
    phone = await trial.call()
    trial.crowd.exchange.gateway.sessions.set_complexity(0)
    await trial.expect_end(phone)
    trial.crowd.exchange.gateway.sessions.set_complexity(5)


async def go_on(trial: Trial) -> None:
    """In the middle of a call, which goes on."""
    await expect_no_end(trial, await trial.call())


async def write(trial: Trial) -> None:
    """By a text, to which the agent answers."""
    phone = await trial.call()
    await phone.socket.send(Text("hello"))
    await expect_no_end(trial, phone)


async def begin(trial: Trial) -> None:
    """With the session, which does without."""
    trial.arm()
    phone = trial.phone()
    await phone.connect("faulty")
    await expect_no_end(trial, phone)


async def hang_up(trial: Trial) -> None:
    """At the end of a call."""
    phone = await trial.call()
    await phone.hang_up()
    assert phone.socket.closed == (NORMAL, "the caller hung up: enough")


async def expect_no_end(trial: Trial, phone: Phone) -> None:
    """The call goes on, whatever was wrong."""
    await eventually(lambda: trial.plugin.struck, PATIENCE)
    await phone.hear(2)
    await phone.hang_up()
    assert phone.socket.closed == (NORMAL, "the caller hung up: enough")


async def talk_by_websocket(trial: Trial) -> None:
    """By audio of another rate than the agent's."""
    phone = trial.phone()
    audio = {"inputCodec": "PCM", "outputCodec": "PCM", "sampleRate": RATE}
    await phone.create("faulty", transportType="WebSocket", audioConfig=audio)
    trial.arm()
    socket = await phone.open_socket()
    for _ in range(20):
        if socket.closed is not None or socket.heard:
            break
        await socket.send(TONE)
        await trio.sleep(FRAME_SECONDS)
    if trial.harmless:
        await eventually(lambda: socket.heard, PATIENCE)
        await phone.hang_up()
    else:
        assert await phone.wait_closed(PATIENCE) == (INTERNAL_ERROR, "internal error")
        phone.hang_down()


def lose_media(phone: Phone, count: int) -> None:
    """The next packets of the phone's speech are lost."""
    left = [count]

    def passes(data: bytes) -> bool:
        if data[0] < 128 or is_rtcp(data) or not left[0]:
            return True
        left[0] -= 1
        return False

    phone.cable.lets_out = passes


def report(phone: Phone, fraction_lost: float) -> None:
    """Say how much is lost on the way to the phone."""
    session = phone.peer.voice.session
    assert session.receiver is not None
    assert session.receiver.source is not None
    block = ReportBlock(session.receiver.source.ssrc, fraction_lost, 1, 1, 0, 0, 0)
    packet = build_rtcp([ReceiverReport(1, (block,))])
    assert session.protection is not None
    phone.send_raw(session.protection.protect_rtcp(packet))


@dataclass(frozen=True, slots=True)
class Row:
    """A method, and how it is used; whether the gateway minds what it returns, None: that is its to choose."""

    method: str
    use: Use
    minds: bool | None = True
    alike: bool = False
    """Whether it is called in the very place where another is, which is tried with all faults: some will do."""

    def __str__(self) -> str:
        return f"{self.method}-{self.use.__name__}"


ROWS = (
    Row("AdjustableEncoder.set_complexity", come_under_load, minds=False),
    Row("Agent", talk),
    Row("Agent" + AWAITED, talk, minds=None),
    Row("AuthScheme.authenticate", request_session),
    Row("AuthScheme.authenticate" + AWAITED, request_session),
    Row("Cluster.find", look_for_session),
    Row("Cluster.find" + AWAITED, look_for_session, alike=True),
    Row("Cluster.place", request_placed),
    Row("Cluster.place" + AWAITED, request_placed),
    Row("Cluster.seconds_to_wait", request_placed, alike=True),
    Row("Cluster.seconds_to_wait" + AWAITED, request_placed, alike=True),
    Row("CodecSpec.answer_parameters", offer),
    Row("CodecSpec.create_decoder", talk),
    Row("CodecSpec.create_encoder", talk),
    Row("CodecSpec.has_redundancy", report_loss, alike=True),
    Row("CodecSpec.payload_duration_untrusted", talk),
    Row("CodecSpec.redundancy_reach", lose_one),
    Row("ComponentSpec.create", talk),
    Row("Decoder.conceal", fall_silent),
    Row("Decoder.decode", talk),
    Row("Decoder.decode_fec", lose_one),
    Row("Encoder.encode", talk),
    Row("Encoder.set_expected_loss", report_loss, minds=False),
    Row("FrameTap", go_on),
    Row("IceServerProvider.get_ice_servers", request_servers),
    Row("IceServerProvider.get_ice_servers" + AWAITED, request_servers),
    Row("Resampler.resample", talk_by_websocket),
    Row("Resampling.create_resampler", talk_by_websocket),
    Row("Route.handle", request_route),
    Row("Route.handle" + AWAITED, request_route),
    Row("SessionObserver.ended", hang_up, minds=False, alike=True),
    Row("SessionObserver.event", hang_up, minds=False, alike=True),
    Row("SessionObserver.incoming", go_on, minds=False, alike=True),
    Row("SessionObserver.message_received", write, minds=False, alike=True),
    Row("SessionObserver.message_sent", write, minds=False, alike=True),
    Row("SessionObserver.packet_received", go_on, minds=False),
    Row("SessionObserver.packet_sent", go_on, minds=False, alike=True),
    Row("SessionObserver.reached", begin, minds=False, alike=True),
    Row("SocketRoute.handle", talk_to_route),
    Row("SocketRoute.handle" + AWAITED, talk_to_route, minds=None),
    Row("VoiceActivityDetector.detect", talk),
    Row("audio_processors", begin, alike=True),
    Row("select_agent", begin),
    Row("session_observers", begin, alike=True),
)
