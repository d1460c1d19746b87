"""The agent: waits for the other caller, then lets them talk until one of them goes."""

from contextlib import suppress
from typing import Annotated

import msgspec
import trio
from glottis import Call, CampaignInfo, LocalError, TextMessage
from msgspec import Meta

from glottis_bridge.rooms import Meeting, meeting_in


class BridgeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the agent."""

    line: str = ""
    """Campaigns of one line share their rooms. Empty: the campaign has a line of its own."""
    room_variable: str = "room"
    """The member of the request's ``dynamicVariables`` that names the room; callers without one share a room."""
    wait: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    """Seconds to wait for the other."""


class Bridge:
    """One for each campaign."""

    def __init__(self, config: BridgeConfig, campaign: CampaignInfo) -> None:
        self._config = config
        self._line = config.line or f"campaign {campaign.id}"

    async def __call__(self, call: Call) -> None:
        """Voices go straight across, without a task that wakes for them; texts take the way of this task."""
        room = str(call.info.dynamic_variables.get(self._config.room_variable, ""))
        with meeting_in((self._line, room), call) as meeting:
            await call.send_event("bridge", {"state": "waiting"})
            with trio.move_on_after(self._config.wait) as patience:
                await meeting.complete.wait()
            if patience.cancelled_caught:
                await call.send_event("bridge", {"state": "nobody came"})
                return
            await call.send_event("bridge", {"state": "joined"})
            await _talk(call, meeting)
        await call.send_event("bridge", {"state": "over"})


async def _talk(call: Call, meeting: Meeting) -> None:
    partner = meeting.partner_of(call)
    with call.forward(partner):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_pass_texts, call, partner)
            await meeting.over.wait()
            nursery.cancel_scope.cancel()


async def _pass_texts(call: Call, partner: Call) -> None:
    async for message in call.messages:
        if isinstance(message, TextMessage):
            with suppress(LocalError):  # the other's client takes shorter ones only, or has just gone
                await partner.send_text(message.text)
