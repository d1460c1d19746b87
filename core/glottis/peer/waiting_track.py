"""In place of the audio of a connection that is to replace another: what is agreed on waits for the audio of that."""

from glottis.peer.audio import AudioTrack
from glottis.sdp import NegotiatedAudio
from glottis.wire.srtp_keys import SrtpKeys


class WaitingTrack(AudioTrack):
    """Encodes and decodes nothing. First packets of the peer, which may come early, are kept as by any without keys."""

    _agreed: NegotiatedAudio | None = None
    _given: SrtpKeys | None = None

    def negotiate(self, audio: NegotiatedAudio | None, now: float) -> None:
        """See ``AudioTrack``."""
        self._agreed = audio

    def set_keys(self, keys: SrtpKeys | None, now: float) -> None:
        """See ``AudioTrack``."""
        self._given = keys

    def hand_to(self, track: AudioTrack, now: float) -> None:
        """``track`` goes on, with a peer that sends it another stream."""
        track.negotiate(self._agreed, now)
        if track.session.receiver is not None:
            track.session.receiver.heed_goodbye()
        track.set_keys(self._given, now)
        track.session.take_early(self.session)
