"""``glottis device`` as a process: its sound, its signals, and the service manager that watches it."""

import random
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

from glottis.client.calling import CallRequest
from glottis.client.device.card import CardSound
from glottis.client.device.device import Device
from glottis.client.device.echo import EchoFreeSound
from glottis.client.device.panel import Panel, parts_of
from glottis.client.device.settings import DeviceConfig, SoundSection
from glottis.client.device.sound import CommandSound, Sound
from glottis.client.sound_card import SoundCard
from glottis.config.settings import DEFAULT_CODECS
from glottis.contracts.codec import CodecSpec
from glottis.contracts.echo import EchoCanceller, EchoCancelling
from glottis.contracts.errors import ConfigurationError
from glottis.contracts.panel import Button, Lamp
from glottis.plugins import Registry
from glottis.plugins.guard import check_members, guarded


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
def open_sound(section: SoundSection, registry: Registry) -> Iterator[Sound]:
    """What the file says. Raises ``LocalError`` for what is not installed."""
    with _open_plain(section) as sound:
        if section.echo_canceller:
            yield EchoFreeSound(sound, _canceller(section, registry), section.echo_delay_ms)
        else:
            yield sound


@contextmanager
def _open_plain(section: SoundSection) -> Iterator[Sound]:
    if section.by == "portaudio":
        with SoundCard.find().open(section.sample_rate) as card:
            yield CardSound(card)
    else:
        yield CommandSound(*section.commands, section.sample_rate)


def _canceller(section: SoundSection, registry: Registry) -> EchoCanceller:
    try:
        found = registry.components_of(EchoCancelling).find(section.echo_canceller)
    except ConfigurationError as error:
        raise ConfigurationError(f"sound.echo_canceller: {error}") from None
    making: EchoCancelling = guarded(found.plugin, "create", found.spec.create, None)
    arguments = section.sample_rate, section.echo_tail_ms, section.noise_suppression_db
    action = "create_canceller"
    canceller: EchoCanceller = guarded(found.plugin, action, making.create_canceller, *arguments)
    check_members(found.plugin, action, canceller, ["cancel"])
    return canceller


def panel_of(config: DeviceConfig, registry: Registry) -> Panel:
    """Lamps and buttons that the file names. Raises ``ConfigurationError`` and ``PluginError``."""
    lamps = parts_of(Lamp, config.lamps, "lamps", registry)  # type: ignore[type-abstract]  # a kind is a protocol
    buttons = parts_of(Button, config.buttons, "buttons", registry)  # type: ignore[type-abstract]
    return Panel(lamps, buttons)


async def run_device(
    config: DeviceConfig,
    registry: Registry,
    ready: Callable[[], object] = lambda: None,
    keep_watched: Callable[[], Awaitable[object]] = trio.sleep_forever,
) -> None:
    """Until SIGTERM or SIGINT. Raises ``LocalError`` if it cannot begin."""
    request, panel = request_of(config, registry), panel_of(config, registry)
    with (
        trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals,
        open_sound(config.sound, registry) as sound,
    ):
        async with trio.open_nursery() as nursery:
            device = Device(config, request, sound, random.SystemRandom(), panel)
            nursery.start_soon(keep_watched)
            nursery.start_soon(device.run, ready)
            await anext(signals)
            nursery.cancel_scope.cancel()
