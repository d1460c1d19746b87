"""The vendor's own client for Python, over HTTP: it calls, lends keys, hangs up, and knows refusals by their kinds."""

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import trio
from glottis import Wishes
from support.gateway import CONFIG, open_test_gateway
from support.keys import KEY, KEYS

pytestmark = pytest.mark.interop

OFFER = (Path(__file__).parents[3] / "tests" / "vectors" / "sdp" / "chromium156_seed_offer.sdp").read_bytes().decode()
ROUTES = CONFIG.replace('[auth]\nscheme = "anonymous"\n', KEYS) + '\n[routes]\nenabled = ["openai-calls"]\n'


async def test_the_vendors_client_calls_and_hangs_up(tmp_path: Path) -> None:
    from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

    def call(key: str, model: str, sdp: str = OFFER) -> str:
        with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            answer = client.realtime.calls.create(
                sdp=sdp, session={"type": "realtime", "model": model, "instructions": "Be kind."}
            )
        assert answer.text.startswith("v=0")
        location: str = answer.response.headers["location"]
        return location.rpartition("/")[2]

    async with open_test_gateway(tmp_path, ROUTES) as gateway, AsyncExitStack() as clients:
        url = gateway.url
        client = clients.enter_context(OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0))
        lend = partial(client.realtime.client_secrets.create, session={"type": "realtime", "model": "echo"})
        secret = await trio.to_thread.run_sync(lend)
        assert secret.session.model == "echo"
        call_id = await trio.to_thread.run_sync(call, secret.value, "talker")
        (session,) = gateway.sessions
        assert (session.info.campaign_id, session.info.session_id) == ("echo", call_id), "the key says which"
        assert Wishes.of(session.info.metadata).instructions == "Be kind."
        await trio.to_thread.run_sync(client.realtime.calls.hangup, call_id)
        assert not len(gateway.sessions)
        with pytest.raises(NotFoundError) as gone:
            await trio.to_thread.run_sync(client.realtime.calls.hangup, call_id)
        assert gone.value.code == "call_not_found"
        with pytest.raises(NotFoundError):
            await trio.to_thread.run_sync(call, KEY, "nobody")
        with pytest.raises(AuthenticationError):
            await trio.to_thread.run_sync(call, "ek_guessed", "echo")
        with pytest.raises(BadRequestError):
            await trio.to_thread.run_sync(call, KEY, "echo", "nonsense")
        await gateway.stop(grace=0)
