"""Tells columns that name a person outright: by their name, or by what stands in a sample of them.

A guess that stops a run and asks; what is then done about the column is for the policy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# Lower case, letters and digits only; alone or as the end of a longer name (customer_email).
_NAMES: dict[str, tuple[str, ...]] = {
    "e-mail addresses": ("email", "emailaddress", "mailaddress", "emails"),
    "telephone numbers": (
        *("phone", "phonenumber", "phoneno", "telephone", "mobilenumber", "mobilephone"),
        *("cellphone", "faxnumber", "msisdn", "whatsapp"),
    ),
    "names of persons": (
        *("firstname", "lastname", "surname", "fullname", "givenname", "familyname", "maidenname"),
        *("middlename", "customername", "reviewername", "username", "nickname", "personname"),
    ),
    "payment card numbers": (
        *("creditcard", "cardnumber", "cardno", "ccnumber", "creditcardnumber"),
    ),
    "bank accounts": ("iban", "accountnumber", "bankaccount", "sortcode"),
    "numbers of official papers": (
        *("ssn", "socialsecurity", "socialsecuritynumber", "passport", "passportnumber"),
        *("nationalid", "taxid", "driverlicense", "driverslicense", "licenceplate"),
    ),
    "addresses of machines": ("ipaddress", "ipaddr", "macaddress", "deviceid", "idfa", "gaid"),
    "dates of birth": ("birthdate", "dateofbirth", "dob", "birthday"),
    "street addresses": ("street", "streetaddress", "homeaddress", "postaladdress", "addressline1"),
}
_WHOLE_NAMES: dict[str, tuple[str, ...]] = {
    "e-mail addresses": ("mail",),
    "telephone numbers": ("tel", "mobile", "fax", "cell"),
    "addresses of machines": ("ip",),
}

_EMAIL = re.compile(r"[^\s@,;<>\"]{1,64}@[^\s@,;<>\"]+\.[A-Za-z]{2,}")
_PHONE = re.compile(
    r"(?:\+|00)[0-9][0-9 ().\-/]{6,20}"
    r"|0[0-9 ().\-/]{8,18}"
    r"|\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4}"
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")  # 0132350882 is a book, and 0.123456789 a share
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_CARD = re.compile(r"[2-6][0-9]{11,18}")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}")
PHONE_DIGITS = range(9, 16)
CARD_DIGITS = range(13, 20)


def looks_like_identifier(column_name: str, sample: Sequence[str | None]) -> str | None:
    """Return what a column seems to hold that names a person outright, such as e-mail addresses.

    Args:
        column_name: as the file has it.
        sample: some of its values.

    Returns:
        Words for an error; None when nothing is suspicious.
    """
    return _by_name(column_name) or _by_values(sample)


def _by_name(column_name: str) -> str | None:
    plain = re.sub(r"[^a-z0-9]", "", column_name.lower())
    for what, names in _NAMES.items():
        if plain.endswith(names):
            return what
    for what, names in _WHOLE_NAMES.items():
        if plain in names:
            return what
    return None


def _by_values(sample: Sequence[str | None]) -> str | None:
    values = [value.strip() for value in sample if value and value.strip()]
    for what, is_one, least_share in _TESTS:
        n_found = sum(map(is_one, values))
        if n_found and n_found >= least_share * len(values):
            return what
    return None


def is_email(text: str) -> bool:
    """Return whether the text is an e-mail address."""
    return _EMAIL.fullmatch(text) is not None


def is_phone(text: str) -> bool:
    """Return whether the text is written as a telephone number; a mere number is none."""
    n_digits = sum(letter.isdigit() for letter in text)
    is_written_so = _PHONE.fullmatch(text) is not None and _NUMBER.fullmatch(text) is None
    return n_digits in PHONE_DIGITS and is_written_so


def is_card(text: str) -> bool:
    """Return whether the text has the form and the check digit of a payment card number.

    Source: ISO/IEC 7812-1, the Luhn formula.
    """
    plain = re.sub(r"[ -]", "", text)
    if len(plain) not in CARD_DIGITS or _CARD.fullmatch(plain) is None:
        return False
    total = 0
    for place, digit in enumerate(reversed(plain)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """Return whether the text has the form and the check digits of an IBAN.

    Source: ISO 13616; the remainder by 97 is 1.
    """
    plain = re.sub(r"\s", "", text).upper()
    if _IBAN.fullmatch(plain) is None:
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def is_ip_address(text: str) -> bool:
    """Return whether the text is an IPv4 address."""
    return _IPV4.fullmatch(text) is not None


# Of random numbers of the right length one in ten passes for a card, so many must; nothing passes
# for an e-mail address or an IBAN by chance, so few suffice.
_TESTS: tuple[tuple[str, Callable[[str], bool], float], ...] = (
    ("e-mail addresses", is_email, 0.01),
    ("bank accounts", is_iban, 0.01),
    ("payment card numbers", is_card, 0.5),
    ("telephone numbers", is_phone, 0.3),
    ("addresses of machines", is_ip_address, 0.3),
)
