"""The leg of callers whose audio travels by their WebSocket (CONTRACT §5)."""

from glottis.calls.websocket.formats import AudioFormats, Formats
from glottis.calls.websocket.leg import WebSocketLeg
from glottis.calls.websocket.pcm import PCM
from glottis.calls.websocket.voice import StreamSettings, StreamVoice

__all__ = ["PCM", "AudioFormats", "Formats", "StreamSettings", "StreamVoice", "WebSocketLeg"]
