"""Rules as tests: ``class TestMyCodec(CodecContract)`` in a test module has one test for each rule.

pytest asks a class itself for what its tests are parametrized with. So there is no plugin of pytest's to be enabled.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from glottis.contracts.audio import FrameTap
from glottis.contracts.auth import AuthRequest, AuthSchemeSpec
from glottis.contracts.call import AgentSpec
from glottis.contracts.codec import CodecSpec
from glottis.contracts.components import ComponentSpec
from glottis.contracts.extensions import GatewayInfo
from glottis.contracts.ice_servers import IceServerProviderSpec
from glottis.testing.rules.agent import AGENT_RULES
from glottis.testing.rules.auth import AUTH_RULES, AuthSubject
from glottis.testing.rules.codec import CODEC_RULES
from glottis.testing.rules.component import component_rules_of
from glottis.testing.rules.extension import LIFESPAN_RULES, OBSERVER_RULES, ExtensionSubject
from glottis.testing.rules.ice import ICE_RULES
from glottis.testing.rules.processor import PROCESSOR_RULES, MakeProcessors
from glottis.testing.rules.rule import Outcome, Rule, judge
from glottis.testing.rules.subject import Settings, Subject


class _Contract:
    """What all of them do."""

    spec: ClassVar[Any]

    @classmethod
    def rules(cls) -> Sequence[Rule[Any]]:
        """In the order in which they are tried."""
        raise NotImplementedError

    def subject(self) -> Any:
        """What they are tried on."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Called by pytest for each test of the class."""
        if "rule" in metafunc.fixturenames:
            rules = self.rules()
            metafunc.parametrize("rule", rules, ids=[rule.name for rule in rules])

    def test_rule_holds(self, rule: Rule[Any]) -> None:
        """Fails in the words of the rule, without a traceback through glottis; one that cannot be tried is skipped.

        One that does not apply holds: ``glottis check`` tells which these are, and why.
        """
        import pytest  # late: it is a tool of tests, which the gateway runs without

        verdict = judge(rule, self.subject())
        if verdict.outcome is Outcome.NOT_TRIED:
            pytest.skip(verdict.reason)
        if verdict.outcome is Outcome.BROKEN:
            pytest.fail(f"{rule.what}: {verdict.reason}\nsee {rule.link}", pytrace=False)


class CodecContract(_Contract):
    """A class of tests for ``spec``."""

    spec: ClassVar[CodecSpec]

    @classmethod
    def rules(cls) -> Sequence[Rule[CodecSpec]]:
        """See ``rules/codec.py``."""
        return CODEC_RULES

    def subject(self) -> CodecSpec:
        """The specification itself."""
        return self.spec


class _MadeContract(_Contract):
    """Of what is made from settings: those of ``config_type``, or as a configuration file has them."""

    settings: ClassVar[Settings] = None

    def subject(self) -> Subject[Any]:
        """The specification with its settings."""
        return Subject(self.spec, self.settings)


class AgentContract(_MadeContract):
    """A class of tests for the agent that ``spec`` makes from ``settings``."""

    spec: ClassVar[AgentSpec]

    @classmethod
    def rules(cls) -> Sequence[Rule[Subject[AgentSpec]]]:
        """See ``rules/agent.py``."""
        return AGENT_RULES


class AuthContract(_MadeContract):
    """A class of tests for the auth scheme that ``spec`` makes from ``settings``.

    ``accepted`` are requests that the scheme lets in, ``skewed`` are such of callers whose clock differs a little,
    ``expired`` are refused; the latter two are None where keys have no time. ``other_settings`` are those of a
    deployment that refuses what this one lets in.
    """

    spec: ClassVar[AuthSchemeSpec]
    accepted: ClassVar[Sequence[AuthRequest]] = ()
    expired: ClassVar[Sequence[AuthRequest] | None] = ()
    skewed: ClassVar[Sequence[AuthRequest] | None] = ()
    other_settings: ClassVar[Settings] = None

    @classmethod
    def rules(cls) -> Sequence[Rule[AuthSubject]]:
        """See ``rules/auth.py``."""
        return AUTH_RULES

    def subject(self) -> AuthSubject:
        """The specification with its settings, and what is known of its callers."""
        return AuthSubject(
            self.spec,
            self.settings,
            accepted=self.accepted,
            expired=self.expired,
            skewed=self.skewed,
            other_settings=self.other_settings,
        )


class IceProviderContract(_MadeContract):
    """A class of tests for the provider that ``spec`` makes from ``settings``."""

    spec: ClassVar[IceServerProviderSpec]

    @classmethod
    def rules(cls) -> Sequence[Rule[Subject[IceServerProviderSpec]]]:
        """See ``rules/ice.py``."""
        return ICE_RULES


class ProcessorContract(_Contract):
    """A class of tests for audio processors."""

    @classmethod
    def rules(cls) -> Sequence[Rule[MakeProcessors]]:
        """See ``rules/processor.py``."""
        return PROCESSOR_RULES

    def make(self) -> Sequence[FrameTap]:
        """Those of one direction of a new call: to be overridden."""
        raise NotImplementedError

    def subject(self) -> MakeProcessors:
        """What makes them."""
        return self.make


class ExtensionContract(_Contract):
    """A class of tests for what an extension observes of sessions, and for its life: one of them, or both."""

    @classmethod
    def rules(cls) -> Sequence[Rule[ExtensionSubject]]:
        """See ``rules/extension.py``: those of the hooks that it has."""
        observers = OBSERVER_RULES if cls.observers is not ExtensionContract.observers else ()
        lifespan = LIFESPAN_RULES if cls.lifespan is not ExtensionContract.lifespan else ()
        return (*observers, *lifespan)

    def observers(self) -> Sequence[object]:
        """Those of a new session: to be overridden."""
        raise NotImplementedError

    def lifespan(self, gateway_info: GatewayInfo) -> object:
        """That of a gateway: to be overridden."""
        raise NotImplementedError

    def subject(self) -> ExtensionSubject:
        """What makes them."""
        return ExtensionSubject(self.observers, self.lifespan)


class ComponentContract(_MadeContract):
    """A class of tests for the component that ``spec`` makes from ``settings``."""

    spec: ClassVar[ComponentSpec[Any]]

    @classmethod
    def rules(cls) -> Sequence[Rule[Subject[ComponentSpec[Any]]]]:
        """See ``rules/component.py``: those of its kind."""
        return component_rules_of(cls.spec)
