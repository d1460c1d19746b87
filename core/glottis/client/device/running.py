"""``glottis device`` as a process: its sound, its signals, and the service manager that watches it."""

import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from glottis.client.calling import CallRequest
from glottis.client.device.card import CardSound
from glottis.client.device.device import Device
from glottis.client.device.settings import DeviceConfig
from glottis.client.device.sound import CommandSound, Sound
from glottis.client.sound_card import SoundCard
from glottis.config.settings import DEFAULT_CODECS
from glottis.contracts.codec import CodecSpec
from glottis.contracts.errors import ConfigurationError
from glottis.plugins import Registry


def request_of(config: DeviceConfig, registry: Registry) -> CallRequest:
    """The call that a device makes. Raises ``ConfigurationError`` for what the codecs that are installed cannot do."""
    gateway, rate = config.gateway, config.sound.sample_rate
    codecs = _codecs(gateway.codec, registry)
    unfit = [codec.encoding_name for codec in codecs if rate not in codec.sample_rates]
    if unfit:
        raise ConfigurationError(f"sound.sample_rate: {rate}: {', '.join(unfit)} cannot have it")
    return CallRequest(
        gateway.url,
        codecs,
        gateway.campaign,
        rate,
        gateway.codec.upper() or None,
        gateway.api_key,
        gateway.websocket,
    )


def _codecs(name: str, registry: Registry) -> tuple[CodecSpec, ...]:
    if name:
        try:
            return (registry.codecs.find(name).spec,)
        except ConfigurationError as error:
            raise ConfigurationError(f"gateway.codec: {error}") from None
    codecs = tuple(registry.codecs.find(each).spec for each in DEFAULT_CODECS if each in registry.codecs)
    if not codecs:
        raise ConfigurationError("gateway.codec: none is installed: install glottis-opus or glottis-spandsp")
    return codecs


@contextmanager
def _open_sound(config: DeviceConfig) -> Iterator[Sound]:
    section = config.sound
    if section.by == "portaudio":
        with SoundCard.find().open(section.sample_rate) as card:
            yield CardSound(card)
    else:
        yield CommandSound(*section.commands, section.sample_rate)


async def run_device(
    config: DeviceConfig,
    registry: Registry,
    ready: Callable[[], object] = lambda: None,
    keep_watched: Callable[[], Awaitable[object]] = trio.sleep_forever,
) -> None:
    """Until SIGTERM or SIGINT. Raises ``LocalError`` if it cannot begin."""
    request = request_of(config, registry)
    with (
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals,
        _open_sound(config) as sound,
    ):
        async with trio.open_nursery() as nursery:
            device = Device(config, request, sound, random.SystemRandom())
            nursery.start_soon(keep_watched)
            nursery.start_soon(device.run, ready)
            await anext(signals)
            nursery.cancel_scope.cancel()
