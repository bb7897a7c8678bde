"""Resolution over small POM texts; each test is one rule of Maven's."""

from __future__ import annotations

import pytest

from freehold.foundation.errors import PermanentFault
from freehold.software.resolve.maven import resolve
from freehold.software.resolve.pom import Coordinate


class Poms:
    def __init__(self, **texts: str) -> None:
        """Name texts ``artifact_version`` with dots as x: ``a_1x0``."""
        self.texts = {key.replace("x", "."): text for key, text in texts.items()}

    def pom_text(self, coordinate: Coordinate) -> str:
        key = f"{coordinate.artifact}_{coordinate.version}"
        if key not in self.texts:
            raise PermanentFault(f"cannot find {coordinate}")
        return (
            '<project xmlns="urn:pom"><groupId>g</groupId>'
            f"<artifactId>{coordinate.artifact}</artifactId>{self.texts[key]}</project>"
        )


def dep(artifact: str, version: str = "", more: str = "") -> str:
    given = f"<version>{version}</version>" if version else ""
    return (
        f"<dependency><groupId>g</groupId><artifactId>{artifact}</artifactId>{given}{more}"
        "</dependency>"
    )


def deps(*each: str) -> str:
    return f"<dependencies>{''.join(each)}</dependencies>"


def managed(*each: str) -> str:
    return f"<dependencyManagement>{deps(*each)}</dependencyManagement>"


def parent(artifact: str, version: str = "1") -> str:
    return (
        f"<parent><groupId>g</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></parent>"
    )


def resolved(poms: Poms, *roots: str) -> list[str]:
    wanted = [Coordinate("g", *root.split(":")) for root in roots or ("root:1",)]
    return [str(found).removeprefix("g:") for found in resolve(wanted, poms)]


def test_dependencies_of_dependencies_come_along():
    poms = Poms(root_1=deps(dep("a", "1")), a_1=deps(dep("b", "2")), b_2="")
    assert resolved(poms) == ["a:1", "b:2", "root:1"]


def test_the_nearest_version_wins_over_a_newer_one():
    poms = Poms(
        root_1=deps(dep("a", "1"), dep("c", "1")), a_1=deps(dep("b", "1")),
        b_1=deps(dep("c", "9")), c_1="", c_9=deps(dep("d", "1")),
    )  # fmt: skip
    assert resolved(poms) == ["a:1", "b:1", "c:1", "root:1"]


def test_the_first_named_wins_at_equal_distance():
    poms = Poms(
        root_1=deps(dep("a", "1"), dep("b", "1")), a_1=deps(dep("c", "1")),
        b_1=deps(dep("c", "2")), c_1="", c_2="",
    )  # fmt: skip
    assert "c:1" in resolved(poms)


@pytest.mark.parametrize(
    "left_out",
    [
        "<scope>test</scope>", "<scope>provided</scope>", "<scope>system</scope>",
        "<optional>true</optional>",
    ],
)  # fmt: skip
def test_what_is_not_needed_at_run_time_is_left_out(left_out: str):
    assert resolved(Poms(root_1=deps(dep("a", "1", left_out)))) == ["root:1"]


def test_runtime_scope_comes_along():
    poms = Poms(root_1=deps(dep("a", "1", "<scope>runtime</scope>")), a_1="")
    assert resolved(poms) == ["a:1", "root:1"]


def exclusion(artifact: str) -> str:
    return (
        f"<exclusions><exclusion><groupId>g</groupId><artifactId>{artifact}</artifactId>"
        "</exclusion></exclusions>"
    )


@pytest.mark.parametrize("excluded", ["b", "*"])
def test_an_exclusion_holds_for_the_whole_branch(excluded: str):
    poms = Poms(
        root_1=deps(dep("a", "1", exclusion(excluded))), a_1=deps(dep("m", "1")),
        m_1=deps(dep("b", "1")), b_1="",
    )  # fmt: skip
    expected = ["a:1", "root:1"] if excluded == "*" else ["a:1", "m:1", "root:1"]
    assert resolved(poms) == expected


def test_an_exclusion_does_not_hold_for_another_branch():
    poms = Poms(
        root_1=deps(dep("a", "1", exclusion("b")), dep("c", "1")), a_1=deps(dep("b", "1")),
        c_1=deps(dep("b", "2")), b_2="",
    )  # fmt: skip
    assert resolved(poms) == ["a:1", "b:2", "c:1", "root:1"]


def test_versions_come_from_parents_properties_and_management():
    poms = Poms(
        root_1=parent("up") + "<properties><b>3</b></properties>" + deps(dep("a"), dep("b")),
        up_1="<properties><b>2</b><a>${b}0</a></properties>"
        + managed(dep("a", "${a}"), dep("b", "${b}")),
        a_30="",
        b_3="",
    )
    assert resolved(poms) == ["a:30", "b:3", "root:1"]


