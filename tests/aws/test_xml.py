"""XML is written as xmltodict writes it, which moto's serialisers were made with."""

from typing import Any

import pytest
import xmltodict
from simulator.xml import Writer

DOCUMENTS: list[dict[str, Any]] = [
    {"A": {"b": "1", "c": ["x", "y"], "d": {"e": None, "f": ""}}},
    {"A": {"@xmlns": "http://s3.amazonaws.com/doc/2006-03-01/", "b": []}},
    {"A": {"@xmlns": {"xsi": "http://www.w3.org/2001/XMLSchema-instance"}, "@xsi:type": "User"}},
    {"A": {"b": {"@q": '"<&>\n', "#text": "<&>\"'"}, "c": "a\r\nb"}},
    {"A": {"b": [{"c": "1"}, {"c": "2", "d": []}, {}], "e": [None, ""]}},
    {"A": {"b": True, "c": 3, "d": 1.5, "e": b"bytes"}},
    {"A": None},
    {"A": {}},
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("is_short", [True, False])
def test_the_same_as_xmltodict(document: dict[str, Any], is_full: bool, is_short: bool) -> None:
    settings: dict[str, Any] = {"full_document": is_full, "short_empty_elements": is_short}
    assert Writer.unparse(document, **settings) == xmltodict.unparse(document, **settings)
