from tests.property.worlds import Order, wish_of
from tests.unit.engine.sights import kept, member, sight

from freehold.engine.incarnations import incarnations
from freehold.engine.observed import Retirement
from freehold.foundation.member import Phase

THREE = Order()


def numbers(order, observed):
    return incarnations(wish_of(order), observed)


def test_new_members_need_no_mention():
    assert numbers(THREE, sight()) == ({}, frozenset())


def test_what_exists_or_was_kept_stays_what_it_is():
    seen = sight(member(THREE, 0, incarnation=2), kept=(kept("db-node-1", 1),))
    assert numbers(THREE, seen)[0]["db-node-0"] == 2
    assert numbers(THREE, seen)[0]["db-node-1"] == 1


def test_volumes_that_left_or_were_replaced_are_never_used_again():
    seen = sight(
        kept=(
            kept("db-node-0", 0, Retirement.LEFT),
            kept("db-node-1", 0, Retirement.LEFT),
            kept("db-node-1", 1, Retirement.REPLACED),
        )
    )
    found, replaced = numbers(THREE, seen)
    assert (found["db-node-0"], found["db-node-1"]) == (1, 2)
    assert replaced == {"db-node-1"}


def test_a_rebuild_raises_the_incarnation_and_names_whom_it_replaces():
    order = THREE.but(rebuild={"db-node-0": 1})
    assert numbers(order, sight(member(order, 0))) == (
        {"db-node-0": 1, "db-node-1": 1, "db-node-2": 1},
        {"db-node-0", "db-node-1", "db-node-2"},
    )
    rebuilt = sight(
        *(member(order, n, incarnation=int(n == 0)) for n in range(3)),
        kept=(kept("db-node-0", 0, Retirement.REPLACED),),
    )
    assert numbers(order, rebuilt)[0] == {"db-node-0": 1, "db-node-1": 0, "db-node-2": 0}
    assert numbers(order, rebuilt)[1] == {"db-node-0"}


def test_a_fenced_member_comes_back_one_higher():
    seen = sight(*(member(THREE, n) for n in range(2)), member(THREE, 2, phase=Phase.FENCED))
    assert numbers(THREE, seen)[0]["db-node-2"] == 1


def test_a_founder_missing_in_the_first_boot_is_no_loss():
    seen = sight(member(THREE, 0, initialised=False))
    assert numbers(THREE, seen)[0] == {"db-node-0": 0}
