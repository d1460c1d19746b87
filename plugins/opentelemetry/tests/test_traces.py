"""Traces: of a call with its setup, and of what its caller waits for; and never worth a call, whatever the collector does."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from glottis import AudioFrame
from glottis_conversation import conversation
from glottis_opentelemetry import DESKS
from support.collector import Collector, attributes, open_collector
from support.conversation import is_media
from support.gateway import CONFIG
from support.http import request
from support.memory import MemoryNetwork, open_memory_exchange, open_memory_gateway
from support.phone import RATE, TONE, Exchange, Phone, eventually, installed_codec, open_exchange
from support.plugins import TestPlugin
from support.talking import Ear, Mind, Mouth, settings
from glottis.wire.address import Address

Clock = trio.testing.MockClock
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MILESTONES = [
    "websocket", "answered", "path_found", "secured", "active", "first_audio_heard", "first_audio_sent",
]  # fmt: skip
QUIET = bytes(len(TONE))


def configured(collector: Collector, config: str = CONFIG) -> str:
    return (
        config
        + f"""
[extensions]
enabled = ["opentelemetry"]
[extensions.settings.opentelemetry]
endpoint = "{collector.endpoint}"
headers = {{ api-key = "hunter2" }}
service = "hotline"
[routes]
enabled = ["opentelemetry"]
"""
    )


async def test_a_call_is_a_span_with_the_milestones_of_its_setup(tmp_path: Path, autojump_clock: Clock) -> None:
    with open_collector(Collector()) as collector:
        async with open_memory_exchange(tmp_path, configured(collector)) as exchange:
            reply = await request(
                exchange.gateway,
                "POST",
                "/api/websession/initiate",
                json.dumps({"campaignId": "echo", "clientIdentifier": "somebody"}).encode(),
                connect=exchange.network.connect,
                content_type="application/json",
                traceparent=f"00-{TRACE}-{PARENT}-01",
            )
            phone = exchange.phone()
            phone.session_id, phone.url = reply.document["sessionId"], reply.document["websocketUrl"]
            await phone.open_socket()
            await phone.negotiate()
            await phone.hear()
            await phone.hang_up()
        collector.wait_for(lambda: collector.named("call"))
    (span,) = collector.named("call")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert sorted(event.name for event in span.events) == sorted(MILESTONES)
    moments = [event.time_unix_nano for event in span.events]
    assert moments == sorted(moments)
    assert span.start_time_unix_nano <= moments[0] <= moments[-1] <= span.end_time_unix_nano
    assert attributes(span) == {
        "glottis.session_id": phone.session_id,
        "glottis.campaign_id": "echo",
        "glottis.transport": "WebRTC",
        "glottis.codec": "PCMU",
        "glottis.end_reason": "the caller hung up",
        "glottis.turns": 0,
    }
    assert collector.resource["service.name"] == "hotline"
    assert collector.headers["api-key"] == "hunter2"
    assert DESKS == {}
