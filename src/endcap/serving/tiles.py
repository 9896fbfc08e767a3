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

# An icon, the colours that suit it, and words. The first line with a word that the text has wins.
# A word matches the beginning of one in the text; an underscore is a space.
_WORDS = """
steak 0 11: hot_dog
sweet 10 11 9: peanut_butter jam pudding
paw 1 9: pet dog cat puppy kitten aquarium bird
flake 7 8: frozen frzn ice
baby 11 10: baby infant diaper toddler
fish 6 7: fish seafood salmon tuna shrimp crab sushi cod
can 0 1 5: canned soup beans broth shelf_stable pickle olive
cheese 2 1: cheese cheddar mozzarella parmesan
milk 7 8: milk dairy yogurt yoghurt cream butter margarine kefir
egg 2 1: egg
cup 1 0: coffee tea cocoa espresso mug cups
wine 11 10: wine liquor spirits cocktail vodka whiskey rum champagne
mug 2 1: beer ale lager malt
roll 8 7: paper tissue bath_tissue facial_tiss towel napkin foil fd_wraps trash
bottle 7 6 5: drink soda juice water cola beverage oil vinegar dressing sauce condiment ketchup
bottle 7 6 5: syrup
sweet 10 11 9: candy chocolate gum sweet cookie biscuit dessert jelly honey sugar jam
snack 1 2 0: snack chip popcorn cracker pretzel nut
bread 1 2: bread bun roll bagel loaf loaves toast pastry bakery cake pie donut muffin dough baking
steak 0 11: meat beef pork steak lamb chicken turkey poultry sausage bacon ham deli lunchmeat
steak 0 11: smoked
apple 0 4 11: fruit apple orange citrus grape melon cherry peach pear mango plum tomato
berry 11 10: berry berries strawberr raspberr
leaf 4 3 5: salad lettuce herb spinach greens organic cabbage kale spice seasoning
carrot 1 3 4: vegetable carrot root potato onion pepper corn broccoli mushroom squash produce
bowl 2 1 5: cereal pasta oatmeal noodle rice oat grain breakfast dinner meal bowl restaurant
bowl 2 1 5: sandwich prepared
pill 8 6: vitamin pharmac analgesic cold antacid laxative medic health first_aid sinus allergy
pill 8 6: diet
lipstick 11 10: makeup cosmetic beauty lipstick mascara nail fragrance perfume
pump 6 9 10: hair dental sun_care shampoo soap bath shav deodorant lotion skin hygiene oral tooth
pump 6 9 10: suntan face facial body
spray 6 8: clean broom mop sponge detergent laundry dishwash household air_care bleach insect
gift 9 0 10: gift balloon toy game party card greeting seasonal christmas halloween easter
gift 9 0 10: valentine candle
flower 10 4 11: flor flower plant garden seed soil rose pots bouquet
book 8 9: book magazine news stationery school office paperback
plug 8 7 9: electr audio video camera phone computer laptop cable charger batter speaker headphone
plug 8 7 9: usb tv film memory drive adapter monitor keyboard
shirt 9 7: apparel cloth shirt hosiery sock shoe fashion dress jewel watch
pan 0 6 8: kitchen cook pans frying knife knives gadget houseware utensil dish
tool 8 2: charcoal car_care hardware tool automotive auto repair fuel
box 1 5 8 9: grocery pantry world_food mix package packaged boxed drug nutrition miscellaneous
"""
# A closer look for an icon that stands for many things: the first line with that icon before the
# ">", and a word that any of the texts has, replaces it.
_CLOSER_WORDS = """
apple>citrus 2 1 4: citrus grapefruit lemon lime orange clementine tangerine
apple>banana 2: banana plantain
apple>grapes 9 4: grape
apple>tomato 0 11: tomato
apple>berry 11 10: berries strawberr
carrot>tomato 0: tomato
carrot>potato 1 2: potato yam
carrot>broccoli 4 3: broccoli cauliflower
flake>flake 7 8: burrito appetizer egg_roll
flake>pizza 0 1: pizza
flake>cone 11 10 7: ice_cream sherbet ice_pop novelt
sweet>cookie 1 2: cookie biscuit
sweet>cake 11 10: cake cupcake
bread>cake 11 10: cake cupcake pie
steak>drumstick 1 0: chicken turkey poultry wing
pump>tooth 6 7: dental oral tooth mouthwash floss
shirt>sock 9 8: sock hosiery
"""


@dataclass(frozen=True, slots=True)
class _Drawing:
    icon: str
    hues: tuple[int, ...]
    words: re.Pattern[str]
    instead_of: str = ""


def _read_words(table: str) -> tuple[_Drawing, ...]:
    drawings = []
    for line in table.strip().splitlines():
        head, _, words = line.partition(": ")
        icons, *hues = head.split()
        *coarser, icon = icons.split(">")
        pattern = rf"\b(?:{'|'.join(words.split()).replace('_', ' ')})"
        drawings.append(
            _Drawing(
                icon=icon,
                hues=tuple(map(int, hues)),
                words=re.compile(pattern, re.IGNORECASE),
                instead_of="".join(coarser),
            )
        )
    return tuple(drawings)


_DRAWINGS = _read_words(_WORDS)
_CLOSER = _read_words(_CLOSER_WORDS)
_FALLBACK = _Drawing("bag", tuple(range(N_HUES)), re.compile(""))
ICONS = frozenset(drawing.icon for drawing in (_FALLBACK, *_DRAWINGS, *_CLOSER))
"""Every symbol that `static/icons.svg` must have, besides those of the page itself."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What to draw.

    icon: a symbol of `static/icons.svg`.
    hue: which of the colours, 0 to 11; the same for all of one category.
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
    group = hashlib.blake2b((category or department or "").encode(), digest_size=1).digest()
    drawing = _drawing(category, name, department)
    return Tile(
        icon=drawing.icon,
        hue=drawing.hues[group[0] % len(drawing.hues)],
        pattern=own[0] % N_PATTERNS,
        x=own[1] * 100 // 255,
        y=own[2] * 100 // 255,
        turn=own[3] % 25 - 12,
    )


def _drawing(*texts: str | None) -> _Drawing:
    """Return what suits the first text that has a word for it; the most telling text first."""
    known = [text for text in texts if text]
    for text in known:
        for drawing in _DRAWINGS:
            if drawing.words.search(text):
                return _closer(drawing, known)
    return _FALLBACK


def _closer(drawing: _Drawing, texts: list[str]) -> _Drawing:
    for closer in _CLOSER:
        if closer.instead_of == drawing.icon and any(map(closer.words.search, texts)):
            return closer
    return drawing
