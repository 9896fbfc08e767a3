"""Readable text from what a till prints: `FRZN BRD STICK/PORTON` becomes Frozen Breaded ...

Rules and abbreviations of retail in general; what one data set calls its goods is in its own file.
"""

from __future__ import annotations

import re

SMALL_WORDS = frozenset(
    {"a", "an", "and", "as", "at", "by", "for", "from", "in", "less", "no", "not", "of", "on"}
    | {"or", "over", "per", "the", "to", "with"}
)

# The commonest abbreviations on shelves and receipts.
WORDS: dict[str, str] = {
    "ACCESS": "Accessories",
    "ACCESSIORES": "Accessories",
    "ACCSS": "Accessories",
    "ASST": "Assorted",
    "BAKD": "Baked",
    "BBQ": "BBQ",
    "BEV": "Beverage",
    "BEVS": "Beverages",
    "BF": "Beef",
    "BG": "Bag",
    "BKD": "Baked",
    "BN": "Bean",
    "BRD": "Breaded",
    "BRKFST": "Breakfast",
    "BTL": "Bottle",
    "BTLS": "Bottles",
    "BTR": "Butter",
    "BXD": "Boxed",
    "CARB": "Carbonated",
    "CATFD": "Cat Food",
    "CD": "CD",
    "CHIX": "Chicken",
    "CHKN": "Chicken",
    "CHOC": "Chocolate",
    "CHS": "Cheese",
    "CKE": "Cake",
    "CKYS": "Cookies",
    "CLEANG": "Cleaning",
    "CND": "Canned",
    "CNDLES": "Candles",
    "CNDY": "Candy",
    "CNTRL": "Control",
    "COFF": "Coffee",
    "CONC": "Concentrate",
    "CONTAINR": "Container",
    "CRKR": "Crackers",
    "CRM": "Cream",
    "CRMD": "Creamed",
    "CRYSTL": "Crystal",
    "DAN": "Danish",
    "DECAF": "Decaf",
    "DEOD": "Deodorant",
    "DL": "Diet",
    "DNR": "Dinner",
    "DNRS": "Dinners",
    "DOGFD": "Dog Food",
    "DPS": "Dips",
    "DRNK": "Drink",
    "DRNKING": "Drinking",
    "DRNKNG": "Drinking",
    "DRNKS": "Drinks",
    "DRSNG": "Dressing",
    "DSH": "Dish",
    "DVD": "DVD",
    "DZ": "Dozen",
    "ELSTC": "Elastic",
    "ETC": "etc.",
    "FD": "Food",
    "FDS": "Foods",
    "FEM": "Feminine",
    "FLVR": "Flavored",
    "FLVRD": "Flavored",
    "FRD": "Fried",
    "FRE": "Fresh",
    "FRSH": "Fresh",
    "FRZ": "Frozen",
    "FRZN": "Frozen",
    "FS": "French-Style",
    "GDS": "Goods",
    "GM": "General Merchandise",
    "GNGR": "Ginger",
    "GR": "Ground",
    "GRND": "Ground",
    "HBC": "Health & Beauty",
    "HYGN": "Hygiene",
    "INCL": "Including",
    "INGRED": "Ingredients",
    "IQF": "Individually Frozen",
    "IWS": "Wrapped Singles",
    "JCE": "Juice",
    "LBS": "lb",
    "LG": "Large",
    "LIQ": "Liquid",
    "LIQS": "Liquids",
    "LT": "Light",
    "LTR": "Lighter",
    "LVG": "Living",
    "MACH": "Machine",
    "MARIN": "Marinades",
    "MED": "Medium",
    "MENS": "Men's",
    "MFG": "Manufacturer",
    "MISC": "Assorted",
    "MISCELLANEOUS": "Assorted",
    "MIXS": "Mixes",
    "MLK": "Milk",
    "MLT": "Multi",
    "MNERAL": "Mineral",
    "MNRL": "Mineral",
    "MULT": "Multi",
    "MW": "Microwave",
    "MX": "Mix",
    "MXS": "Mixes",
    "NAT": "Natural",
    "NDAIRY": "Non-Dairy",
    "NZ": "New Zealand",
    "ORG": "Organic",
    "OTC": "Over-the-Counter",
    "PAC": "Pack",
    "PK": "Pack",
    "PKG": "Pack",
    "PKGD": "Packaged",
    "PKLD": "Pickled",
    "PLSTC": "Plastic",
    "PNCH": "Punch",
    "PNT": "Peanut",
    "PPK": "Prepacked",
    "PREM": "Premium",
    "PREP": "Prepared",
    "PREPORTND": "Portioned",
    "PRESLC": "Sliced",
    "PROD": "Product",
    "PRPCK": "Prepacked",
    "PRSLC": "Sliced",
    "PTTY": "Patty",
    "PWDR": "Powder",
    "PWDRS": "Powders",
    "QSR": "Quick Service",
    "REFRGRATD": "Refrigerated",
    "REFRIG": "Refrigerated",
    "REG": "Regular",
    "RETL": "Retail",
    "RTD": "Ready-to-Drink",
    "RTS": "Ready-to-Serve",
    "SAL": "Salad",
    "SALD": "Salad",
    "SAUS": "Sausage",
    "SCE": "Sauce",
    "SECT": "Sections",
    "SFT": "Soft",
    "SHLFSH": "Shellfish",
    "SGL": "Single",
    "SHERBTS": "Sherbets",
    "SMI": "Semi",
    "SNDWCH": "Sandwich",
    "SNGL": "Single",
    "SNKS": "Snacks",
    "SOD": "Soda",
    "SPEC": "Specialty",
    "SPECILATY": "Specialty",
    "SPF": "SPF",
    "SPLY": "Supplies",
    "SPRD": "Spread",
    "SRV": "Serve",
    "SS": "Single-Serve",
    "STK": "Stick",
    "STKS": "Sticks",
    "SUP": "Super",
    "SUPP": "Supplement",
    "SUPPPLIES": "Supplies",
    "SUPRT": "Support",
    "SV": "Serve",
    "SW": "Sweet",
    "SWT": "Sweet",
    "SYRP": "Syrup",
    "TISS": "Tissue",
    "TORT": "Tortilla",
    "TRSH": "Trash",
    "TV": "TV",
    "VAC": "Vacuum",
    "VEG": "Vegetable",
    "VEND": "Vending",
    "W": "with",
    "WHL": "Whole",
    "WHLSM": "Wholesome",
    "WHT": "White",
    "WMNS": "Women's",
    "WOMENS": "Women's",
    "WT": "Weight",
    "WTR": "Water",
    "XPCTRNT": "Expectorant",
}

