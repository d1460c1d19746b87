"""The seam between a session and its call: the agent may be in this process, or in another."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from glottis.calls.handover import Handover
from glottis.calls.limits import CallLimits
from glottis.calls.messenger import Messenger
from glottis.calls.voice import Voice
from glottis.contracts.call import Agent, Dropped, Message
from glottis.contracts.events import CallEvent, OtherEvent
from glottis.contracts.info import CallInfo
from glottis.contracts.resampling import Resampling
from glottis.contracts.statistics import AgentStats, Statistics


class Backlog(Protocol):
    """The messages that wait for the agent; see ``Inbox``."""

    @property
    def is_read(self) -> bool:
        """Whether the agent has begun to."""

    @property
    def is_behind(self) -> bool:
        """Whether the client is to wait."""

    def has_room_for(self, item: Message) -> bool:
        """Whether no older one is dropped for it."""


class Conversation(Protocol):
    """What a session needs of the call that it gives to an agent; see ``GatewayCall``."""

    @property
    def messages(self) -> Backlog:
        """Those that wait for the agent."""

    @property
    def dropped(self) -> Dropped:
        """What the agent was too slow to take."""

    def agent_statistics(self) -> AgentStats:
        """How long the agent has had the call, and what waits for it and of it."""

    async def converse(
        self, agent: Agent, failed: Callable[[BaseException], object], *beside: Callable[[], Awaitable[object]]
    ) -> None:
        """Give the call to the agent until it returns and all it said is sent."""

    def hear(self, now: float) -> None:
        """A media tick."""

    def spoke(self) -> None:
        """Something was sent, or there is another direction."""

    def push_message(self, message: Message) -> None:
        """The caller has sent a message."""

    def push_event(self, event: CallEvent) -> None:
        """Something has happened to the call."""


class ConversationFactory(Protocol):
    """Makes the call of a session."""

    def __call__(
        self,
        info: CallInfo,
        *,
        sample_rate: int,
        voice: Voice,
        messenger: Messenger,
        hang_up: Callable[[str], None],
        restart_ice: Callable[[], None],
        caught_up: Callable[[], None],
        handover: Handover,
        resampling: Resampling | None,
        sent: Callable[[Message | OtherEvent], None],
        limits: CallLimits,
        statistics: Callable[[], Statistics],
    ) -> Conversation: ...
