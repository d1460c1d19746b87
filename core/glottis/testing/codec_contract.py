"""For authors of codecs: does a ``CodecSpec`` keep its contract, at every rate and frame duration?"""

from glottis.contracts.codec import CodecSpec
from glottis.testing.rules.codec import CODEC_RULES
from glottis.testing.rules.rule import require


def check_codec(spec: CodecSpec) -> None:
    """Assert that the codec keeps its contract; the message of the ``AssertionError`` says what it breaks.

    All rules in one: ``CodecContract`` has a test for each.
    """
    require(CODEC_RULES, spec)
