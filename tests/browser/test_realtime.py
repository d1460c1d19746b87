"""The page of ``docs/doors.md`` in browsers: a client of OpenAI's Realtime API, which talks to an agent of ours.

Such clients send no candidates, so the gateway is on the machine's own addresses: Firefox sends nothing to loopback
before it has heard from there.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import trio
from glottis.media.interfaces import media_addresses
from glottis.server.gateway import Gateway
from glottis.testing.impairments import Impairments
from glottis_conversation import ConversationConfig, ToolCall, conversation
from support.browser import Page
from support.gateway import open_test_gateway
from support.http import request
from support.lossy import lossy_endpoint
from support.markdown import Document
from support.patience import PROCESS_PATIENCE
from support.phone import eventually
from support.plugins import TestPlugin
from support.talking import Ear, Mind, Mouth, settings

ROOT = Path(__file__).parents[2]
PAGE = Document(ROOT / "docs" / "doors.md")
PACKAGE = ROOT / "tests" / "interop" / "callers" / "npm" / "node_modules" / "@openai" / "agents-realtime"
SDK = PACKAGE / "dist" / "bundle" / "openai-realtime-agents.umd.js"
OpenPage = Callable[[], AbstractAsyncContextManager[Page]]


@asynccontextmanager
async def open_clerk(
    clerk: ConversationConfig, browser: OpenPage, tmp_path: Path
) -> AsyncIterator[tuple[Page, str, str]]:
    """Somebody to talk with at an URL, a page that may, and its key; the page hangs up."""
    plugin = TestPlugin(test=conversation(clerk))
    config = f'{plugin.config()}\n[routes]\nenabled = ["openai-calls"]\n'
    addresses = [*media_addresses([], "0.0.0.0"), "127.0.0.1"]
    with lossy_endpoint(Impairments(), addresses) as endpoint:
        async with open_test_gateway(tmp_path, config, [plugin], endpoint=endpoint) as gateway, browser() as page:
            key = await client_secret(gateway, "test")
            await page.goto(f"{gateway.url}/healthz")
            with trio.fail_after(PROCESS_PATIENCE):
                yield page, f"{gateway.url}/v1/realtime/calls", key
            await eventually(lambda: not len(gateway.sessions))
            await gateway.stop(grace=0)


async def client_secret(gateway: Gateway, model: str) -> str:
    """As a page's server asks for it."""
    wanted = json.dumps({"session": {"type": "realtime", "model": model}}).encode()
    reply = await request(gateway, "POST", "/v1/realtime/client_secrets", wanted, content_type="application/json")
    value: str = reply.document["value"]
    return value


async def test_the_documented_page_writes_hears_and_pushes_to_talk(browser: OpenPage, tmp_path: Path) -> None:
    written = PAGE.write_files(tmp_path)
    assert {"realtime.js", "push_to_talk.js"} <= set(written)
    clerk = settings(Mind("It is noon."), mouth=Mouth(), ear=Ear(["What time is it?"]), wishes=("turns",))
    async with open_clerk(clerk, browser, tmp_path) as (page, url, key):
        for name in ("realtime.js", "push_to_talk.js"):
            await page.run_script((tmp_path / name).read_text())
        await use(page, url, key)


async def use(page: Page, url: str, key: str) -> None:
    await page.evaluate(
        f"""(async () => {{
            const microphone = await navigator.mediaDevices.getUserMedia({{ audio: true }});
            globalThis.heard = [];
            globalThis.call = await talk("{url}", "{key}", microphone, (event) => heard.push(event));
            globalThis.of = (wanted) => heard.filter(({{ type }}) => type === wanted);
            globalThis.button = document.createElement("button");
            globalThis.push = (what) => button.dispatchEvent(new Event(what));
            pushToTalk(call, button);
            call.write("hello");
        }})()"""
    )
    await page.wait_for("of('response.done').length === 1")
    sounds = """[...(await call.pc.getStats()).values()].some(
        ({ type, totalAudioEnergy }) => type === 'inbound-rtp' && totalAudioEnergy > 0)"""
    while not await page.evaluate(f"(async () => {sounds})()"):
        pass
    await page.evaluate("push('pointerdown')")
    await page.wait_for("of('input_audio_buffer.cleared').length === 1")
    await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
    await page.evaluate("push('pointerup')")
    await page.wait_for("of('response.done').length === 2")
    (understood,) = await page.evaluate("of('conversation.item.input_audio_transcription.completed')")
    assert understood["transcript"] == "What time is it?"
    events = await page.evaluate("heard")
    assert events[0]["session"]["model"] == "test"
    done = [event["response"]["output"][0] for event in events if event["type"] == "response.done"]
    assert [item["content"][0]["transcript"] for item in done] == ["It is noon.", "It is noon."]
    assert not [event for event in events if event["type"] == "error"]
    await page.evaluate("call.hangUp()")


