"""Lets callers follow a script with an agent, many at once if wanted, and reports how their conversations went."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import trio

from glottis.audio import read_wav
from glottis.barrier import stop
from glottis.contracts.audio import FRAME_SECONDS, AudioFrame
from glottis.contracts.call import Agent
from glottis.contracts.errors import ConfigurationError, LocalError
from glottis.contracts.info import CallInfo
from glottis.peer import PeerSettings
from glottis.plugins.blame import first_of
from glottis.testing.callers.acting import Actor
from glottis.testing.callers.agents import Recogniser, agent_named, codec_named, recogniser_named
from glottis.testing.callers.line import CONNECT_TIMEOUT, AgentEnd, CallerEnd
from glottis.testing.callers.report import CallReport, Report, Written
from glottis.testing.callers.steps import Step
from glottis.testing.callers.turns import turns_of
from glottis.testing.peers import CALLER, GATEWAY
from glottis.testing.rules.rule import Broken
from glottis.testing.rules.signals import melody
from glottis.testing.rules.trial import Trial, give_up
from glottis.testing.virtual_network import VirtualNetwork

PATIENCE: Final = 30.0
ENDING: Final = 1.0
"""Seconds in which an agent is to end when its caller has hung up (law 5 of docs/architecture.md)."""
STEPS_AT_ONCE: Final = 20_000
"""Of the tasks of a call, in which no time passes: who does nothing else never comes to an end."""
_ROUNDING: Final = 1e-9
"""Seconds: what is due at this very moment is not to be missed."""

MakeNetwork = Callable[[int], VirtualNetwork]
"""For a seed."""
Peers = tuple[PeerSettings, PeerSettings]
"""Of the caller, and of the gateway."""
Began = Callable[[VirtualNetwork], None]


def voice(seconds: float, sample_rate: int = 16000) -> AudioFrame:
    """A sound for callers who have no WAV file: it hums."""
    return AudioFrame(melody(sample_rate, round(1000 * seconds)), sample_rate)


def try_agent(
    agent: Agent | str,
    *steps: Step,
    settings: Mapping[str, Any] | None = None,
    callers: int = 1,
    every_s: float = 0.0,
    seed: int = 0,
    network: MakeNetwork = VirtualNetwork,
    began: Began = lambda network: None,
    codec: str = "opus",
    sample_rate: int = 16000,
    patience_s: float = PATIENCE,
    recogniser: str | Recogniser = "",
    recogniser_settings: Mapping[str, Any] | None = None,
    sounds: Callable[[str], AudioFrame] | None = None,
    peers: Peers | None = None,
) -> Report:
    """Let callers follow ``steps`` with an agent: a function, the name of an installed one, or ``file.py:function``.

    ``callers`` call at once, or one ``every_s`` seconds; the n-th has a network of the seed ``seed`` + n. All is on the
    real engines and virtual time. ``recogniser`` is a component that understands speech, or the name of an installed
    one. ``began`` is called when media begins on a network, ``sounds`` reads what steps name, and ``peers`` are how the
    connections are set, in place of ``codec`` and ``sample_rate``. Raises ``ConfigurationError`` for what cannot be
    tried; what the agent does wrong is in the report.
    """
    read = sounds or _read
    caller, gateway = peers or _alike(codec, sample_rate)
    for step in steps:
        for sound in (step.say, step.interrupt):
            _check(read(sound) if isinstance(sound, str) else sound, caller.sample_rate)
    make_recogniser = recogniser_named(recogniser, recogniser_settings or {})
    if make_recogniser is None and any(step.expect_words is not None for step in steps):
        raise ConfigurationError("expect_words: needs a recogniser: give the name of an installed one")
    chosen = agent_named(agent, settings or {}, gateway.sample_rate)
    conversation = _Trial(chosen, steps, (caller, gateway), patience_s, read)
    conversation.network, conversation.began, conversation.make_recogniser = network, began, make_recogniser
    try:
        calls = conversation.hold(callers, every_s, seed)
    except Broken as broken:
        raise LocalError(f"the agent {broken}") from None
    return Report(agent=agent if isinstance(agent, str) else getattr(agent, "__name__", "agent"), calls=tuple(calls))


class _Trial:
    """What all callers have in common."""

    network: MakeNetwork
    began: Began
    make_recogniser: Callable[[], Recogniser] | None

    def __init__(
        self,
        agent: tuple[Agent, Any],
        steps: Sequence[Step],
        peers: Peers,
        patience: float,
        sounds: Callable[[str], AudioFrame],
    ) -> None:
        self._agent, self._told = agent
        self._steps = steps
        self._peers = peers
        self._patience = patience
        self._sounds = sounds

    def hold(self, callers: int, every: float, seed: int) -> list[CallReport]:
        """All calls, in their order. Raises ``Broken`` for an agent that does not let time pass, or does not end."""
        reports: dict[int, CallReport] = {}
        steps = STEPS_AT_ONCE * (1 + callers)
        Trial(patience=None, max_steps=steps).run(partial(self._run, callers, every, seed, reports), [])
        return [reports[number] for number in range(callers)]

    async def _run(self, callers: int, every: float, seed: int, reports: dict[int, CallReport]) -> None:

        async def one(number: int) -> None:
            await trio.sleep(number * every)
            reports[number] = await self._call(number, seed + number)

        async with trio.open_nursery() as nursery:
            for number in range(callers):
                nursery.start_soon(one, number)

    async def _call(self, number: int, seed: int) -> CallReport:
        network = self.network(seed)
        network.now = trio.current_time()
        info = CallInfo(f"session-{number}", "campaign", f"caller-{number}", campaign_settings=self._told)
        caller = CallerEnd(self._peers[0], network, f"{seed} caller")
        agent = AgentEnd(self._peers[1], network, f"{seed} agent", info)
        agent.signal = caller.take_text
        network.attach(caller, CALLER)
        network.attach(agent, GATEWAY)
        offer = caller.connection.make_offer()
        caller.connection.accept_answer_untrusted(agent.accept(offer), network.now)
        caller.open_channel()
        actor = Actor(caller, agent, self._sounds, self._patience)
        actor.make_recogniser = self.make_recogniser
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drive, network, agent)
            await _connect(caller, agent)
            await trio.sleep(random.Random(f"{seed} phase").uniform(0, FRAME_SECONDS))  # to the gateway's ticks
            catch_up(network)
            began_at = network.now - FRAME_SECONDS  # what is written in a tick was spoken in the frame before it
            self.began(network)
            caller.start_media(network.now)
            await self._converse(actor, agent, began_at)
            agent.leg.close()
            nursery.cancel_scope.cancel()
        return CallReport(
            caller=number,
            seed=seed,
            turns=turns_of(caller.said, caller.listened, began_at),
            steps=actor.done,
            seconds=round(trio.current_time() - began_at, 3),
            ended=agent.ended or "the caller has hung up",
            error="; ".join(map(_described, agent.errors)),
            texts=[
                Written(at_s=round(at - began_at, 3), text=text)
                for at, text in zip(caller.texts_at, caller.texts, strict=True)
            ],
        )

    async def _converse(self, actor: Actor, agent: AgentEnd, began_at: float) -> None:
        """Until the script or the agent is at an end."""
        hung_up = trio.Event()
        async with trio.open_nursery() as around:
            around.start_soon(_give_up_when_late, hung_up)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._serve, agent)
                await actor.perform(self._steps, began_at)
                nursery.cancel_scope.cancel()
                hung_up.set()
            around.cancel_scope.cancel()

    async def _serve(self, agent: AgentEnd) -> None:
        with trio.CancelScope() as scope:
            try:
                agent.serving = scope
                await agent.call.converse(self._agent, agent.failed)
            except BaseException as error:
                stop(error, agent.failed)
        agent.end("the agent has returned")


async def _give_up_when_late(hung_up: trio.Event) -> None:
    """Beside the call, and not cancelled with it: what is shielded would hold up all for ever."""
    await hung_up.wait()
    await trio.sleep(ENDING)
    give_up(f"has not ended within {ENDING:g} s: let trio.Cancelled pass, and shield nothing for longer")


def catch_up(network: VirtualNetwork) -> None:
    """Let all happen in it that is due."""
    network.run(seconds=max(0.0, trio.current_time() - network.now) + _ROUNDING)


async def drive(network: VirtualNetwork, agent: AgentEnd) -> None:
    """Let the time of the network pass with trio's."""
    while True:
        catch_up(network)
        agent.moved.wake()
        moment = network.next_moment()
        with trio.move_on_at(trio.current_time() + 1.0 if moment is None else moment):
            await agent.changed.wait()


async def _connect(caller: CallerEnd, agent: AgentEnd) -> None:
    with trio.move_on_after(CONNECT_TIMEOUT):
        while not (caller.connected and agent.connected and caller.can_write):
            await agent.moved.wait()
        return
    raise ConfigurationError(f"network: caller and agent did not connect within {CONNECT_TIMEOUT:g} s")


def _described(error: BaseException) -> str:
    first = first_of(error)
    return f"{type(first).__name__}: {first}"


def _alike(codec: str, sample_rate: int) -> Peers:
    settings = PeerSettings((codec_named(codec),), sample_rate=sample_rate)
    if sample_rate not in settings.codecs[0].sample_rates:
        rates = ", ".join(map(str, settings.codecs[0].sample_rates))
        raise ConfigurationError(f"sample_rate: {codec} takes {rates}")
    return settings, settings


def _read(path: str) -> AudioFrame:
    try:
        return read_wav(Path(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: {str(error).removeprefix('read_wav: ')}") from None


def _check(sound: AudioFrame | None, sample_rate: int) -> None:
    if sound is not None and sound.sample_rate != sample_rate:
        raise ConfigurationError(f"say: has {sound.sample_rate} Hz, and the call {sample_rate}: resample it")
