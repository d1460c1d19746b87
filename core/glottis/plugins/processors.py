"""Processors of audio behind a guard: the chain of them is a tap of a call, and bears whatever one of them does."""

import inspect
import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter_ns

import msgspec

from glottis.barrier import stop
from glottis.contracts.audio import AudioFrame, FrameTap
from glottis.contracts.errors import PluginError
from glottis.contracts.extensions import Direction, Keys, Tell
from glottis.contracts.info import CallInfo
from glottis.contracts.log_fields import log_fields, logged
from glottis.plugins.extensions import Extension
from glottis.plugins.failures import log_failure
from glottis.plugins.manager import Plugin
from glottis.plugins.timing import FRAME_LIMIT, FRAME_PATIENCE, Timing

logger = logging.getLogger(__name__)


class _Processor(msgspec.Struct, frozen=True, eq=False):
    plugin: Plugin
    process: FrameTap
    timing: Timing


class ProcessorChain:
    """A ``FrameTap``: all processors of one direction of a call, in order.

    One that raises, or returns anything but a frame of the same length and rate, is left out from then on, and the
    frame goes on as it was before it: a call is worth more than what is done to its sound.
    """

    def __init__(self, processors: Sequence[_Processor], place: str, dropped: Callable[[], object]) -> None:
        self._processors = tuple(processors)
        self._place = place
        self._dropped = dropped
        self.fields = log_fields()

    def __call__(self, frame: AudioFrame) -> AudioFrame:
        for processor in self._processors:
            began = perf_counter_ns()
            try:
                result = processor.process(frame)
                if type(result) is not AudioFrame or not _is_alike(result, frame):
                    raise _misfit(processor.plugin, result, frame)
            except BaseException as error:
                stop(error, partial(self._drop, processor))
            else:
                frame = result
            finally:
                processor.timing.note(perf_counter_ns() - began)
        return frame

    @logged
    def _drop(self, processor: _Processor, error: BaseException) -> None:
        processor.timing.errors += 1
        self._processors = tuple(other for other in self._processors if other is not processor)
        log_failure(logger, error, "%s: a processor of %s has failed, and is left out", self._place, processor.plugin)
        self._dropped()


def bind_processors(
    extensions: Sequence[Extension],
    call_info: CallInfo,
    direction: Direction,
    tell: Tell,
    keys: Keys,
    dropped: Callable[[], object],
) -> FrameTap | None:
    """The tap of one direction of a call; None where there is no processor.

    A hook that fails is logged: the call does without it. ``dropped`` is called for each that is left out.
    """
    place = f"session {call_info.session_id}, {direction}"
    processors: list[_Processor] = []
    for extension in extensions:
        try:
            processors += _processors_of(extension, call_info, direction, tell, keys)
        except PluginError as error:
            log_failure(logger, error, "%s: %s: the call does without its processors", place, extension.plugin)
            dropped()
    return ProcessorChain(processors, place, dropped) if processors else None


def _processors_of(
    extension: Extension, call_info: CallInfo, direction: Direction, tell: Tell, keys: Keys
) -> list[_Processor]:
    result = extension.ask("audio_processors", call_info=call_info, direction=direction, tell=tell, keys=keys)
    for process in result:
        if not callable(process):
            got = type(process).__name__
            raise PluginError(f"{extension.plugin}: audio_processors returned a {got}, expected functions of a frame")
    timing = extension.plugin.timing(f"processors of {direction}", FRAME_LIMIT, FRAME_PATIENCE)
    return [_Processor(extension.plugin, process, timing) for process in result]


def _is_alike(result: AudioFrame, frame: AudioFrame) -> bool:
    return len(result.pcm) == len(frame.pcm) and result.sample_rate == frame.sample_rate


def _misfit(plugin: Plugin, result: object, frame: AudioFrame) -> PluginError:
    expected = f"expected a frame of {frame.sample_count} samples at {frame.sample_rate} Hz"
    if isinstance(result, AudioFrame):
        got = f"{result.sample_count} at {result.sample_rate} Hz"
    else:
        got = type(result).__name__
    if inspect.iscoroutine(result):
        result.close()
        got = "a coroutine: processors are synchronous"
    return PluginError(f"{plugin}: {expected}, got {got}")
