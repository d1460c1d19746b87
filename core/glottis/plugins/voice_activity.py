"""Detectors of voice activity of plugins behind a guard."""

from glottis.contracts.audio import AudioFrame
from glottis.contracts.checks import probability_of
from glottis.contracts.errors import PluginError
from glottis.contracts.turns import VoiceActivityDetector
from glottis.plugins.guard import guarded
from glottis.plugins.manager import Plugin
from glottis.plugins.timing import FRAME_LIMIT, FRAME_PATIENCE


class GuardedDetector:
    """A ``VoiceActivityDetector`` whose mistakes are its plugin's, and not those of the agent that uses it."""

    def __init__(self, detector: VoiceActivityDetector, plugin: Plugin) -> None:
        self._detector = detector
        self._plugin = plugin
        plugin.timing("detect", FRAME_LIMIT, FRAME_PATIENCE)

    def detect(self, frame: AudioFrame) -> float:
        """See ``VoiceActivityDetector.detect``."""
        result: object = guarded(self._plugin, "detect", self._detector.detect, frame, allowed=())
        try:
            return probability_of("detect", result)
        except ValueError as error:
            raise PluginError(f"{self._plugin}: {error}") from None
