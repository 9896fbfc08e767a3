from __future__ import annotations

import re

import pytest

from endcap.serving.templating import STATIC
from endcap.serving.tiles import ICONS, N_HUES, tile_of


def tile(item_id="i", *, department=None, category=None, name=None):
    return tile_of(item_id, department=department, category=category, name=name)


@pytest.mark.parametrize(
    ("category", "icon"),
    [
        ("Fluid Milk Products", "milk"),
        ("FRZN MEAT/MEAT DINNERS", "flake"),
        ("Baked Bread/Buns/Rolls", "bread"),
        ("Soft Drinks", "bottle"),
        ("Hot Dogs", "steak"),
        ("Dog Foods", "paw"),
        ("Bath Tissues", "roll"),
        ("Greeting Cards/Wrap/Party Sply", "gift"),
        ("Headphones", "plug"),
        ("Cheeses", "cheese"),
    ],
)
def test_the_icon_follows_the_words(category, icon):
    assert tile(category=category).icon == icon


def test_the_most_telling_text_comes_first():
    assert tile(department="Grocery", category="Soup", name="Bread soup").icon == "can"
    assert tile(department="Grocery", name="Rye bread").icon == "bread"
    assert tile(department="Grocery").icon == "box"


@pytest.mark.parametrize(
    ("category", "name", "icon"),
    [
        ("Tropical fruit", "Bananas", "banana"),
        ("Tropical fruit", "Mangoes", "apple"),
        ("Citrus", "Lemons", "citrus"),
        ("Frozen", "Ice Cream, Premium", "cone"),
        ("Frozen vegetables", "Peas", "flake"),
        ("Chicken", None, "drumstick"),
        ("Yogurt", "Banana Yogurt", "milk"),
    ],
)
def test_a_closer_look_replaces_a_general_icon(category, name, icon):
    assert tile(category=category, name=name).icon == icon


def test_without_any_word_there_is_a_bag():
    assert tile().icon == "bag"
    assert tile(department="Zyx", category="", name="B00004Z5M1").icon == "bag"


def test_a_word_matches_only_where_a_word_begins():
    assert tile(category="Steamer").icon != "cup"  # holds "tea"


def test_the_same_item_always_looks_the_same_and_neighbours_differ():
    assert tile("a", category="Soup") == tile("a", category="Soup")
    looks = {tile(f"item-{number}", category="Soup") for number in range(50)}
    assert len(looks) > 40
    assert len({(look.icon, look.hue) for look in looks}) == 1


def test_every_icon_is_drawn_and_every_colour_exists():
    drawn = set(re.findall(r'<symbol id="(\w+)"', (STATIC / "icons.svg").read_text()))
    assert drawn >= ICONS | {"eye", "cart", "check", "left", "right", "shop"}
    styles = (STATIC / "shop.css").read_text()
    for hue in range(N_HUES):
        assert styles.count(f".hue-{hue} ") == 2  # light and dark
    hues = {tile(f"{n}", category=f"c{n}").hue for n in range(200)}
    assert hues == set(range(N_HUES))
