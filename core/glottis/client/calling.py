"""Calling a gateway: glottis as its client, made of the engines that the gateway itself is made of.

A program talks with a gateway as an agent talks with a caller: both are given a ``Call``.
"""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import msgspec
import trio
from msgspec.structs import replace

from glottis.calls.leg import Leg, LegFactory, LegOwner
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.calls.websocket import PCM, Formats, StreamSettings, StreamVoice, WebSocketLeg
from glottis.client.call import ClientCall, Reopen, Signaling, UseIceServers, WhyNoWay
from glottis.client.grant import SessionGrant, create_session
from glottis.client.signaling import ClientSignaling, open_client_signaling
from glottis.config import IcePolicy
from glottis.contracts.audio import FRAME_MS
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import LocalError
from glottis.contracts.ice_servers import IceServer
from glottis.contracts.info import AudioPreference, CallInfo
from glottis.contracts.secret import Secret
from glottis.dtls import Certificate
from glottis.ice.timing import DEFAULT_TIMING, IceTiming
from glottis.media.dialling import Diallers
from glottis.media.endpoint import UdpEndpoint
from glottis.media.gathering import Gathering
from glottis.media.scheduler import Scheduler
from glottis.peer import PeerConnection, PeerSettings
from glottis.sctp import DEFAULT_MAX_MESSAGE_SIZE
from glottis.signaling.session_request import CODECS, WEBRTC, WEBSOCKET


class CallRequest(msgspec.Struct, frozen=True):
    """Whom to call and how. ``codecs`` are offered in this order; ``sample_rate`` in hertz is this side's."""

    url: str
    codecs: tuple[CodecSpec, ...]
    campaign_id: str = "echo"
    sample_rate: int = 48000
    preferred_codec: str | None = None
    """Such as ``PCMU``; None leaves the choice to the gateway. What CONTRACT has no word for is only offered."""
    api_key: Secret | None = None
    websocket: bool = False
    """Whether audio travels by the WebSocket, uncompressed unless a codec is preferred."""
    setup_timeout: float = 15.0
    """Seconds from the WebSocket to flowing media."""
    ice_timing: IceTiming = DEFAULT_TIMING
    ice_servers: tuple[IceServer, ...] = ()
    """Asked for addresses beside those that the gateway names."""
    ice_policy: IcePolicy = "all"
    """``relay``: nothing leaves by another way than TURN servers."""
    data_channel: str | None = None
    """The label of a data channel, for texts and bytes; None lets texts travel by the WebSocket."""

    def document(self) -> dict[str, Any]:
        """The JSON object that creates the session (CONTRACT §1)."""
        codec = self.preferred_codec
        named = codec in CODECS  # one that requests have no name for is in the offer, which decides
        audio: dict[str, Any] = {"inputCodec": codec, "outputCodec": codec} if named else {}
        if self.websocket:
            wish = self.declared
            audio = {"inputCodec": wish.codec, "outputCodec": wish.codec, "sampleRate": wish.sample_rate}
        transport = WEBSOCKET if self.websocket else WEBRTC
        return {"campaignId": self.campaign_id, "transportType": transport, "audioConfig": audio}

    @property
    def declared(self) -> AudioPreference:
        """The audio by the WebSocket, in both directions. Raises ``LocalError`` for a codec that it cannot have."""
        codec = self.preferred_codec or PCM
        if codec not in CODECS:
            raise LocalError(f"{codec}: expected one of {', '.join(CODECS)} by the WebSocket")
        return AudioPreference(codec, self.sample_rate if codec == PCM else CODECS[codec])

    def granted(self, grant: SessionGrant) -> "CallRequest":
        """With what the gateway adds. Raises ``LocalError`` if that leaves a call by relays alone without one."""
        servers = self.ice_servers + grant.ice_servers
        if self.ice_policy == "relay" and not any(server.is_relay for server in servers):
            raise LocalError("a call by relays alone needs a TURN server: name one, or let the gateway's configuration")
        return replace(self, ice_servers=servers)


@asynccontextmanager
async def open_client_call(
    request: CallRequest, *, waits: Callable[[int], object] = lambda place: None
) -> AsyncIterator[ClientCall]:
    """Call a gateway. The block is cancelled when the call ends, and leaving the block hangs up.

    ``waits`` is told the places in the gateway's queue, if it has no room yet.

    Raises ``CallFailed`` if the call is refused, never comes about or breaks, and ``LocalError`` if the request cannot
    be made. After the block ``ClientCall.end_reason`` says how the call ended.
    """
    grant = await create_session(request.url, request.document(), request.api_key, waits=waits)
    granted = request.granted(grant)
    with _out_of_groups():
        async with (
            open_client_signaling(grant.websocket_url, gateway_url=request.url) as signaling,
            _open_call(signaling, granted, grant.session_id) as call,
        ):
            yield call
    if call.failure is not None:
        raise call.failure


@asynccontextmanager
async def _open_call(signaling: ClientSignaling, request: CallRequest, session_id: str) -> AsyncIterator[ClientCall]:
    if request.websocket:
        async with open_websocket_call_over(signaling, request, session_id, resumes=True) as call:
            yield call
        return
    with UdpEndpoint.bind([signaling.local_host], 0) as endpoint:
        async with open_call_over(signaling, endpoint, request, session_id, resumes=True) as call:
            yield call