UNITS: dict[str, str] = {
    "CT": "ct",
    "CTN": "carton",
    "CU FT": "cu ft",
    "DOZ": "dozen",
    "DZ": "dozen",
    "FL OZ": "fl oz",
    "FT": "ft",
    "GA": "gal",
    "GAL": "gal",
    "GM": "g",
    "IN": "in",
    "KIT": "kit",
    "L": "L",
    "LB": "lb",
    "LD": "loads",
    "LOAD": "loads",
    "LOADS": "loads",
    "ML": "ml",
    "OZ": "oz",
    "PC": "pc",
    "PK": "pk",
    "PT": "pt",
    "QT": "qt",
    "SQ FT": "sq ft",
    "STEM": "stems",
}
_UNIT = "|".join(sorted(UNITS, key=len, reverse=True))
_AMOUNT = r"(?:\d+ \d/\d|\d/\d|\d*\.?\d+)"
_SIZE = re.compile(rf"(?:{_AMOUNT}[/ -])?{_AMOUNT} ?(?:{_UNIT})\b(?:[/ ]{_AMOUNT} ?(?:{_UNIT})\b)?")
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")


def readable_name(text: str) -> str:
    """Return shelf text as a title: abbreviations spelt out, no shouting, no clipped remarks.

    Example:
        >>> readable_name("FRZN VEGETABLE/VEG DSH")
        'Frozen Vegetable/Vegetable Dish'
        >>> readable_name("DRY DOG FOOD PREMIUM (ALPO/PUR")
        'Dry Dog Food Premium'
    """
    text = re.sub(r"\([^)]*\)?", " ", text)  # remarks for the buyer, often cut off
    text = re.sub(r"\b([A-Z]{2,}) S\b", r"\1'S", text)  # WOMEN S: the apostrophe was lost
    text = re.sub(r"\bW/\s*O\b", "WITHOUT", re.sub(r"\bN/A\b", " ", text))
    text = re.sub(r"\bW/", "W ", text)
    text = re.sub(r"\s*&\s*", " & ", text)
    text = re.sub(r"\s*:\s*|\s+-\s*|-\s+", ", ", text)
    text = re.sub(r"([A-Za-z])\.(?=\s|[A-Z]|$)", r"\1 ", text)
    text = re.sub(r"\s+", " ", text).strip(" ,-/&")
    text = re.sub(r"(?<=\w),? (ALL )?OTHER$", "", text).replace(" ,", ",")
    return _WORD.sub(lambda match: _titled(match, text), text)


def _titled(match: re.Match[str], text: str) -> str:
    word, before = match.group(), text[: match.start()].rstrip()
    known = WORDS.get(word.upper())
    opens = not before or before.endswith(",")
    if known is not None:
        return known[0].upper() + known[1:] if opens else known
    if text[match.start() - 1 : match.start()].isdigit():
        return word.lower()
    if word.lower() in SMALL_WORDS and not opens and match.end() != len(text):
        return word.lower()
    return word[0].upper() + word[1:].lower()


def readable_size(text: str) -> str:
    """Return a package size as it stands on a shelf label; empty when it tells a shopper nothing.

    Example:
        >>> readable_size("1 GA"), readable_size("L    16 OZ"), readable_size("7-11 LB RW")
        ('1 gal', '16 oz', '')
    """
    if re.search(r"\b(RW|AV)\b|X\s*\d", text):  # weighed at the counter; or measures of a thing
        return ""
    found = _SIZE.search(text.upper())
    if found is None:
        return ""
    size = re.sub(rf"(\d)({_UNIT})\b", r"\1 \2", found.group())
    size = re.sub(rf"\b({_UNIT})\b", lambda match: UNITS[match.group()], size)
    size = re.sub(r"(?<!\d)\.(?=\d)", "0.", size)
    size = re.sub(r"(\.\d*?[1-9])0+\b|\.0+\b", r"\1", size)
    return re.sub(r"\b1 (\w+?)s\b", r"1 \1", size)
