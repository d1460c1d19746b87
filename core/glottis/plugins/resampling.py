"""Resamplers of plugins behind a guard."""

from collections.abc import Callable

from glottis.contracts.audio import BYTES_PER_SAMPLE
from glottis.contracts.errors import PluginError
from glottis.contracts.resampling import Resampler, Resampling
from glottis.plugins.guard import check_members, guarded
from glottis.plugins.manager import Plugin
from glottis.plugins.timing import FRAME_LIMIT, FRAME_PATIENCE


class GuardedResampling:
    """``Resampling`` whose resamplers return what they are to."""

    def __init__(self, resampling: Resampling, plugin: Plugin) -> None:
        self._resampling = resampling
        self._plugin = plugin
        plugin.timing("resample", FRAME_LIMIT, FRAME_PATIENCE)

    def create_resampler(self, from_rate: int, to_rate: int) -> Resampler:
        """See ``Resampling.create_resampler``."""
        plugin, action = self._plugin, "create_resampler"
        resampler = guarded(plugin, action, self._resampling.create_resampler, from_rate, to_rate)
        check_members(plugin, action, resampler, ["resample"])
        return _GuardedResampler(resampler.resample, from_rate, to_rate, plugin)


class _GuardedResampler:
    __slots__ = ("_from_rate", "_plugin", "_resample", "_to_rate")

    def __init__(self, resample: Callable[[bytes], bytes], from_rate: int, to_rate: int, plugin: Plugin) -> None:
        self._resample = resample
        self._from_rate = from_rate
        self._to_rate = to_rate
        self._plugin = plugin

    def resample(self, pcm: bytes) -> bytes:
        result: object = guarded(self._plugin, "resample", self._resample, pcm)
        expected = len(pcm) // BYTES_PER_SAMPLE * self._to_rate // self._from_rate * BYTES_PER_SAMPLE
        if type(result) is not bytes or len(result) != expected:
            raise PluginError(f"{self._plugin}: resample is to return {expected} bytes of samples, and has not")
        return result
