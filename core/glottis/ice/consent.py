"""Consent to go on sending, and signs of life, on the selected pair: RFC 7675."""

import random

from glottis.ice.pair import CandidatePair
from glottis.ice.timing import IceTiming


class Consent:
    """When to ask for consent next, when the peer counts as silent, and when consent has expired.

    A lite agent does not ask. Its peer's own checks, as frequent, keep consent alive.
    """

    def __init__(self, pair: CandidatePair, timing: IceTiming, rng: random.Random, *, lite: bool) -> None:
        self._pair = pair
        self._timing = timing
        self._rng = rng
        self._lite = lite
        self._asked_at: float | None = None
        self._next_check_at = (pair.granted_at or 0.0) + self._interval()

    def is_check_due(self, now: float) -> bool:
        """Whether to ask now; whoever asks calls ``asked``."""
        return not self._lite and now >= self._next_check_at

    def asked(self, now: float) -> None:
        """A consent check left; the next one, a transaction of its own, follows at random, RFC 7675 §5.1."""
        if self._asked_at is None or self._asked_at <= self._heard_at:
            self._asked_at = now
        self._next_check_at = now + self._interval()

    def is_expired(self, now: float) -> bool:
        """Whether sending must stop."""
        return now >= self._expires_at

    def is_silent(self, now: float) -> bool:
        """Whether the peer seems to be gone, for the moment at least."""
        return (silent_at := self._silent_at) is not None and now >= silent_at

    def is_left(self, now: float) -> bool:
        """Whether any path that works is better: the peer is silent here, or was asked in doubt and did not answer.

        Time alone does not make it so: media by another path cast the doubt, and goes on to come.
        """
        answer_time = max(self._timing.doubt_time, 2 * (self._pair.current_round_trip_time or 0.0))
        return self.is_silent(now) or (self._pair.is_doubted and now >= self._pair.doubted_at + answer_time)

    def next_timeout(self, *, silent: bool) -> float:
        """The earliest of these moments; ``silent`` says that silence has been noticed already."""
        moments = [self._expires_at]
        if not self._lite:
            moments.append(self._next_check_at)
        if not silent and (silent_at := self._silent_at) is not None:
            moments.append(silent_at)
        return min(moments)

    @property
    def _heard_at(self) -> float:
        return self._pair.heard_at or 0.0

    @property
    def _expires_at(self) -> float:
        return (self._pair.granted_at or 0.0) + self._timing.consent_lifetime

    @property
    def _silent_at(self) -> float | None:
        """An idle peer is heard only by its checks and answers, so silence needs a question that went unanswered."""
        timing = self._timing
        if self._lite:
            return self._heard_at + timing.silence + timing.consent_interval * (1 + timing.consent_spread)
        if self._asked_at is None or self._asked_at <= self._heard_at:
            return None
        return max(self._heard_at + timing.silence, self._asked_at + timing.answer_time)

    def _interval(self) -> float:
        spread = self._timing.consent_spread
        return self._timing.consent_interval * self._rng.uniform(1 - spread, 1 + spread)