async def test_the_vendors_sdk_writes_runs_its_tool_and_interrupts(browser: OpenPage, tmp_path: Path) -> None:
    mind = Mind([ToolCall("clock", {"zone": "UTC"})], "It is noon, and I could go on about that for a long time.")
    clerk = settings(mind, mouth=Mouth(), wishes=("instructions", "functions"))
    async with open_clerk(clerk, browser, tmp_path) as (page, url, key):
        await page.run_script(SDK.read_text())
        await page.evaluate(
            f"""(async () => {{
                const {{ OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession, tool }} = OpenAIAgentsRealtime;
                const parameters = {{
                    type: "object", properties: {{ zone: {{ type: "string" }} }}, required: ["zone"],
                    additionalProperties: false,
                }};
                const clock = tool({{
                    name: "clock", description: "The time.", parameters,
                    execute: ({{ zone }}) => `noon in ${{zone}}`,
                }});
                const agent = new RealtimeAgent({{ name: "clerk", instructions: "Be kind.", tools: [clock] }});
                const transport = new OpenAIRealtimeWebRTC({{ baseUrl: "{url}" }});
                globalThis.session = new RealtimeSession(agent, {{ transport }});
                globalThis.troubles = [];
                globalThis.kinds = [];
                session.on("error", (error) => troubles.push(JSON.stringify(error)));
                transport.on("*", ({{ type }}) => kinds.push(type));
                await session.connect({{ apiKey: "{key}", model: "test" }});
                session.sendMessage("What time is it?");
            }})()"""
        )
        await page.wait_for("kinds.includes('response.output_audio_transcript.delta')")
        await page.wait_for("kinds.includes('output_audio_buffer.started')")
        await page.evaluate("session.interrupt()")
        await page.wait_for("kinds.includes('output_audio_buffer.cleared')")
        asked, called, answered = await page.evaluate("session.history")
        assert asked["content"][0]["text"] == "What time is it?"
        assert (called["name"], called["output"]) == ("clock", "noon in UTC")
        assert answered["status"] == "incomplete"
        assert "It is noon, and I could go on".startswith(answered["content"][0]["transcript"][:29])
        assert mind.histories[0][0].text == "Be kind."
        assert mind.histories[1][-1].text == "noon in UTC"
        assert await page.evaluate("troubles") == []
        await page.evaluate("session.close()")


async def test_the_vendors_sdk_pushes_to_talk_reads_and_edits_what_was_said(browser: OpenPage, tmp_path: Path) -> None:
    mind, ear = Mind("It is noon.", "One."), Ear(["What time is it?"])
    clerk = settings(mind, mouth=Mouth(), ear=ear, wishes=("instructions", "turns", "speech"))
    async with open_clerk(clerk, browser, tmp_path) as (page, url, key):
        await page.run_script(SDK.read_text())
        await page.evaluate(
            f"""(async () => {{
                const {{ OpenAIRealtimeWebRTC, RealtimeAgent, RealtimeSession }} = OpenAIAgentsRealtime;
                const agent = new RealtimeAgent({{ name: "clerk", instructions: "Be kind." }});
                const transport = new OpenAIRealtimeWebRTC({{ baseUrl: "{url}" }});
                const config = {{ outputModalities: ["text"], audio: {{ input: {{ turnDetection: null }} }} }};
                globalThis.session = new RealtimeSession(agent, {{ transport, config }});
                globalThis.troubles = [];
                globalThis.kinds = [];
                globalThis.say = (type) => transport.sendEvent({{ type }});
                session.on("error", (error) => troubles.push(JSON.stringify(error)));
                transport.on("*", ({{ type }}) => kinds.push(type));
                await session.connect({{ apiKey: "{key}", model: "test" }});
            }})()"""
        )
        await page.wait_for("kinds.includes('session.updated')")
        await page.evaluate("say('input_audio_buffer.clear')")
        await page.wait_for("kinds.includes('input_audio_buffer.cleared')")
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 500))")
        await page.evaluate("say('input_audio_buffer.commit')")
        await page.evaluate("say('response.create')")
        await page.wait_for("session.history.length === 2 && session.history[1].status === 'completed'")
        asked, answered = await page.evaluate("session.history")
        assert asked["content"][0]["transcript"] == "What time is it?"
        assert answered["content"] == [{"type": "output_text", "text": "It is noon."}]
        assert ear.heard_seconds[0] > 0.3
        await page.evaluate("session.updateHistory((history) => history.slice(1))")
        await page.wait_for("session.history.length === 1")
        await page.evaluate("session.sendMessage('How many?')")
        await page.wait_for("kinds.filter((kind) => kind === 'response.done').length === 2")
        assert [message.text for message in mind.histories[1]] == ["Be kind.", "It is noon.", "How many?"]
        assert await page.evaluate("troubles") == []
        await page.evaluate("session.close()")
