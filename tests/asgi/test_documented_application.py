"""The application of ``docs/embedding.md`` on a real ASGI server, before a gateway in another event loop."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import trio
import uvicorn
from glottis.server.gateway import Gateway
from support.gateway import CONFIG, gateway_at, open_test_gateway
from support.http import request
from support.imports import import_file
from support.markdown import Document
from support.phone import eventually, open_exchange

PAGE = Document(Path(__file__).parents[2] / "docs" / "embedding.md")
JSON = "application/json"
KEY = "key-of-the-application"
KEYS = CONFIG.replace('"anonymous"', '"api-keys"') + f'\n[auth.settings.plain_keys]\nwebsite = "{KEY}"\n'


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[Gateway]:
    """On any free port, in a thread with an event loop of asyncio's."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        await eventually(lambda: server.started)
        (port,) = [sock.getsockname()[1] for one in server.servers for sock in one.sockets]
        yield gateway_at(f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        await trio.to_thread.run_sync(thread.join)


@pytest.mark.parametrize(
    ("file", "status", "refusal"),
    [
        ("voice_app.py", 401, {"code": "UNAUTHENTICATED"}),
        ("fastapi_app.py", 403, {"detail": "Sign in first."}),
    ],
)
async def test_who_has_signed_in_to_the_application_has_a_call(
    file: str, status: int, refusal: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PAGE.write_files(tmp_path)
    async with open_test_gateway(tmp_path, KEYS) as gateway:
        monkeypatch.setenv("GATEWAY_URL", gateway.url)
        monkeypatch.setenv("GATEWAY_KEY", KEY)
        async with serving(import_file(tmp_path / file).app) as application:
            wish = b'{"campaignId": "echo", "clientIdentifier": "somebody else"}'
            refused = await request(application, "POST", "/voice/initiate", wish, content_type=JSON)
            assert refused.status == status
            assert refusal.items() <= refused.document.items()
            cookie = "session=the-cookie-of-ada"
            reply = await request(
                application, "POST", "/voice/api/websession/initiate", wish, cookie=cookie, content_type=JSON
            )
            assert reply.status == 200
            async with open_exchange(gateway) as exchange:
                phone = exchange.phone()
                await phone.open_socket(reply.document["websocketUrl"])
                await phone.negotiate()
                await phone.hear()
            (session,) = gateway.sessions
            assert (session.info.client_identifier, session.info.metadata) == ("ada", {"user": "ada"})
        await gateway.stop(grace=0)


def test_gateway_runs_in_a_thread_of_the_application(tmp_path: Path) -> None:
    PAGE.write_files(tmp_path)
    (tmp_path / "glottis.toml").write_text(CONFIG)
    with import_file(tmp_path / "one_process.py").gateway_in_a_thread(str(tmp_path / "glottis.toml")) as url:
        assert urlopen(f"{url}/readyz").status == 200
    with pytest.raises(URLError):
        urlopen(f"{url}/readyz")
