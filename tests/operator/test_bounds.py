"""Every rule of the generated definition has an example that the API server is asked about in the e2e tests."""

from e2e.bounds import FORM, MAKERS, PATTERNS, bounds, fields
from e2e.rules import rules, sentences

LIMITS = [
    (path, keyword)
    for path, schema in fields()
    for keyword, value in schema.items()
    for _ in (value if keyword == "required" else [value])
    if keyword not in FORM
]
VALIDATIONS = [
    (".".join(path), each["message"])
    for path, schema in fields()
    for each in schema.get("x-kubernetes-validations", ())
]


def test_every_bound_has_an_example() -> None:
    shown = [bound.keyword for bound in bounds() if bound.keyword != "unknown field"]
    assert sorted(shown) == sorted(keyword for _, keyword in LIMITS)


def test_every_closed_structure_is_offered_an_unknown_field() -> None:
    closed = {path for path, schema in fields() if "properties" in schema}
    assert {bound.path[:-1] for bound in bounds() if bound.keyword == "unknown field"} == closed


def test_an_example_differs_from_what_is_refused() -> None:
    assert [bound.field for bound in bounds() if bound.refused in bound.accepted] == []
    assert [rule.field for rule in rules() if rule.refused == rule.accepted] == []


def test_every_rule_has_an_example_at_every_place() -> None:
    places = {(path, sentence) for path, sentence in VALIDATIONS if not sentence.startswith("routing.")}
    shown = {(rule.field.replace("[0]", ".[]"), rule.sentence) for rule in rules()}
    assert {place for place in places if place not in shown} == set()
    assert {sentence for _, sentence in VALIDATIONS} == {sentence for _, sentence in shown}


def test_a_sentence_that_stands_for_several_rules_has_as_many_examples() -> None:
    told = [sentence for _, sentence in VALIDATIONS]
    shown = [rule.sentence for rule in rules()]
    assert [sentence for sentence in set(told) if shown.count(sentence) < told.count(sentence)] == []


def test_no_example_is_left_of_a_rule_that_is_gone() -> None:
    assert sentences() == {sentence for _, sentence in VALIDATIONS}
    assert set(PATTERNS) == {schema["pattern"] for _, schema in fields() if "pattern" in schema}
    assert set(MAKERS) == {keyword for _, keyword in LIMITS}
