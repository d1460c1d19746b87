"""Who nominates: the role of an agent, and conflicts about it, RFC 8445 §6.1.1 and §7.3.1.1."""

import msgspec

from glottis.wire.stun import Attribute, StunMessage


class Role(msgspec.Struct):
    """Controlling or controlled; the larger tie-breaker wins a conflict."""

    controlling: bool
    tie_breaker: int
    """64 random bits."""
    lite: bool = False
    """A lite agent is controlled and stays so."""

    def __str__(self) -> str:
        return "controlling" if self.controlling else "controlled"

    @property
    def attribute(self) -> tuple[int, bytes]:
        """The role attribute of every check, RFC 8445 §7.1.3."""
        attribute = Attribute.ICE_CONTROLLING if self.controlling else Attribute.ICE_CONTROLLED
        return attribute, self.tie_breaker.to_bytes(8)

    def agrees_with(self, check: StunMessage) -> bool:
        """Detect and repair a conflict, RFC 8445 §7.3.1.1: False if the sender has to switch, after a 487.

        Otherwise there was none, or it is this side that has switched. A check without any role is no conflict.
        """
        rival = check.ice_controlling if self.controlling else check.ice_controlled
        if rival is None:
            return True
        # The larger tie-breaker is to be controlling: who is larger and controlling, or smaller and controlled, stays.
        if self.lite or (self.tie_breaker >= rival) is self.controlling:
            return False
        self.controlling = not self.controlling
        return True

    def yield_after(self, controlling: bool) -> None:
        """A check sent in the given role was answered 487: take the other one, RFC 8445 §7.2.5.1."""
        self.controlling = not controlling
