"""The audio of a call, as its owner reads and writes it: an RTP session made as was negotiated."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final

from glottis.contracts.audio import AudioFrame, EncodedPacket
from glottis.contracts.call import Heard
from glottis.contracts.codec import CodecSpec, Encoder, EncoderSettings
from glottis.contracts.events import MediaNegotiated
from glottis.peer.agreed_audio import event_format, feedback_of, takes_fec
from glottis.peer.overheard import Overheard, agreement, ticking
from glottis.peer.packet_times import PacketTimes, legal_packet_ms, number_of, packet_times, send_period
from glottis.peer.settings import PeerSettings
from glottis.rtp import (
    AudioReceiver,
    AudioSender,
    Background,
    BitrateLimited,
    ComfortNoiseReader,
    KeyChange,
    Keypad,
    PacketProtection,
    PathReported,
    Pauses,
    PayloadReader,
    PlainReader,
    PlainWriter,
    PlayoutStatistics,
    Protector,
    RedReader,
    ReportReceived,
    RtpSession,
    SourceLeft,
    SourceRetired,
    SrtpSession,
    Taps,
    TelephoneEventReader,
    Tone,
)
from glottis.rtp.loss import FULL_LOSS
from glottis.sdp import NegotiatedAudio, NegotiatedFormat, SendingTrack
from glottis.wire.srtp_keys import SrtpKeys


class AudioTrack:
    """Both directions. Where a direction was not negotiated nothing is heard, and what is said goes nowhere.

    Who was only answered, and perhaps never connects, has neither receiver nor sender yet: they are made once there are
    keys, or for who looks.
    """

    def __init__(self, settings: PeerSettings, track: SendingTrack, rng: random.Random) -> None:
        self.session = RtpSession(
            ssrc=track.ssrc, cname=track.cname, rng=rng, wallclock_offset=settings.wallclock_offset
        )
        """Silent until there are both keys and audio."""
        self.keypad = Keypad()
        """The keys that the peer presses."""
        self.next_keys: Callable[[float], Sequence[KeyChange]] = self.keypad.take_changes
        """What has happened to them since the last media tick."""
        self.taps = Taps()
        """They are bound when a direction begins."""
        self.send_soon: Callable[[], None] = lambda: None
        """Called when something was written that need not wait for the next tick."""
        self.settings = settings
        self._knobs = settings.encoder
        self._track = track
        self.rng = rng
        self._waiting: tuple[NegotiatedAudio, float] | None = None
        """What was negotiated last, and when, until it is made so."""
        self._format_in_use: NegotiatedFormat | None = None
        self._encoding_name = ""
        self._formats: Sequence[NegotiatedFormat] = ()
        self._wishes: PacketTimes | None = None
        """The peer's, of what is sent."""
        self._sender: AudioSender | None = None
        self._keys: SrtpKeys | None = None
        self._protector: Protector | None = None

    @property
    def format_in_use(self) -> NegotiatedFormat | None:
        """What is sent, from the first negotiation of audio on; a later one may change it."""
        self._make()
        return self._format_in_use

    @property
    def encoding_name(self) -> str:
        """Of what is sent."""
        self._make()
        return self._encoding_name

    @property
    def description(self) -> MediaNegotiated:
        """What is in force: the codec sent, and the real length of its packets (CONTRACT T5)."""
        return MediaNegotiated(
            codec=self.encoding_name, frame_duration_ms=self.packet_ms, sample_rate=self.settings.sample_rate
        )

    @property
    def frame_seconds(self) -> float:
        """Of frames that are heard, and between media ticks."""
        return self.settings.frame_ms / 1000

    @property
    def packet_ms(self) -> float:
        """Milliseconds of audio in a packet that is sent: what was asked for, as far as codec and path can."""
        self._make()
        return self._usual_packet_ms if self._sender is None else self._sender.packet_ms

    @property
    def _usual_packet_ms(self) -> float:
        return self.settings.packet_ms or self.settings.frame_ms

    @property
    def send_period(self) -> float:
        """Seconds between calls of ``packets_to_send`` that keep the packets evenly spaced, at most a media tick."""
        return send_period(self.packet_ms, self.frame_seconds)

    def negotiate(self, audio: NegotiatedAudio | None, now: float) -> None:
        """Take the result of a negotiation, the first or a later one, with or without audio."""
        if self.taps.incoming is not None:
            self.taps.incoming("negotiated", agreement(audio, self.settings), now)
        self._waiting = None if audio is None else (audio, now)
        if audio is None:
            self.session.set_tracks(receiver=None, sender=None)
        elif self._keys is not None or self.session.protection is not None:
            self._make()
            self._start(now)

    def _make(self) -> None:
        """Follow the last negotiation, if that was put off."""
        if self._waiting is None:
            return
        (audio, now), self._waiting = self._waiting, None
        session, receiver = self.session, None
        if audio.direction.receives:
            receiver = session.receiver or self._new_receiver(audio)
            receiver.set_readers(self._readers(audio, receiver.statistics, receiver.background))
            self._formats = audio.formats
        preferred = self._preferred(audio.formats)
        wishes = PacketTimes.of(audio, preferred)
        if self._sender is None or (preferred, wishes) != (self._format_in_use, self._wishes):
            self._sender = self._new_sender(preferred, wishes, self._sender)
        self._sender.tones.format = event_format(audio.events, self._sender.clock_rate)
        self._sender.pauses = self._pauses(audio, self._sender)
        if self._protector is not None:
            self._protector.use_red(self._red_payload_type(audio))
        session.set_tracks(receiver=receiver, sender=self._sender if audio.direction.sends else None)
        session.set_feedback(feedback_of(audio), audio.extensions, audio.mid, now)

    def set_keys(self, keys: SrtpKeys | None, now: float) -> None:
        """The handshake is done, and has given keys unless it was for data channels only."""
        self._keys = keys
        self._start(now)

    def _start(self, now: float) -> None:
        """Once there are both keys and audio, whichever came first."""
        if self._keys is not None and self.format_in_use is not None:
            protection: PacketProtection = SrtpSession(self._keys)
            if self.taps.incoming is not None:
                protection = Overheard(protection, self.taps.incoming)
                self.next_keys = ticking(self.keypad.take_changes, self.taps.incoming)
                self.taps.incoming("keys", b"", now)
            self.start(protection, now)
            self._keys = None

    def start(self, protection: PacketProtection, now: float) -> None:
        """From now on packets flow, with what was made of the keys."""
        self._make()
        self.session.start(protection, now)

    # What the call does in each media tick, and the agent between them

    @property
    def can_send(self) -> bool:
        """Whether there is a direction from us to the peer; what is written without one goes nowhere."""
        self._make()
        return self.session.sender is not None

    @property
    def can_receive(self) -> bool:
        """Whether there is a direction from the peer to us."""
        self._make()
        return self.session.receiver is not None

    @property
    def takes_tones(self) -> bool:
        """Whether the peer takes telephone events."""
        self._make()
        return self._sender is not None and self._sender.tones.format is not None

    @property
    def format_received(self) -> NegotiatedFormat | None:
        """What was decoded last or, while nothing was, what this side prefers."""
        receiver = self.session.receiver
        codec = receiver.codec if receiver is not None else None
        found = (one for one in self._formats if codec is None or one.encoding_name == codec.encoding_name)
        return next(found, None)

    @property
    def loses_packets(self) -> bool:
        """Whether so many of the peer's packets are lost, by the last report, that copies would be of use."""
        receiver = self.session.receiver
        source = receiver.source if receiver is not None else None
        return source is not None and source.fraction_lost >= FULL_LOSS

    unheard: Final = 0.0
    """See ``SpeakingVoice``: nobody tells."""

    @property
    def queued(self) -> float:
        """Seconds of speech that wait to be sent."""
        sender = self.session.sender
        return sender.queued if sender is not None else 0.0

    @property
    def has_moved_on(self) -> bool:
        """Whether something has left the queue in the last tick, with a packet or without."""
        return self.session.sender is not None and self.session.sender.has_moved_on

    @property
    def starts_at(self) -> float | None:
        """When the first frame can be had of packets that have begun to come; None before and afterwards."""
        receiver = self.session.receiver
        return receiver.starts_at if receiver is not None else None

    def write(self, pcm: bytes) -> None:
        """Queue whole samples of any number, signed 16-bit mono at the settings' sample rate."""
        self._make()
        sender = self.session.sender
        if sender is not None:
            sender.write(pcm)
            if sender.is_idle and sender.is_overdue:
                self.send_soon()

    def write_packet(self, packet: EncodedPacket) -> None:
        """Queue a packet of the codec that is sent. Raises ``ValueError`` for another."""
        self._make()
        sender = self.session.sender
        if sender is not None:
            sender.write_packet(packet)
            if sender.is_idle and sender.is_overdue:
                self.send_soon()

    def write_tone(self, tone: Tone) -> None:
        """Queue a key that is pressed for the peer; nothing where it takes none."""
        self._make()
        if self.session.sender is not None:
            self.session.sender.write_tone(tone)

    def flush(self) -> Heard:
        """Drop what is queued."""
        return self.session.sender.flush() if self.session.sender is not None else Heard(0.0, 0.0)

    def next_frame(self, now: float, packets: list[EncodedPacket] | None = None) -> AudioFrame | None:
        """The frame of this media tick, None while there is none; its packets are appended to ``packets``."""
        receiver = self.session.receiver
        return receiver.next_frame(now, packets) if receiver is not None else None

    def next_packets(self, now: float) -> list[EncodedPacket]:
        """The encoded packets of this media tick, where its frame is not wanted."""
        receiver = self.session.receiver
        return receiver.next_packets(now) if receiver is not None else []

    def heed_reports(self, round_trip_time: float | None, now: float) -> Sequence[SourceLeft | SourceRetired]:
        """Protect what is sent from the loss that the peer sees, and send what its path carries.

        ``round_trip_time`` in seconds is what ICE has measured last. Returns what is not for the audio alone.
        """
        others: Sequence[SourceLeft | SourceRetired] = ()
        while (event := self.session.next_event()) is not None:
            match event:
                case ReportReceived() | PathReported() | BitrateLimited() if self._protector is not None:
                    if round_trip_time is not None:
                        self._protector.note_round_trip(round_trip_time, now)
                    self._protector.handle_event(event, now)
                case SourceLeft() | SourceRetired():
                    others = (*others, event)
        return others

    @property
    def available_bitrate(self) -> float | None:
        """Bits per second with all headers that the peer's feedback allows; None before there was some."""
        return self._protector.available_bitrate if self._protector is not None else None

    def set_complexity(self, complexity: int) -> None:
        """Spend so much on quality, of what is sent from now on; also where there is no encoder yet."""
        self._knobs = replace(self._knobs, complexity=complexity)
        if self._sender is not None:
            self._sender.set_complexity(complexity)

    # What is made of a negotiation

    def _readers(
        self, audio: NegotiatedAudio, statistics: PlayoutStatistics, background: Background
    ) -> Mapping[int, PayloadReader]:
        plain = {one.payload_type: PlainReader(self._codec(one)) for one in audio.formats}
        readers: dict[int, PayloadReader] = {**plain}
        if audio.red is not None:
            primary = audio.red.primary.payload_type
            readers[audio.red.rtpmap.payload_type] = RedReader({primary: plain[primary]}, statistics)
        if (noise := audio.comfort_noise) is not None:
            readers[noise.payload_type] = ComfortNoiseReader(noise.clock_rate, background, statistics)
        return readers | {one.payload_type: TelephoneEventReader(one.clock_rate, self.keypad) for one in audio.events}

    def _red_payload_type(self, audio: NegotiatedAudio) -> int | None:
        """Of RED of what is sent, where there is such."""
        red, in_use = audio.red, self._format_in_use
        is_of_use = red is not None and in_use is not None and red.primary.rtpmap == in_use.rtpmap
        return red.rtpmap.payload_type if red is not None and is_of_use else None

    def _pauses(self, audio: NegotiatedAudio, sender: AudioSender) -> Pauses | None:
        """Where both sides want it, and the codec has no such thing of its own: comfort noise has its clock."""
        noise = audio.comfort_noise
        if noise is None or not self._knobs.dtx or noise.clock_rate != sender.clock_rate:
            return None
        pauses = sender.pauses or Pauses()
        pauses.payload_type = noise.payload_type
        return pauses

    def _new_receiver(self, audio: NegotiatedAudio) -> AudioReceiver:
        statistics, background = PlayoutStatistics(), Background()
        return AudioReceiver(
            self._readers(audio, statistics, background),
            sample_rate=self.settings.sample_rate,
            delay=self.settings.delay(),
            tap=self.taps.heard,
            watch=self.taps.received,
            statistics=statistics,
            background=background,
            frame_seconds=self.frame_seconds,
        )

    def _new_sender(self, preferred: NegotiatedFormat, wishes: PacketTimes, before: AudioSender | None) -> AudioSender:
        """The stream of ``before`` goes on, in packets as long as they were if the codec can and nobody wishes else."""
        codec = self._codec(preferred)
        settings = self.settings
        wanted = wishes.wanted or self._usual_packet_ms
        if before is not None and wishes == self._wishes:
            wanted = before.packet_ms
        self._format_in_use, self._wishes = preferred, wishes
        self._encoding_name = codec.encoding_name
        packet_ms = legal_packet_ms(codec, wanted, wishes.longest, wishes.shortest)
        knobs, sample_rate = self._knobs, settings.sample_rate

        def make_encoder(frame_ms: float) -> Encoder:
            told = preferred.remote_parameters
            return codec.create_encoder(
                EncoderSettings(sample_rate=sample_rate, frame_ms=frame_ms, remote_parameters=told, **asdict(knobs))
            )

        sender = AudioSender(
            ssrc=self._track.ssrc,
            writer=PlainWriter(preferred.payload_type),
            codec=codec,
            encoder=make_encoder(packet_ms),
            sample_rate=settings.sample_rate,
            frame_ms=packet_ms,
            tick=send_period(packet_ms, self.frame_seconds),
            rng=self.rng,
            tap=self.taps.spoken,
            complexity=self._knobs.complexity,
        )
        sender.fills = settings.send_silence
        sender.watch, sender.relayed = self.taps.sent, self.taps.relayed
        if before is not None:
            sender.go_on_from(before)
        self._protector = Protector(
            sender,
            preferred.payload_type,
            self._bitrate_without_loss(codec),
            packet_times(codec, packet_ms, wishes.longest),
            number_of(preferred.remote_parameters.get("maxaveragebitrate")) or math.inf,
            make_encoder,
            has_fec=self._knobs.in_band_fec and takes_fec(codec, preferred.remote_parameters),
            is_generous=self.settings.red == "on",
        )
        return sender

    def _bitrate_without_loss(self, codec: CodecSpec) -> int | None:
        default = codec.default_bitrates.get(self.settings.sample_rate)
        return default and (self._knobs.bitrate or default)

    def _preferred(self, formats: Sequence[NegotiatedFormat]) -> NegotiatedFormat:
        """What is sent: the wish of the session's request where the peer can do it, else the first."""
        wish = self.settings.output_codec
        return next((one for one in formats if wish and one.encoding_name.lower() == wish.lower()), formats[0])

    def _codec(self, negotiated: NegotiatedFormat) -> CodecSpec:
        return next(
            codec
            for codec in self.settings.codecs
            if codec.encoding_name == negotiated.encoding_name and codec.clock_rate == negotiated.clock_rate
        )
