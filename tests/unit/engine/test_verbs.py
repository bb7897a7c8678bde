import pytest

from freehold.engine.verbs import VERBS, Encounter, encounter


@pytest.mark.parametrize("running", VERBS)
@pytest.mark.parametrize("verb", ["stop", "uninstall", "purge"])
def test_the_ways_out_give_way_only_to_a_further_way_out(verb, running):
    expected = encounter(verb, running)
    if running == "purge" or (verb, running) == ("stop", "uninstall"):
        assert expected is Encounter.REFUSED
    elif running != "protect":
        assert expected is Encounter.INSTEAD


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_meets_a_purge(verb):
    assert encounter(verb, "purge") is Encounter.REFUSED


@pytest.mark.parametrize(
    ("verb", "running", "expected"),
    [
        ("scale", "scale", Encounter.INSTEAD),
        ("restart", "scale", Encounter.IN_TURN),
        ("rebuild", "rebuild", Encounter.IN_TURN),
        ("start", "stop", Encounter.INSTEAD),
        ("restart", "stop", Encounter.REFUSED),
        ("install", "uninstall", Encounter.INSTEAD),
        ("protect", "scale", Encounter.IN_TURN),
    ],
)
def test_edits_of_other_fields_stand_beside_each_other(verb, running, expected):
    assert encounter(verb, running) is expected
