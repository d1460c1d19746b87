"""Each rule finds the sample that breaks it, and a good plugin keeps all of its kind."""

import gc
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from glottis import (
    AudioFrame,
    AuthRequest,
    AuthSchemeSpec,
    ComponentSpec,
    NotInstalled,
    Principal,
    VoiceActivityDetector,
)
from glottis.testing import Outcome, Rule, check_codec
from glottis.testing.checking import PAGES_RULES, ROUTES_RULES
from glottis.testing.rules.agent import AGENT_RULES
from glottis.testing.rules.auth import AUTH_RULES, AuthSubject
from glottis.testing.rules.cluster import CLUSTER_RULES
from glottis.testing.rules.codec import CODEC_RULES
from glottis.testing.rules.component import COMPONENT_RULES, DETECTOR_RULES, RESAMPLING_RULES, component_rules_of
from glottis.testing.rules.echo import ECHO_RULES
from glottis.testing.rules.effort import expect_nothing_kept
from glottis.testing.rules.extension import LIFESPAN_RULES, OBSERVER_RULES
from glottis.testing.rules.ice import ICE_RULES
from glottis.testing.rules.plugin import PLUGIN_RULES
from glottis.testing.rules.processor import PROCESSOR_RULES
from glottis.testing.rules.rule import judge
from glottis.testing.rules.selection import SELECTION_RULES
from glottis.testing.rules.subject import Subject
from support.bad import (
    agents,
    auth,
    clusters,
    codecs,
    components,
    extensions,
    plugins,
    processors,
    providers,
    selections,
    web,
)

Table = tuple[Sequence[Rule[Any]], Mapping[str, list[Any]]]

KINDS: dict[str, Table] = {
    "codec": (CODEC_RULES, codecs.BAD),
    "agent": (AGENT_RULES, agents.BAD),
    "auth": (AUTH_RULES, auth.BAD),
    "ice": (ICE_RULES, providers.BAD),
    "component": ((*COMPONENT_RULES, *DETECTOR_RULES, *RESAMPLING_RULES, *ECHO_RULES), components.BAD),
    "processor": (PROCESSOR_RULES, processors.BAD),
    "observer": (OBSERVER_RULES, extensions.BAD_OBSERVERS),
    "lifespan": (LIFESPAN_RULES, extensions.BAD_LIVES),
    "plugin": (PLUGIN_RULES, plugins.BAD),
    "selection": (SELECTION_RULES, selections.BAD),
    "cluster": (CLUSTER_RULES, clusters.BAD),
    "routes": (ROUTES_RULES, web.BAD_ROUTES),
    "pages": (PAGES_RULES, web.BAD_PAGES),
}
SAMPLES = [
    pytest.param(rule, spec, id=f"{kind}-{rule.name}-{index}")
    for kind, (rules, bad) in KINDS.items()
    for rule in rules
    for index, spec in enumerate(bad.get(rule.name, []))
]
GOOD: list[tuple[Sequence[Rule[Any]], Any]] = [
    *((CODEC_RULES, codecs.GOOD), (AGENT_RULES, agents.GOOD), (AGENT_RULES, agents.REFUSING)),
    *((AUTH_RULES, auth.GOOD), (ICE_RULES, providers.GOOD)),
    *((component_rules_of(spec), spec) for spec in components.GOOD),
    (PROCESSOR_RULES, processors.GOOD),
    *((OBSERVER_RULES, extensions.GOOD_OBSERVER), (LIFESPAN_RULES, extensions.GOOD_LIFE)),
    *((PLUGIN_RULES, plugins.GOOD), (SELECTION_RULES, selections.GOOD)),
    (CLUSTER_RULES, clusters.GOOD),
    *((ROUTES_RULES, web.GOOD_ROUTES), (PAGES_RULES, web.GOOD_PAGES)),
]


