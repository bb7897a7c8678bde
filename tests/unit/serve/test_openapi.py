"""The published API is the one that is served."""

from pathlib import Path

from freehold.serve.doors import DOORS
from freehold.serve.openapi import document, published

PUBLISHED = Path(__file__).parents[3] / "docs/reference/openapi.json"


def test_the_published_document_is_current() -> None:
    assert PUBLISHED.read_text() == published(DOORS), (
        "python -m freehold.serve.openapi > docs/reference/openapi.json"
    )


def test_every_door_says_what_it_takes_gives_and_refuses() -> None:
    for path, methods in document(DOORS)["paths"].items():
        assert path.startswith("/v1/")
        for operation in methods.values():
            assert operation["summary"]
            assert {"404", "409", "422", "500", "503"} <= set(operation["responses"])


def test_no_two_doors_share_a_place() -> None:
    places = [(door.method, door.path) for door in DOORS]
    assert len(places) == len(set(places))
