"""Clients of an HTTP API."""

from collections.abc import Callable
from typing import Any

import pytest
from glottis.contracts.pages import Page
from glottis.server.api.origins import Origins
from glottis.server.api.routes import Api
from glottis.server.http.rate_limit import RateLimiter
from glottis.server.http.server import HttpServer
from support.api import PAGE, Keys, Store


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def serve(store: Store, keys: Keys, connect: Callable[[HttpServer], Any]) -> Callable[..., Any]:
    """Makes a client of a gateway's API; keyword arguments are the Api's."""

    def serve(trusted_proxies: tuple[str, ...] = (), **changes: Any) -> Any:
        pages = {"/": Page(b"<h1>hi</h1>", "text/html; charset=utf-8"), "/demo.js": Page(b"1", "text/javascript")}
        options: dict[str, Any] = {
            "origins": Origins([PAGE]),
            "rate_limiter": RateLimiter(per_minute=600, burst=100),
            "pages": pages,
        }
        api = Api(store, keys, **(options | changes))

        async def handle_websocket(request: Any, websocket: Any) -> None:
            await websocket.close(1000, "hello")

        server = HttpServer(
            handle_request=api.handle_request,
            handle_websocket=handle_websocket,
            accept_websocket=api.accept_websocket,
            trusted_proxies=trusted_proxies,
        )
        return connect(server)

    return serve