def subject_of(rule: Rule[Any], spec: Any) -> Any:
    match rule.kind:
        case "codec" | "processor" | "observer" | "lifespan" | "pages" | "plugin" | "selection" | "cluster":
            return spec
        case "auth":
            return AuthSubject(
                spec,
                accepted=auth.ACCEPTED,
                expired=auth.EXPIRED,
                skewed=auth.SKEWED,
                other_settings=auth.OTHER,
            )
    return Subject(spec)


@pytest.mark.parametrize(("rules", "bad"), KINDS.values(), ids=KINDS)
def test_there_is_a_bad_sample_for_each_rule(rules: Sequence[Rule[Any]], bad: Mapping[str, list[Any]]) -> None:
    assert [rule.name for rule in rules] == list(bad)
    assert all(bad.values())


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "spec"), SAMPLES)
def test_sample_breaks_its_rule(rule: Rule[Any], spec: Any) -> None:
    verdict = judge(rule, subject_of(rule, spec))
    assert verdict.outcome is Outcome.BROKEN
    assert verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "spec"),
    [
        pytest.param(rule, spec, id=f"{rule.kind}-{index}-{rule.name}")
        for index, (rules, spec) in enumerate(GOOD)
        for rule in rules
    ],
)
def test_good_plugin_keeps_each_rule(rule: Rule[Any], spec: Any) -> None:
    verdict = judge(rule, subject_of(rule, spec))
    assert (verdict.outcome, verdict.reason) == (Outcome.HOLDS, "")


NEIGHBOURLY = AuthSchemeSpec("neighbourly", lambda settings: Neighbourly(), loopback_only=True)


class Neighbourly:
    """Lets in who is on this machine."""

    async def authenticate(self, request: AuthRequest) -> Principal | None:
        return Principal("neighbour") if request.client_host == "127.0.0.1" else None


def outcomes(subject: AuthSubject) -> dict[str, Outcome]:
    return {rule.name: judge(rule, subject).outcome for rule in AUTH_RULES}


def test_rules_of_keys_do_not_apply_where_there_are_none() -> None:
    of_keys = ("forged", "expired", "foreign", "skewed", "constant-time")
    others = ("description", "accepted", "strangers", "leaves-nothing", "yields", "secrets")
    expected = dict.fromkeys(of_keys, Outcome.DOES_NOT_APPLY) | dict.fromkeys(others, Outcome.HOLDS)
    assert outcomes(AuthSubject(NEIGHBOURLY)) == expected


def test_rules_of_time_do_not_apply_to_keys_that_have_none() -> None:
    found = outcomes(AuthSubject(auth.GOOD, accepted=auth.ACCEPTED, expired=None, skewed=None))
    assert (found["expired"], found["skewed"], found["foreign"]) == (
        Outcome.DOES_NOT_APPLY,
        Outcome.DOES_NOT_APPLY,
        Outcome.NOT_TRIED,
    )


def test_what_needs_a_library_that_is_not_there_says_so_and_its_class_is_judged_all_the_same() -> None:
    def found(create: Any) -> dict[str, Outcome]:
        spec = ComponentSpec(VoiceActivityDetector, "demanding", create)
        return {rule.name: judge(rule, Subject(spec)).outcome for rule in component_rules_of(spec)}

    class Demanding:
        def __init__(self, settings: None) -> None:
            raise NotInstalled("needs silero: pip install silero")

        def detect(self, frame: AudioFrame) -> float:
            return 0.0

    verdicts = found(Demanding)
    assert verdicts.pop("members") is Outcome.HOLDS
    assert set(verdicts.values()) == {Outcome.NOT_TRIED}


@pytest.mark.slow
def test_all_rules_of_codecs_can_be_tried_in_one() -> None:
    check_codec(codecs.GOOD)
    with pytest.raises(AssertionError, match=r"conceal\(160\).* returned 0 bytes.*#codec-concealment"):
        check_codec(codecs.BAD["concealment"][0])


def test_what_a_process_has_set_aside_from_collections_stays_so() -> None:
    gc.freeze()
    expect_nothing_kept(object, "nothing")
    assert gc.get_freeze_count() > 0
