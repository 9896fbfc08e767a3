from __future__ import annotations

import doctest

import pytest

from endcap.ingest import names
from endcap.ingest.names import readable_name, readable_size


@pytest.mark.parametrize(
    ("raw", "readable"),
    [
        ("FLUID MILK WHITE ONLY", "Fluid Milk White Only"),
        ("YOGURT NOT MULTI-PACKS", "Yogurt not Multi-Packs"),
        ("FRZN BRD STICK", "Frozen Breaded Stick"),
        ("PNT BTR/JELLY/JAMS", "Peanut Butter/Jelly/Jams"),
        ("SUNTAN LOTION W/SPF", "Suntan Lotion with SPF"),
        ("COFFEE W/O SUGAR", "Coffee Without Sugar"),
        ("WOMEN S SHOES", "Women's Shoes"),
        ("CANDY BARS (SINGLES)(INCLUDING", "Candy Bars"),
        ("CHICKEN BREAST BONE IN", "Chicken Breast Bone In"),
        ("ROLLS: LESS THAN 6", "Rolls, Less Than 6"),
        ("FEM. HYGN.NAPKINS", "Feminine Hygiene Napkins"),
        ("POTATOES OTHER", "Potatoes"),
        ("OTHER", "Other"),
        ("FRD 8PC CUT", "Fried 8pc Cut"),
        ("SALT&PEPPER", "Salt & Pepper"),
        ("(EX", ""),
        ("", ""),
    ],
)
def test_names_do_not_shout(raw: str, readable: str) -> None:
    assert readable_name(raw) == readable


@pytest.mark.parametrize(
    ("raw", "readable"),
    [
        ("1 GA", "1 gal"),
        ("13.5 OZ", "13.5 oz"),
        ("0.4 OZ", "0.4 oz"),
        (".87 OZ", "0.87 oz"),
        ("5.0 OZ", "5 oz"),
        ("10 OZ", "10 oz"),
        ("1 1/8 OZ", "1 1/8 oz"),
        ("12 PK/12 OZ", "12 pk/12 oz"),
        ("(600) 4 LB", "4 lb"),
        ("711.6 SQ FT", "711.6 sq ft"),
        ("1 STEM", "1 stem"),
        ("14.5 LB AV", ""),
        ("12 X12 IN/EA", ""),
        ("CTN", ""),
        ("", ""),
    ],
)
def test_sizes_read_like_a_label(raw: str, readable: str) -> None:
    assert readable_size(raw) == readable


def test_the_examples_are_true() -> None:
    assert doctest.testmod(names).failed == 0
