"""The legs of a gateway's calls, made as it is configured."""

import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import trio
from msgspec.structs import replace

from glottis.calls.leg import Leg, LegFactory, LegOwner
from glottis.calls.webrtc_leg import WebRtcLeg
from glottis.calls.websocket import Formats, StreamSettings, StreamVoice, WebSocketLeg
from glottis.config import IcePolicy, Media, ResolvedConfig
from glottis.contracts.audio import FRAME_MS
from glottis.contracts.codec import CodecSpec
from glottis.contracts.info import CallInfo
from glottis.dtls import Certificate
from glottis.ice import IceTiming
from glottis.media.driver import Endpoint
from glottis.media.scheduler import Scheduler
from glottis.peer import PeerConnection, PeerSettings
from glottis.rtp import AdaptiveDelay, DelayPolicy, FixedDelay
from glottis.server.own_addresses import OwnAddresses
from glottis.signaling.session_request import WEBRTC, WEBSOCKET
from glottis.wire.address import Address


class LegEndpoint(Endpoint, Protocol):
    """What legs need of the gateway's ``UdpEndpoint``."""

    @property
    def addresses(self) -> Sequence[Address]:
        """The local transport addresses, the bases of host candidates."""


def our_legs(
    config: ResolvedConfig,
    endpoint: LegEndpoint,
    scheduler: Scheduler,
    own_addresses: OwnAddresses,
    ice_timing: IceTiming,
) -> Mapping[str, LegFactory]:
    """By the name of their transport. All WebRTC legs of a gateway have one certificate."""
    rng, certificate, media = random.SystemRandom(), Certificate.generate(), config.config.media

    def make_webrtc_leg(owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> Leg:
        settings = _peer_settings(config, own_addresses, ice_timing, info, sample_rate)
        is_relayed = _ice_policy(config, info) == "relay"
        peer = PeerConnection(
            replace(settings, frame_ms=frame_ms, delay=partial(_delay_policy, media, frame_ms)),
            certificate=certificate,
            local_addresses=[] if is_relayed else endpoint.addresses,
            rng=rng,
        )
        if is_relayed:
            owner.notes("servers", "nothing but what TURN servers lend is used")
        else:
            for address, announced in own_addresses.announced_streams.items():
                peer.local_candidates.listen_on_stream(address, announced)
        return WebRtcLeg(
            owner,
            peer,
            endpoint=endpoint,
            scheduler=scheduler,
            session_id=info.session_id,
            gathering=own_addresses.gathering,
            local_names=own_addresses.local_names,
        )

    def make_websocket_leg(owner: LegOwner, info: CallInfo, sample_rate: int, frame_ms: int = FRAME_MS) -> Leg:
        formats = Formats([codec.spec for codec in config.codecs], config.resampling)
        settings = StreamSettings(
            partial(_delay_policy, media, frame_ms),
            media.longest_delay,
            media.encoder.knobs,
            media.send_silence,
            frame_ms,
        )
        voice = StreamVoice(formats.declared_untrusted(info, sample_rate, frame_ms), settings, sample_rate, rng)
        return WebSocketLeg(owner, voice, scheduler=scheduler, wallclock_offset=_wallclock_offset)

    return {WEBRTC: make_webrtc_leg, WEBSOCKET: make_websocket_leg}


def _ice_policy(config: ResolvedConfig, info: CallInfo) -> IcePolicy:
    if info.relays_only:
        return "relay"
    campaign = config.config.campaigns.get(info.campaign_id)
    chosen = campaign.ice_policy if campaign is not None else None
    return chosen or config.config.media.ice_policy


def _peer_settings(
    config: ResolvedConfig, own_addresses: OwnAddresses, ice_timing: IceTiming, info: CallInfo, sample_rate: int
) -> PeerSettings:
    """What the configuration says, in the order of codecs that the session's request prefers."""
    media = config.config.media
    wishes = (info.input.codec, info.output.codec)
    return PeerSettings(
        codecs=tuple(sorted((codec.spec for codec in config.codecs), key=partial(_rank, wishes))),
        sample_rate=sample_rate,
        output_codec=info.output.codec,
        packet_ms=info.output.frame_ms,
        encoder=media.encoder.knobs,
        send_silence=media.send_silence,
        red=media.red,
        ice_lite=media.ice_lite,
        ice_timing=ice_timing,
        probe_private_addresses=media.probe_private_addresses,
        announced=own_addresses.announced,
        wallclock_offset=_wallclock_offset,
    )


def _wallclock_offset() -> float:
    return time.time() - trio.current_time()


def _delay_policy(media: Media, frame_ms: int) -> DelayPolicy:
    if media.jitter_buffer == "fixed":
        return FixedDelay(media.jitter_buffer_ms / 1000)
    least, most = media.jitter_buffer_min_ms / 1000, media.jitter_buffer_max_ms / 1000
    return AdaptiveDelay(least, most, media.jitter_buffer_lateness, frame_ms / 1000)


def _rank(wishes: Sequence[str], codec: CodecSpec) -> int:
    """The place of a codec in a list of wished encoding names; at the end if nobody wishes for it."""
    names = [wish.lower() for wish in wishes]
    name = codec.encoding_name.lower()
    return names.index(name) if name in names else len(names)