@asynccontextmanager
async def open_websocket_call_over(
    signaling: Signaling, request: CallRequest, session_id: str, *, resumes: bool = False
) -> AsyncIterator[ClientCall]:
    """A call whose audio travels by signaling that is there. See ``open_call_over``."""
    scheduler = Scheduler()

    def make_leg(owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> Leg:
        formats = Formats(request.codecs, None).declared_untrusted(info, sample_rate, frame_ms)
        voice = StreamVoice(formats, StreamSettings(frame_ms=frame_ms), sample_rate, random.SystemRandom())
        return WebSocketLeg(owner, voice, scheduler=scheduler, wallclock_offset=_wallclock_offset, is_gateway=False)

    info = CallInfo(
        session_id, request.campaign_id, transport=WEBSOCKET, input=request.declared, output=request.declared
    )
    reopen = partial(_reopen, request, lambda local_host: None) if resumes else None
    async with _open_client_call(info, make_leg, signaling, request, reopen, scheduler.run) as call:
        yield call


@asynccontextmanager
async def open_call_over(
    signaling: Signaling, endpoint: UdpEndpoint, request: CallRequest, session_id: str, *, resumes: bool = False
) -> AsyncIterator[ClientCall]:
    """The same over signaling and sockets that are there. What is raised inside comes out in an exception group.

    ``resumes`` has the call open another WebSocket when it loses this one.
    """
    scheduler = Scheduler(endpoint)
    peer = _make_peer(request, endpoint)
    gathering = Gathering(endpoint, endpoint.addresses, rng=random.SystemRandom())
    gathering.use(request.ice_servers)
    diallers = Diallers(endpoint)
    for address in endpoint.addresses if request.ice_policy == "all" else ():
        peer.local_candidates.connect_by_stream(diallers.add(address.host))

    def make_leg(owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> Leg:
        return WebRtcLeg(
            owner,
            peer,
            endpoint=endpoint,
            scheduler=scheduler,
            session_id=info.session_id,
            offers=True,
            channel=request.data_channel,
            gathering=gathering,
        )

    def moved(local_host: str) -> None:
        """Media goes by the network that signaling goes by now."""
        if any(address.host == local_host for address in endpoint.addresses):
            return
        gathering.move_to(address := endpoint.bind_another(local_host))
        if request.ice_policy == "all":
            peer.local_candidates.add(address)
            peer.local_candidates.connect_by_stream(diallers.add(local_host))

    info = CallInfo(session_id, request.campaign_id)
    reopen = partial(_reopen, request, moved) if resumes else None
    tasks = (endpoint.run, scheduler.run, diallers.run, gathering.run)
    async with _open_client_call(
        info,
        make_leg,
        signaling,
        request,
        reopen,
        *tasks,
        use_ice_servers=gathering.use,
        why_no_way=gathering.relays.why_none if request.ice_policy == "relay" else lambda: "",
    ) as call:
        yield call


@asynccontextmanager
async def _open_client_call(
    info: CallInfo,
    make_leg: LegFactory,
    signaling: Signaling,
    request: CallRequest,
    reopen: Reopen | None,
    *tasks: Callable[[], Awaitable[object]],
    use_ice_servers: UseIceServers = lambda servers: None,
    why_no_way: WhyNoWay = lambda: "",
) -> AsyncIterator[ClientCall]:
    """The call, with ``tasks`` beside it that it stands on."""
    call = ClientCall(
        info,
        make_leg,
        signaling,
        sample_rate=request.sample_rate,
        setup_timeout=request.setup_timeout,
        reopen=reopen,
        use_ice_servers=use_ice_servers,
        why_no_way=why_no_way,
    )
    async with trio.open_nursery() as nursery:
        call.nursery = nursery
        for task in (*tasks, call.follow):
            nursery.start_soon(task)
        with call.in_progress():
            yield call
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _reopen(request: CallRequest, moved: Callable[[str], None], websocket_url: str) -> AsyncIterator[Signaling]:
    """Signaling once more. ``moved`` is told from which local host before it is there, so that addresses are lent."""
    with _out_of_groups():
        async with open_client_signaling(websocket_url, gateway_url=request.url, connected=moved) as signaling:
            yield signaling


def _make_peer(request: CallRequest, endpoint: UdpEndpoint) -> PeerConnection:
    settings = PeerSettings(
        codecs=request.codecs,
        sample_rate=request.sample_rate,
        output_codec=request.preferred_codec,
        ice_timing=request.ice_timing,
        max_message_size=None if request.data_channel is None else DEFAULT_MAX_MESSAGE_SIZE,
        wallclock_offset=_wallclock_offset,
    )
    return PeerConnection(
        settings,
        certificate=Certificate.generate(),
        local_addresses=[] if request.ice_policy == "relay" else endpoint.addresses,
        rng=random.SystemRandom(),
    )


def _wallclock_offset() -> float:
    return time.time() - trio.current_time()


@contextmanager
def _out_of_groups() -> Iterator[None]:
    """Let an error that is alone in its exception groups come out as it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from error.__cause__
