"""``glottis explain``, against a gateway on loopback."""

from pathlib import Path

import pytest
import trio
from glottis.client.calling import CallRequest, open_client_call
from glottis.client.connection import CallFailed
from glottis.client.explaining import fetch_trace, run
from glottis.contracts.errors import LocalError
from support.gateway import open_test_gateway
from support.installed import installed_plugins

PCMU = installed_plugins().codecs.find("PCMU").spec


async def test_trace_of_a_call_and_of_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_test_gateway(tmp_path) as gateway:
        async with open_client_call(CallRequest(gateway.url, (PCMU,))) as call:
            await call.connected.wait()
            (session,) = gateway.sessions
            text = await fetch_trace(gateway.url, session.info.session_id)
        assert text.startswith("The call is active: media flows, or has flowed.\n")
        with pytest.raises(CallFailed, match="no trace for you: "):
            await fetch_trace(gateway.url, "unknown")
        code = await trio.to_thread.run_sync(run, gateway.url, session.info.session_id, None)
        assert code == 0
        assert capsys.readouterr().out.startswith("Media flowed. It has ended: ")
        assert await trio.to_thread.run_sync(run, gateway.url, "unknown", None) == 1
        assert "glottis: the gateway has no trace for you" in capsys.readouterr().err


async def test_what_is_no_session_is_not_asked_for() -> None:
    with pytest.raises(LocalError, match="expected its id"):
        await fetch_trace("http://127.0.0.1:1", "../healthz")


async def test_server_that_is_no_gateway_is_told(nursery: trio.Nursery) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope")

    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    nursery.start_soon(trio.serve_listeners, answer, [listener])
    with pytest.raises(CallFailed, match="does not answer as a gateway does: HTTP status 404"):
        await fetch_trace(f"http://127.0.0.1:{listener.socket.getsockname()[1]}", "s-1")
    nursery.cancel_scope.cancel()
