"""Consent to go on sending, and signs of life, on the selected pair: RFC 7675."""

import random

from glottis.ice.checker import Checker
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
        self._is_urgent = False
        """Whether that was since media has stopped."""
        self._next_check_at = (pair.granted_at or 0.0) + self._interval()

    def ask(self, checker: Checker, now: float) -> None:
        """For consent, if it is time, or whether the peer still is there, once for each pause of its media."""
        if not self._lite and now >= self._next_check_at:
            checker.ask_consent(self._pair, now)
            if self._asked_at is None or self._asked_at <= self._heard_at:
                self._asked_at, self._is_urgent = now, False
            self._next_check_at = now + self._interval()  # a transaction of its own, RFC 7675 §5.1
        elif (pause_at := self._pause_at) is not None and now >= pause_at:
            checker.ask_quickly(self._pair, now)
            self._asked_at, self._is_urgent = now, True

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
            if (pause_at := self._pause_at) is not None:
                moments.append(pause_at)
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
        if self._is_urgent:
            answer_time = max(timing.pause, 2 * (self._pair.current_round_trip_time or 0.0))
            return max(self._heard_at + timing.loss, self._asked_at + answer_time)
        return max(self._heard_at + timing.silence, self._asked_at + timing.answer_time)

    @property
    def _pause_at(self) -> float | None:
        """Once for each pause: the answer is a sign of life, and no media.

        A question for consent that was on its way when media stopped counts for nothing here: its answer may take long.
        """
        is_asked = self._is_urgent and self._asked_at is not None and self._asked_at > self._heard_at
        if self._lite or is_asked or self._pair.media_at != self._heard_at:
            return None
        return self._heard_at + self._timing.pause

    def _interval(self) -> float:
        spread = self._timing.consent_spread
        return self._timing.consent_interval * self._rng.uniform(1 - spread, 1 + spread)
