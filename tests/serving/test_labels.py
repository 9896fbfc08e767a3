from __future__ import annotations

import pytest

from endcap.serving.labels import Labels, price_text


@pytest.mark.parametrize(
    ("price", "currency", "text"),
    [
        (3.5, "USD", "$3.50"),
        (1234.5, "EUR", "€1,234.50"),
        (3.5, "CHF", "3.50 CHF"),
        (3.5, None, "3.50"),
        (None, "USD", ""),
        (0.0, "GBP", "£0.00"),
    ],
)
def test_a_price(price, currency, text):
    assert price_text(price, currency) == text


def test_facts_come_from_the_catalogue(bundle, shop):
    facts = Labels(bundle).facts("item-003")
    assert facts["name"] == shop.catalogue[3]["name"]
    assert facts["price"] == shop.catalogue[3]["price"]


def test_an_item_without_a_name_is_called_by_its_id(bundle):
    label = Labels(bundle).label("item-299")
    assert label.name == "item-299"
    assert label.department == ""


def test_an_item_of_no_catalogue_has_no_facts(bundle):
    labels = Labels(bundle)
    assert set(labels.facts("caviar").values()) == {None}
    assert labels.label("caviar").name == "caviar"
    assert labels.label("caviar").price == ""
