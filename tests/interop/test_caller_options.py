"""What the options of ``glottis call`` become on the wire: one call with all that go together, and one by WebSocket."""

from collections.abc import Sequence
from pathlib import Path

import trio
from glottis import AgentSpec, Call, Message, TextMessage, hookimpl
from glottis.server.gateway import Gateway
from support.command import open_command
from support.coturn import PASSWORD, USERNAME, open_coturn
from support.gateway import CONFIG, open_test_gateway
from support.patience import PATIENCE

WITNESS = '\n[campaigns.witness]\nagent = "witness"\n'


class Witness:
    """A plugin with an agent that keeps what it is told, and hangs up once it knows text and keys."""

    def __init__(self) -> None:
        self.transport = ""
        self.message: Message | None = None
        self.keys = ""
        self.far_end: str | None = None
        """The kind of the caller's candidate."""
        self.gateway: Gateway | None = None

    @hookimpl
    def register_agents(self) -> list[AgentSpec]:
        return [AgentSpec("witness", lambda config: self._listen)]

    async def _listen(self, call: Call) -> None:
        self.transport = call.info.transport
        self.message = await anext(aiter(call.messages))
        await call.send_text("I have read it")
        async for key in call.dtmf:
            self.keys += key.digit
            if key.digit == "#":
                break
        assert self.gateway is not None
        (session,) = self.gateway.sessions
        pair = session.leg.statistics(trio.current_time()).candidate_pair
        self.far_end = pair.remote_candidate_type if pair is not None else None
        call.hang_up("seen it all")


async def place_call(directory: Path, *options: str) -> tuple[Witness, Sequence[str]]:
    """With these options and more; what the agent has witnessed, and what the caller was told."""
    witness = Witness()
    async with open_test_gateway(directory, CONFIG + WITNESS, [witness]) as gateway:
        witness.gateway = gateway
        command = ("call", gateway.url, "--campaign", "witness", "--text", "hello", "--dtmf", "1a#", "--listen", "30")
        async with open_command(*command, *options) as call:
            with trio.fail_after(PATIENCE):
                await call.wait()
    assert "state: ending (seen it all)" in call.errors  # the end of media may overtake the reason in the summary
    assert witness.keys == "1A#"
    return witness, call.errors.splitlines()


async def test_relay_server_channel_text_and_keys(tmp_path: Path) -> None:
    async with open_coturn(tmp_path) as coturn:
        server = f"{coturn.url('udp')},{USERNAME},{PASSWORD}"
        witness, told = await place_call(
            tmp_path, "--codec", "pcmu", "--relay", "--ice-server", server, "--data-channel", "talk"
        )
        assert "ALLOCATE processed, success" in coturn.log.read_text()
    assert (witness.transport, witness.far_end) == ("WebRTC", "relay")
    assert witness.message == TextMessage("hello", "talk")
    assert "text: I have read it" in told
    assert any(line.startswith("media: ") and '"PCMU"' in line for line in told)


async def test_websocket_text_and_keys(tmp_path: Path) -> None:
    witness, told = await place_call(tmp_path, "--websocket")
    assert (witness.transport, witness.far_end) == ("WebSocket", None)
    assert witness.message == TextMessage("hello")
    assert any(line.startswith("media: ") and '"PCM"' in line for line in told)


async def test_stun_server_is_asked(tmp_path: Path) -> None:
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as server:
        await server.bind(("127.0.0.1", 0))
        await place_call(tmp_path, "--ice-server", f"stun:127.0.0.1:{server.getsockname()[1]}")
        with trio.fail_after(PATIENCE):
            request, _ = await server.recvfrom(2048)
    assert request[:2] == b"\0\1"  # a Binding request (RFC 8489 §5)
