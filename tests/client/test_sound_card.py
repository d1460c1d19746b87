"""The sound card as PortAudio's thread uses it, with a library that has no card behind it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from glottis import AudioFrame, LocalError
from glottis.client.device.card import CardSound
from glottis.client.sound_card import SoundCard

RATE = 16000
SAMPLES = 320
SILENCE = bytes(2 * SAMPLES)


class Library:
    """As much of ``sounddevice`` as is used."""

    class PortAudioError(Exception):
        pass

    exchange: Callable[..., None]
    settings: dict[str, Any]

    @contextmanager
    def RawStream(self, *, callback: Callable[..., None], **settings: Any) -> Iterator[None]:  # noqa: N802
        self.exchange, self.settings = callback, settings
        yield

    def tick(self, captured: bytes = SILENCE) -> bytes:
        """One block of sound each way."""
        to_play = bytearray(len(captured))
        self.exchange(memoryview(captured), memoryview(to_play), len(captured) // 2, None, None)
        return bytes(to_play)


def sound(value: int) -> bytes:
    return bytes([value, 0]) * SAMPLES


async def test_what_is_written_is_played_in_order_and_silence_where_there_is_nothing() -> None:
    library = Library()
    with SoundCard(library).open(RATE) as card:
        assert library.settings == {"samplerate": RATE, "blocksize": SAMPLES, "channels": 1, "dtype": "int16"}
        card.write(AudioFrame(sound(1), RATE))
        card.write(AudioFrame(sound(2), RATE))
        assert [library.tick() for _ in range(3)] == [sound(1), sound(2), SILENCE]


async def test_what_is_captured_comes_as_frames() -> None:
    library = Library()
    with SoundCard(library).open(RATE) as card:
        frames = card.frames()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, library.tick, sound(1))
            assert await anext(frames) == AudioFrame(sound(1), RATE)
        library.tick(sound(2))
        library.tick(sound(3))
        assert [(await anext(frames)).pcm for _ in range(2)] == [sound(2), sound(3)]
        await frames.aclose()


async def test_what_nobody_takes_is_dropped_the_oldest_first() -> None:
    library = Library()
    with SoundCard(library).open(RATE) as card:
        for value in range(100):
            library.tick(sound(value))
        frames = card.frames()
        assert (await anext(frames)).pcm == sound(75)
        await frames.aclose()


async def test_a_device_forgets_what_it_heard_before_a_call() -> None:
    library = Library()
    with SoundCard(library).open(RATE) as card:
        device = CardSound(card)
        library.tick(earlier := sound(1))
        device.forget()
        library.tick(sound(2))
        assert (await device.take()).pcm == sound(2)
        device.write(AudioFrame(earlier, RATE))
        assert library.tick() == earlier
        with trio.move_on_after(0):
            await device.take()
        library.tick(sound(3))
        assert (await device.take()).pcm == sound(3)  # of the next call, after one that was ended while it waited


async def test_a_card_that_cannot_be_used_is_told_with_what_to_do() -> None:
    class Broken(Library):
        def RawStream(self, **settings: Any) -> Any:  # noqa: N802
            raise self.PortAudioError("Error querying device -1")

    with pytest.raises(LocalError, match="Error querying device -1; or speak a file, --wav FILE"):
        SoundCard(Broken()).open(RATE).__enter__()
