"""The settings of a conversation."""

from typing import Annotated, Literal

import msgspec
from glottis import Component, Resampling, TurnSettings, VoiceActivityDetector
from msgspec import Meta

from glottis_conversation.kinds import LanguageModel, Skill, SpeechToText, TextToSpeech, Toolbox, TurnDetector

DEFAULT_BACKCHANNELS = (
    "hm",
    "hmm",
    "mm",
    "mm-hm",
    "mhm",
    "uh-huh",
    "uh",
    "um",
    "ah",
    "aha",
    "oh",
    "yeah",
    "okay",
    "ok",
    "right",
    "i see",
)


class ConversationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the agent ``conversation``, and of others that are made of it."""

    llm: Component[LanguageModel]
    """Finds the answers."""
    llm_fallbacks: tuple[Component[LanguageModel], ...] = ()
    """Take over where it fails, in this order."""
    stt: Component[SpeechToText] | None = None
    """Understands the caller. Absent: the caller writes, or presses keys."""
    stt_fallbacks: tuple[Component[SpeechToText], ...] = ()
    """Take over where it fails, in this order."""
    tts: Component[TextToSpeech] | None = None
    """Speaks. Absent: answers are written."""
    voices: dict[str, Component[TextToSpeech]] = {}
    """By the names by which clients may wish for them. Where one fails, those of above take over."""
    tts_fallbacks: tuple[Component[TextToSpeech], ...] = ()
    """Take over where it fails, in this order."""
    vad: Component[VoiceActivityDetector] = Component("energy")
    """Tells when the caller speaks."""
    turn_detector: Component[TurnDetector] = Component("words")
    """Tells whether a caller who has fallen silent wants to go on."""
    tools: tuple[Component[Toolbox], ...] = ()
    """Bring what the model can do but talk."""
    skills: tuple[Component[Skill], ...] = ()
    """Bring more of it, which a model that goes by rules understands, too."""
    resampling: Component[Resampling] = Component("speex")
    """Between the rate of a voice and that of the call."""
    turns: TurnSettings = TurnSettings(hangover_ms=400)
    """When a turn of the caller begins and ends."""
    when_missing: Literal["refuse", "write"] = "refuse"
    """Where a part for speech is not installed: the gateway does not start, or callers write and read instead."""

    instructions: str = ""
    """For the model, before all that is said."""
    wishes: tuple[Literal["instructions", "functions", "turns", "speech", "length"], ...] = ()
    """What clients may ask for: instructions behind these, functions of theirs as tools, when to answer speech, how to
    speak or to write instead, and how long answers may be."""
    greeting: str = ""
    """Said first."""
    apology: str = "I am sorry, something went wrong. Please try again."
    """Said where no part works."""
    not_understood: str = "I am sorry, I could not hear that. Please say it again."
    """Said where no part could understand the caller."""
    filler: str = "One moment, please."
    """Said where the answer takes long. Empty: nothing."""
    filler_after_ms: Annotated[int, Meta(ge=0, le=60_000)] = 2500
    """So long."""
    farewell: str = "Goodbye."
    """Said before the call is ended for its length, or because nobody says anything."""

    interrupt_ms: Annotated[int, Meta(ge=0, le=5000)] = 60
    """A caller who speaks so long makes the agent pause. Knocks are shorter, and to ``silero`` coughs are no speech."""
    while_unsure: Literal["pause", "soften", "speak"] = "pause"
    """What the agent does then, until it is clear whether it is interrupted: it is silent, 20 dB softer, or goes on."""
    insist_ms: Annotated[int, Meta(ge=0, le=10_000)] = 1000
    """A caller who speaks so long interrupts for sure; one who speaks shorter does by what was said."""
    backchannels: tuple[str, ...] = DEFAULT_BACKCHANNELS
    """What is said to encourage a speaker: it interrupts nobody. Letters may be repeated, as in "mm-hmm"."""
    patience: Annotated[float, Meta(gt=0, le=300)] = 8.0
    """Seconds for each step of a part: then it has failed."""
    max_turn_seconds: Annotated[float, Meta(ge=1, le=120)] = 30.0
    """What a caller says without a pause is understood in pieces of this length."""
    max_reply_characters: Annotated[int, Meta(ge=1, le=100_000)] = 4000
    """A model that says more is stopped."""
    history_messages: Annotated[int, Meta(ge=2, le=10_000)] = 60
    """So many the model is told of."""
    idle_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 20.0
    """Without a word of anybody, until the next of the ``idle_prompts`` is said."""
    idle_prompts: tuple[str, ...] = ("Are you still there?",)
    """After the last the call ends. None: it does not."""
    max_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 3600.0
    """The longest call."""
