"""What reads the answers of services that plugins ask."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from glottis_cluster.letters import parse_letter_untrusted
from glottis_deepgram.results import read_message_untrusted as read_result_untrusted
from glottis_media_streams.messages import read_event_untrusted as read_stream_untrusted
from glottis_media_streams.messages import read_message_untrusted
from glottis_openai.chat import documents_untrusted
from glottis_openai.chunks import ToolCalls, read_chunk_untrusted
from glottis_openai.realtime_events import read_event_untrusted
from glottis_openai.transcriptions import read_text_untrusted
from glottis_services import Answer, PcmReader
from glottis_services.sse import EventReader

from support.worst import Make, filled, message

PART: Final = 4096
"""Bytes of what costs something for each."""
NESTED: Final = filled(b"[", b'{"x": ')


def play_bytewise(data: bytes) -> None:
    """A WAV file that comes byte by byte."""
    reader = PcmReader(24000)
    for byte in data:
        reader.feed_untrusted(bytes((byte,)))


def call_tools(document: bytes) -> None:
    """The calls of one chunk."""
    calls = ToolCalls(0)
    calls.add_untrusted(read_chunk_untrusted(document).tool_calls or ())
    calls.complete_untrusted()


def chunk(unit: bytes) -> Make:
    """Of pieces of calls."""
    return filled(unit + b",", b'{"choices":[{"delta":{"tool_calls":[', unit + b"]}}]}")


def read_events(part: bytes) -> None:
    """Of a stream, as much as comes at once."""
    EventReader().feed_untrusted(part)


class Streamed(Answer):
    """One that has come all at once."""

    def __init__(self, body: bytes) -> None:
        self.media_type = "text/event-stream"
        self._body = body

    async def parts(self, most: int = 0) -> AsyncGenerator[bytes, None]:
        yield self._body


def read_answer(body: bytes) -> None:
    """Of a model. Nothing in it waits, so it needs no event loop."""
    run_through(documents_untrusted(Streamed(body)))


def run_through(values: AsyncGenerator[object, None]) -> None:
    async def take_all() -> None:
        async for _ in values:
            pass

    with suppress(StopIteration):
        take_all().send(None)


FORMAT: Final = b"fmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0\0\0\0\0\x02\0\x10\0"

ROWS: Final = (
    message(
        read_answer,
        {"lines": filled(b"data:\n"), "events": filled(b"data:\n\n"), "ends": filled(b"data: [DONE]\n\n")},
        PART,
        milliseconds=5,
    ),
    message(
        read_events,
        {"lines": filled(b"data:\n"), "events": filled(b"data:\n\n"), "empty": filled(b"\n")},
        PART,
        milliseconds=5,
    ),
    message(
        play_bytewise,
        {
            "chunks": filled(bytes(8), b"RIFF....WAVE"),
            "formats": filled(FORMAT, b"RIFF....WAVE"),
            "samples": filled(b"\0\1"),
        },
        PART,
        milliseconds=9,  # for 4,096 parts of a byte each
    ),
    message(
        call_tools,
        {
            "pieces": chunk(b'{"index":0,"function":{"arguments":"a"}}'),
            "calls": chunk(b'{"id":"a"},{"id":"b"}'),
            "nested": NESTED,
        },
        milliseconds=6,
    ),
    message(
        parse_letter_untrusted,
        {
            "attributes": filled(b'"a":"",', b'17 {"kind":"wish","attributes":{', b'"b":""}}'),
            "headers": filled(b'["a",""],', b'17 {"kind":"answer","headers":[', b'["b",""]]}'),
            "nested": filled(b"[", b"17 "),
        },
    ),
    message(read_event_untrusted, {"audio": filled(b"A", b'{"type":"response.output_audio.delta","delta":"', b'"}')}),
    message(read_text_untrusted, {"noises": filled(b"[a]", b'{"text":"', b'"}'), "nested": NESTED}, milliseconds=8),
    message(read_result_untrusted, {"names": filled(b'"a":0,', b"{", b'"type":"Results"}')}),
    message(read_message_untrusted, {"names": filled(b'"a":0,', b"{", b'"event":"x"}')}),
    message(
        read_stream_untrusted,
        {
            "names": filled(b'"a":0,', b"{", b'"event":"x"}'),
            "audio": filled(b"A", b'{"event":"media","media":{"payload":"', b'"}}'),
            "parameters": filled(
                b'"a":"",',
                b'{"event":"start","start":{"callSid":"","mediaFormat":{"encoding":"","sampleRate":1},"customParameters":{',
                b'"b":""}}}',
            ),
        },
    ),
)
