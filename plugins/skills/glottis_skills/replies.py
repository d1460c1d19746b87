"""Yes, no, and no more of this: what callers reply to a question."""

from typing import Final

from glottis_skills.phrases import says

_YES: Final = (
    r"(?:oh )?(?:yes|yeah|yep|yup|correct|right|exactly|sure|of course|okay|ok|fine|perfect|good|great"
    r"|indeed|absolutely|true)(?: (?:it is|that is|that's|i do|of course|please|right|correct|fine|good|thank you"
    r"|thanks|sure|all right|exactly|yes))*",
    r"(?:that's|that is|it's|it is|all|sounds) (?:right|correct|fine|good|true|okay|it)(?: (?:thank you|thanks))?",
    r"i do",
)
_NO: Final = (
    r"(?:oh )?(?:no|nope|nah|not really|wrong|incorrect)(?: (?:no|it is not|it isn't|that's wrong|that is wrong|wrong"
    r"|thanks|thank you|sorry|not quite|neither))*",
    r"(?:that's|that is|it's|it is) (?:wrong|not right|not correct|incorrect)",
    r"(?:none|neither)(?: of (?:them|these|those))?",
)
_STOP: Final = (
    r"(?:no )?(?:cancel|stop|abort|quit|forget)(?: (?:it|that|this|the (?:form|message|booking|reservation|order)))?",
    r"(?:no )?(?:never ?mind|forget about it|leave it|i changed my mind|i have changed my mind|i've changed my mind)",
)


def is_yes(text: str) -> bool:
    """Whether a whole utterance is a yes."""
    return says(text, *_YES) is not None


def is_no(text: str) -> bool:
    """Whether it is a no, and nothing more."""
    return says(text, *_NO) is not None


def is_stop(text: str) -> bool:
    """Whether somebody does not want to go on."""
    return says(text, *_STOP) is not None
