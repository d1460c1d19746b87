"""A gateway and one who calls it, in one process. Imported late: it takes a while."""

import trio
from msgspec.structs import replace

from glottis.client.command import CallerOptions, call_from_terminal
from glottis.client.sound_card import SoundCard
from glottis.config import ResolvedConfig
from glottis.plugins import Registry
from glottis.server.gateway import open_gateway


def run_talk(config: ResolvedConfig, options: CallerOptions, registry: Registry) -> int:
    """Serve, and make one call to it; returns the exit code of that. Without a file to speak, a person does."""
    sound_card = None if options.wav else SoundCard.find()
    return trio.run(_talk, config, options, registry, sound_card)


async def _talk(
    config: ResolvedConfig, options: CallerOptions, registry: Registry, sound_card: SoundCard | None
) -> int:
    async with open_gateway(config) as gateway:
        return await call_from_terminal(replace(options, url=gateway.url), registry, sound_card)
