"""The drawn picture of an item without a photograph: an icon, a colour, and its own pattern.

Chosen from the words that the catalogue has; drawn by `templates/_tile.html` and `shop.css`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

N_HUES = 12
N_PATTERNS = 5

# The first line with a word that the text has wins. A word matches the beginning of one in the
# text; an underscore is a space.
_WORDS = """
steak: hot_dog
paw: pet dog cat puppy kitten aquarium bird
flake: frozen frzn ice
baby: baby infant diaper toddler
fish: fish seafood salmon tuna shrimp crab sushi cod
can: canned soup beans broth shelf_stable
cheese: cheese cheddar mozzarella parmesan
milk: milk dairy yogurt yoghurt cream butter margarine kefir
egg: egg
cup: coffee tea cocoa espresso mug cups
wine: wine liquor spirits cocktail vodka whiskey rum champagne
mug: beer ale lager malt
roll: paper tissue bath_tissue facial_tiss towel napkin foil fd_wraps trash
bottle: drink soda juice water cola beverage oil vinegar dressing sauce condiment ketchup syrup
sweet: candy chocolate gum sweet cookie biscuit dessert jelly honey sugar jam
snack: snack chip popcorn cracker pretzel nut
bread: bread bun roll bagel loaf loaves toast pastry bakery cake pie donut muffin dough baking
steak: meat beef pork steak lamb chicken turkey poultry sausage bacon ham deli lunchmeat smoked
apple: fruit apple orange citrus grape melon cherry peach pear mango plum tomato
berry: berry berries strawberr raspberr
leaf: salad lettuce herb spinach greens organic cabbage kale spice seasoning
carrot: vegetable carrot root potato onion pepper corn broccoli mushroom squash produce
bowl: cereal pasta noodle rice oat grain breakfast dinner meal bowl restaurant sandwich prepared
pill: vitamin pharmac analgesic cold antacid laxative medic health first_aid sinus allergy diet
lipstick: makeup cosmetic beauty lipstick mascara nail fragrance perfume
pump: hair shampoo soap bath shav deodorant lotion skin hygiene oral tooth suntan face facial body
spray: clean detergent laundry dishwash household air_care bleach insect
gift: gift toy game party card greeting seasonal christmas halloween easter valentine candle
flower: flor flower plant garden seed soil rose pots bouquet
book: book magazine news stationery school office paperback
plug: electr audio video camera phone computer laptop cable charger batter speaker headphone
plug: usb tv film memory drive adapter monitor keyboard
shirt: apparel cloth shirt hosiery sock shoe fashion dress jewel watch
pan: kitchen cook pan knife knives gadget houseware utensil dish
tool: hardware tool automotive auto repair fuel
box: grocery mix package packaged boxed drug nutrition miscellaneous
"""


def _read_words() -> tuple[tuple[str, re.Pattern[str]], ...]:
    lines = [line.partition(": ") for line in _WORDS.strip().splitlines()]
    return tuple(
        (icon, re.compile(rf"\b(?:{'|'.join(words.split()).replace('_', ' ')})", re.IGNORECASE))
        for icon, _, words in lines
    )


_PATTERNS = _read_words()
FALLBACK_ICON = "bag"
ICONS = frozenset({FALLBACK_ICON, *(icon for icon, _ in _PATTERNS)})
"""Every symbol that `static/icons.svg` must have, besides those of the page itself."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What to draw.

    icon: a symbol of `static/icons.svg`.
    hue: which of the colours, 0 to 11; the same for all of one department.
    pattern: which of the patterns behind the icon, 0 to 4.
    x, y: where the pattern lies, 0 to 100; turn: degrees, -12 to 12.
    """

    icon: str
    hue: int
    pattern: int
    x: int
    y: int
    turn: int


@lru_cache(maxsize=50_000)
def tile_of(
    item_id: str, *, department: str | None, category: str | None, name: str | None
) -> Tile:
    """Return the tile of an item: always the same for the same words and id."""
    own = hashlib.blake2b(item_id.encode(), digest_size=5).digest()
    group = hashlib.blake2b((department or category or "").encode(), digest_size=1).digest()
    return Tile(
        icon=_icon(category, name, department),
        hue=group[0] % N_HUES,
        pattern=own[0] % N_PATTERNS,
        x=own[1] * 100 // 255,
        y=own[2] * 100 // 255,
        turn=own[3] % 25 - 12,
    )


def _icon(*texts: str | None) -> str:
    """Return the icon of the first text that has a word for one; the most telling text first."""
    for text in texts:
        if not text:
            continue
        for icon, pattern in _PATTERNS:
            if pattern.search(text):
                return icon
    return FALLBACK_ICON
