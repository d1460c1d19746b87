"""Each rule finds the sample that breaks it, and a good plugin keeps all of its kind."""

import gc
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from glottis.testing import Outcome, Rule, check_codec
from glottis.testing.rules.agent import AGENT_RULES
from glottis.testing.rules.auth import AUTH_RULES, AuthSubject
from glottis.testing.rules.codec import CODEC_RULES
from glottis.testing.rules.component import COMPONENT_RULES, DETECTOR_RULES, RESAMPLING_RULES, component_rules_of
from glottis.testing.rules.effort import expect_nothing_kept
from glottis.testing.rules.ice import ICE_RULES
from glottis.testing.rules.processor import PROCESSOR_RULES
from glottis.testing.rules.rule import judge
from glottis.testing.rules.subject import Subject
from support.bad import agents, auth, codecs, components, processors, providers

Table = tuple[Sequence[Rule[Any]], Mapping[str, list[Any]]]

KINDS: dict[str, Table] = {
    "codec": (CODEC_RULES, codecs.BAD),
    "agent": (AGENT_RULES, agents.BAD),
    "auth": (AUTH_RULES, auth.BAD),
    "ice": (ICE_RULES, providers.BAD),
    "component": ((*COMPONENT_RULES, *DETECTOR_RULES, *RESAMPLING_RULES), components.BAD),
    "processor": (PROCESSOR_RULES, processors.BAD),
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
]


def subject_of(rule: Rule[Any], spec: Any) -> Any:
    match rule.kind:
        case "codec" | "processor":
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


@pytest.mark.slow
def test_all_rules_of_codecs_can_be_tried_in_one() -> None:
    check_codec(codecs.GOOD)
    with pytest.raises(AssertionError, match=r"conceal\(160\).* returned 0 bytes.*#codec-concealment"):
        check_codec(codecs.BAD["concealment"][0])


def test_what_a_process_has_set_aside_from_collections_stays_so() -> None:
    gc.freeze()
    expect_nothing_kept(object, "nothing")
    assert gc.get_freeze_count() > 0
