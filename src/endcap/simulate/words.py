"""The words that reviews and catalogues are made of.

Not a language model: the sentences mean nothing, only their lengths and letters are lifelike.
"""

from __future__ import annotations

_COMMON = """
the and I a to it is of this for in that my with was on but have you not as so are they be one
very just these had great if or like when at all good them use will would can has up me from out
get only we an no more well your than because about what time which too little bought used also
how after really much were product some other she there he been work easy even two first back by
then do off don't love did any got make it's I've works still who nice doesn't case price better
over am years cable need day could quality now does small recommend new using want long way
since put right battery far best few device I'm think buy sound without screen camera before
light into down charge perfect another fit most phone lot same found different size made try
should power know where go money last keep never while though said worth several working tried
looking its problem thing look old came through set enough hard take every give big something
bit find sure such ever being box their around month plug fine fits couple high unit side less
pretty picture worked available both headphones read top free always anything own many arrived
second feel turn part open left quite line review between button computer drive music full speed
inside setup either remote once almost however return wish
"""
COMMON = tuple(_COMMON.split())
"""Words of reviews, the commonest first."""

UNUSUAL = (
    *(
        '"great"',
        "café",
        "it\u2019s",
        "1080p",
        "&amp;",
        "100%",
        "\U0001f600",
        "$20",
        "w/o",
        "5'6\"",
    ),
    *(
        "(again)",
        "e-mail",
        "back\\slash",
        "naïve",
        "7:30",
        "and/or",
        "A/B",
        "24/7",
        "tab\there",
        "\n\n",
    ),
)
"""Words with marks and letters that a careless reader of JSON stumbles over."""

DEPARTMENTS: dict[str, tuple[str, ...]] = {
    "Computers & Accessories": ("Keyboard", "Mouse", "Laptop Sleeve", "Monitor Stand", "Webcam"),
    "Camera & Photo": ("Lens Cap", "Tripod", "Camera Bag", "Memory Card", "Flash"),
    "Headphones": ("Earbuds", "Headset", "Ear Pads", "Headphone Amplifier", "Over-Ear Headphones"),
    "Television & Video": ("HDMI Cable", "Wall Mount", "Remote Control", "Antenna", "Media Player"),
    "Car Electronics": ("Dash Mount", "Car Charger", "Backup Camera", "FM Transmitter", "GPS Case"),
    "Portable Audio": ("Speaker", "Radio", "MP3 Player", "Armband", "Docking Station"),
    "Power": ("Surge Protector", "USB Charger", "Battery Pack", "Extension Cord", "Adapter"),
    "Home Office": ("Label Maker", "Desk Lamp", "Paper Shredder", "Ink Cartridge", "Scanner"),
}
"""Departments and their kinds of thing."""

ADJECTIVES = (
    *("Slim", "Compact", "Wireless", "Rugged", "Universal", "Foldable", "Classic", "Heavy-Duty"),
    *("Premium", "Adjustable", "Waterproof", "Travel", "Mini", "Dual-Port", "Replacement", "Pro"),
)
TRAITS = (
    *(
        "Black",
        "White",
        "Silver",
        "3-Pack",
        '15" Edition',
        "6 ft",
        "2nd Generation",
        "(Refurbished)",
    ),
    *("Men's", "Women's", "Kids' Size", "1080p", "Café Blue", "with Case", "32GB", "Series 5"),
)

SUMMARIES: tuple[tuple[str, ...], ...] = (
    ("Don't buy", "Stopped working", "Very disappointed", "One Star", "Broke after a week", "Junk"),
    ("Not what I expected", "Two Stars", "Does not fit", "Could be better", "Meh", 'Too "fancy"'),
    ("It's okay", "Three Stars", "Decent for the price", "Average", "Mixed feelings", "OK, but…"),
    (
        "Pretty good",
        "Four Stars",
        "Good value",
        "Works well",
        "Nice, with one flaw",
        "Does the job",
    ),
    ("Five Stars", "Love it!", "Great product", "Works great", "Highly recommended", "Perfect"),
)
"""Headings of reviews with one to five stars."""

REVIEWERS = (
    *("Amazon Customer", "Customer", "A reader", "Reviewer", 'Buyer "verified"', "Kindle Customer"),
)
"""What reviewers are called: no person's name."""

_SYLLABLES = """
an ar ba be bo ca co da de di do el en er fa fi ga go ha in ja ka ki la le li lo ma me mi mo na
ne no on or pa pe po ra re ri ro sa se si so ta te ti to tri tu un va ve vi vo wa xi za zo
"""
SYLLABLES = tuple(_SYLLABLES.split())