def test_dependencies_of_a_parent_are_inherited():
    poms = Poms(root_1=parent("up"), up_1=deps(dep("a", "${project.version}")), a_1="")
    assert resolved(poms) == ["a:1", "root:1"]


def test_what_a_pom_names_itself_stands_before_what_it_inherits():
    poms = Poms(
        root_1=parent("up") + deps(dep("a", "1")), up_1=deps(dep("b", "1")),
        a_1=deps(dep("c", "1")), b_1=deps(dep("c", "2")), c_1="", c_2="",
    )  # fmt: skip
    assert resolved(poms) == ["a:1", "b:1", "c:1", "root:1"]


def test_an_imported_bom_manages_what_the_pom_itself_leaves_open():
    bom = dep("bom", "1", "<type>pom</type><scope>import</scope>")
    poms = Poms(
        root_1=managed(bom, dep("a", "1")) + deps(dep("a"), dep("b")),
        bom_1=managed(dep("a", "9"), dep("b", "2")), a_1="", b_2="",
    )  # fmt: skip
    assert resolved(poms) == ["a:1", "b:2", "root:1"]


def test_the_first_of_two_boms_wins():
    boms = [dep(name, "1", "<type>pom</type><scope>import</scope>") for name in ("one", "two")]
    poms = Poms(
        root_1=managed(*boms) + deps(dep("a")), one_1=managed(dep("a", "1")),
        two_1=managed(dep("a", "2")), a_1="",
    )  # fmt: skip
    assert resolved(poms) == ["a:1", "root:1"]


def test_management_gives_scope_exclusions_and_optional_too():
    poms = Poms(
        root_1=managed(
            dep("a", "1", exclusion("x")), dep("b", "1", "<scope>test</scope>"),
            dep("c", "1", "<optional>true</optional>"),
        ) + deps(dep("a"), dep("b"), dep("c")),
        a_1=deps(dep("x", "1")),
    )  # fmt: skip
    assert resolved(poms) == ["a:1", "root:1"]


def test_management_of_a_dependency_does_not_reach_its_dependencies():
    poms = Poms(
        root_1=deps(dep("a", "1")), a_1=managed(dep("c", "9")) + deps(dep("b", "1")),
        b_1=deps(dep("c", "1")), c_1="",
    )  # fmt: skip
    assert "c:1" in resolved(poms)


def test_classifiers_are_things_of_their_own():
    natives = dep("a", "1", "<classifier>linux</classifier>")
    poms = Poms(root_1=deps(dep("a", "1"), natives), a_1="")
    assert resolved(poms) == ["a:1", "a:linux:1", "root:1"]


def test_a_pom_that_moved_is_followed():
    moved = (
        "<distributionManagement><relocation><artifactId>new</artifactId></relocation>"
        "</distributionManagement>"
    )
    poms = Poms(root_1=deps(dep("old", "1")), old_1=moved, new_1="")
    assert resolved(poms) == ["new:1", "root:1"]


def test_a_pom_dependency_brings_its_own_but_no_file():
    poms = Poms(root_1=deps(dep("set", "1", "<type>pom</type>")), set_1=deps(dep("a", "1")), a_1="")
    assert resolved(poms) == ["a:1", "root:1"]


def test_a_circle_ends():
    poms = Poms(root_1=deps(dep("a", "1")), a_1=deps(dep("root", "1")))
    assert resolved(poms) == ["a:1", "root:1"]


def test_an_exact_range_is_a_version():
    assert "a:1" in resolved(Poms(root_1=deps(dep("a", "[1]")), a_1=""))


@pytest.mark.parametrize("version", ["[1,2)", "(,1]", "${unknown}", ""])
def test_what_is_not_one_version_is_refused_with_the_way_to_it(version: str):
    poms = Poms(root_1=deps(dep("a", "1")), a_1=deps(dep("b", version)))
    with pytest.raises(PermanentFault, match="cannot resolve g:b, wanted by g:root:1 -> g:a:1"):
        resolved(poms)


def test_parents_in_a_circle_are_refused():
    poms = Poms(root_1=parent("up"), up_1=parent("up"))
    with pytest.raises(PermanentFault, match="parents"):
        resolved(poms)


def test_boms_in_a_circle_are_refused():
    bom = dep("bom", "1", "<type>pom</type><scope>import</scope>")
    with pytest.raises(PermanentFault, match="imports itself"):
        resolved(Poms(root_1=managed(bom), bom_1=managed(bom)))


def test_broken_and_hostile_texts_are_refused():
    class Text:
        def __init__(self, text: str) -> None:
            self.text = text

        def pom_text(self, coordinate: Coordinate) -> str:
            return self.text

    for text in ("<project>", "", '<!DOCTYPE p [<!ENTITY a "aaaa">]><project>&a;</project>'):
        with pytest.raises(PermanentFault, match="cannot read the POM of g:root:1"):
            resolve([Coordinate("g", "root", "1")], Text(text))
