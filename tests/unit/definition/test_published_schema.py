"""What is published beside the code is what the code reads.

After a change of schema.py: python tests/unit/definition/test_published_schema.py
"""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema as library
import yaml
from tests.unit.definition.packages import ECHO, SERVICE

from freehold.definition import jsonschema

REFERENCE = Path(__file__).parents[3] / "docs/reference"
PUBLISHED = {
    "service-definition.schema.json": jsonschema.published,
    "service-definition.md": jsonschema.reference_page,
}


def test_the_published_files_are_current():
    for name, made in PUBLISHED.items():
        assert (REFERENCE / name).read_text() == made(), f"run {__file__}"


def test_the_published_schema_is_one_and_accepts_what_we_accept():
    schema = json.loads(jsonschema.published())
    library.Draft202012Validator.check_schema(schema)
    validator = library.Draft202012Validator(schema)
    for text in (SERVICE, (ECHO / "service.yaml").read_text()):
        assert list(validator.iter_errors(yaml.safe_load(text))) == []
    wrong = yaml.safe_load(SERVICE.replace("category", "categori"))
    assert list(validator.iter_errors(wrong))


def test_notes_beside_the_fields_are_their_descriptions():
    schema = json.loads(jsonschema.published())
    properties = schema["$defs"]["Component"]["properties"]
    assert properties["down_at_once"]["description"] == "per group, by our own acts"
    assert "`package_files`" in jsonschema.reference_page()


if __name__ == "__main__":
    for name, made in PUBLISHED.items():
        (REFERENCE / name).write_text(made())
