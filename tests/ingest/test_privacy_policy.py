import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.ingest.privacy.config import Generalise, PrivacyConfig
from endcap.ingest.privacy.identifiers import (
    is_card,
    is_email,
    is_iban,
    is_ip_address,
    is_phone,
    looks_like_identifier,
)
from endcap.ingest.privacy.policy import (
    PrivacyPolicy,
    column_key,
    policy_of,
    pseudonymise,
    refuse_identifiers,
)
from endcap.ingest.privacy.pseudonyms import BATCH
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.pseudonym import pseudonym

KEY = bytes(range(32))
COLUMNS = {
    "age": {"age_bands": 10},
    "country": "keep",
    "email": "drop",
    "card": "hash",
}


def config(**values):
    return PrivacyConfig.model_validate(values)


class TestPolicy:
    def test_nobody_said_anything(self):
        policy = policy_of(config(), default="hash")
        assert (policy.user_id, policy.is_explicit, dict(policy.columns)) == ("hash", False, {})
        assert policy_of(config(), default="keep").user_id == "keep"

    def test_the_settings_go_before_the_default_and_the_mapping_before_both(self):
        said = config(user_id="keep", columns=COLUMNS)
        assert policy_of(said, default="hash").user_id == "keep"
        mapping = {"user_id": "hash", "columns": {"age": "keep"}}
        policy = policy_of(said, mapping=mapping, default="keep")
        assert (policy.user_id, policy.is_explicit) == ("hash", True)
        assert dict(policy.columns) == {"age": "keep"}
        assert dict(policy_of(said, mapping={"user_id": "hash"}, default="keep").columns) == dict(
            said.columns
        )

    @pytest.mark.parametrize(
        ("mapping", "named"),
        [
            ({"user_id": "hsah"}, "privacy.user_id"),
            ({"id_key": KEY.hex()}, "privacy.id_key"),
            ({"columns": {"age": {"age_bands": 1}}}, "privacy.columns.age"),
        ],
    )
    def test_a_wrong_mapping_is_refused_and_the_place_named(self, mapping, named):
        with pytest.raises(SettingsError, match=named) as error:
            policy_of(config(), mapping=mapping, default="hash")
        assert KEY.hex() not in str(error.value)

    def test_a_column_that_nobody_named_never_gets_through(self):
        policy = policy_of(config(columns=COLUMNS), default="hash")
        available = ["household_id", "email", "card", "age", "country", "phone"]
        through = policy.attributes(available, where="users.csv")
        assert through == ("age", "country", "card")
        assert policy.hashed(through) == ("card",)
        assert policy_of(config(), default="hash").attributes(available, where="x") == ()

    def test_a_rule_about_no_column_is_refused(self):
        policy = policy_of(config(columns=COLUMNS), default="hash")
        with pytest.raises(SettingsError, match="for 'country', 'card', and") as error:
            policy.attributes(["age", "contry"], where="users.csv")  # email is dropped anyway
        assert "'contry'" in str(error.value)

    def test_a_policy_in_words(self):
        words = policy_of(config(columns=COLUMNS), default="hash").described()
        assert words == {
            "user_id": "hash",
            "age": "age in bands of 10 years, 65+ together",
            "country": "keep",
            "email": "drop",
            "card": "hash",
        }


class TestPseudonymise:
    @given(st.lists(st.text(min_size=1), max_size=30))
    def test_each_by_itself_and_in_order(self, ids):
        assert pseudonymise(ids, KEY) == [pseudonym(KEY, raw_id) for raw_id in ids]

    @pytest.mark.parametrize("n_bytes", [32, 64, 65, 200])
    def test_keys_of_any_length(self, n_bytes):
        key = bytes(range(n_bytes))
        assert pseudonymise(["ann", "\ud800", "b" * 500], key) == [
            pseudonym(key, raw_id) for raw_id in ("ann", "\ud800", "b" * 500)
        ]

    def test_more_than_a_batch_and_nobody(self):
        ids = [str(number) for number in range(BATCH + 3)]
        made = pseudonymise(ids, KEY)
        assert len(set(made)) == len(ids)
        assert made[-3:] == [pseudonym(KEY, raw_id) for raw_id in ids[-3:]]
        assert pseudonymise([], KEY) == []

    def test_a_short_key_is_refused(self):
        with pytest.raises(ValueError, match="32 bytes"):
            pseudonymise(["ann"], KEY[:31])

    def test_an_event_log_from_before_and_after_hashing_was_switched_on(self):
        inside = pseudonym(KEY, "ann")
        assert pseudonymise(["ann", inside], KEY, keep_pseudonyms=True) == [inside, inside]
        assert pseudonymise(["ann", inside], KEY)[1] != inside

    def test_columns_have_keys_of_their_own(self):
        assert pseudonymise(["1"], column_key(KEY, "a")) != pseudonymise(["1"], KEY)


class TestDetection:
    @pytest.mark.parametrize(
        "text", ["ann@example.org", "a.b+c@mail.example.co.uk", "ö@example.com"]
    )
    def test_emails(self, text):
        assert is_email(text)

    @pytest.mark.parametrize("text", ["ann", "@home", "a@b", "a b@example.org", "a@b@c.org"])
    def test_no_emails(self, text):
        assert not is_email(text)

    @pytest.mark.parametrize(
        "text",
        [
            *("+44 20 7946 0958", "0044 20 7946 0958", "(555) 123-4567", "555-123-4567"),
            *("+4930123456", "030/1234567", "0171 1234567", "020 7946 0958"),
        ],
    )
    def test_phones(self, text):
        assert is_phone(text)

    @pytest.mark.parametrize(
        "text",
        [
            *("0132350882", "35000-49999", "2024-01-05", "0.123456789", "123456789012", "+12"),
            *("12:30", "B00004TBQ5", "25-34", "1,234,567,890", "2011-12-09 12:50"),
        ],
    )
    def test_no_phones(self, text):
        assert not is_phone(text)

    @pytest.mark.parametrize(
        "text",
        ["4111 1111 1111 1111", "5555555555554444", "378282246310005", "6011-1111-1111-1117"],
    )
    def test_cards(self, text):
        assert is_card(text)

    @pytest.mark.parametrize(
        "text", ["4111111111111112", "411111111111", "9" * 16, "411111111111111x"]
    )
    def test_no_cards(self, text):
        assert not is_card(text)

    def test_ibans(self):
        assert is_iban("GB82 WEST 1234 5698 7654 32")
        assert is_iban("de89370400440532013000")
        assert not is_iban("GB82 WEST 1234 5698 7654 33")
        assert not is_iban("B00004TBQ5")

    def test_addresses_of_machines(self):
        assert is_ip_address("192.0.2.10")
        assert not is_ip_address("192.0.2.256")
        assert not is_ip_address("1.2.3")
        assert not is_ip_address("1.2.3.4.5")
        assert not is_ip_address("1.2.3.4.")

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "email",
                "E-Mail",
                "customer_email",
                "Phone Number",
                "mobile",
                "first_name",
                "Surname",
            ),
            *("reviewerName", "IBAN", "card_no", "ssn", "ip", "Date of Birth", "home address"),
        ],
    )
    def test_columns_by_name(self, name):
        assert looks_like_identifier(name, []) is not None

    @pytest.mark.parametrize(
        "name",
        [
            *(
                "user_id",
                "item_id",
                "asin",
                "parent_asin",
                "name",
                "title",
                "brand",
                "price",
                "zip",
            ),
            *("household_size", "age", "country", "description", "category", "sip", "membership"),
        ],
    )
    def test_columns_with_harmless_names(self, name):
        assert looks_like_identifier(name, ["7", None, ""]) is None

    def test_one_address_among_a_hundred_values_is_enough(self):
        assert looks_like_identifier("note", ["x"] * 99 + ["ann@example.org"]) is not None
        assert looks_like_identifier("note", ["x"] * 999 + ["ann@example.org"]) is None

    def test_bar_codes_and_times_are_no_cards(self):
        rng = random.Random(1)
        codes = [str(rng.randrange(4 * 10**12, 6 * 10**12)) for _ in range(500)]
        assert any(map(is_card, codes))
        assert looks_like_identifier("item_id", codes) is None
        assert looks_like_identifier("pay", [*codes[:9], *["4111111111111111"] * 10]) is not None


EMAILS = ["ann@example.org", None]


class TestRefusal:
    def test_a_column_of_addresses_is_refused_by_name_and_without_its_values(self):
        policy = policy_of(config(columns={"note": {"first": 40}}), default="hash")
        with pytest.raises(DataError, match=r"'note' seems to hold e-mail") as error:
            refuse_identifiers({"note": EMAILS}, policy, where="users.csv")
        assert 'note = "keep"' in str(error.value)
        assert "ann" not in str(error.value)

    def test_what_is_kept_on_purpose_passes(self):
        refuse_identifiers(
            {"note": EMAILS}, PrivacyPolicy("hash", {"note": "keep"}), where="users.csv"
        )

    def test_a_column_of_the_catalogue_needs_no_policy_to_be_refused(self):
        with pytest.raises(DataError, match="brand") as error:
            refuse_identifiers({"brand": EMAILS}, PrivacyPolicy("hash", {}), where="items.csv")
        assert "privacy.not_personal" in str(error.value)
        policy = policy_of(config(not_personal=["brand"]), default="hash")
        refuse_identifiers({"brand": EMAILS}, policy, where="items.csv")
        assert policy.attributes(["brand"], where="items.csv") == ()

    def test_user_ids_that_are_addresses_are_kept_only_on_purpose(self):
        sample = {"user_id": EMAILS}
        with pytest.raises(DataError, match="Hash user ids"):
            refuse_identifiers(sample, policy_of(config(), default="keep"), where="x")
        refuse_identifiers(sample, policy_of(config(user_id="keep"), default="hash"), where="x")

    def test_pseudonyms_pass_whatever_they_look_like(self):
        iban = ["gb82west12345698765432"]  # as one pseudonym in some thousands reads
        with pytest.raises(DataError, match="bank accounts"):
            refuse_identifiers({"card": iban}, PrivacyPolicy("hash", {}), where="users.csv")
        refuse_identifiers({"card": iban}, PrivacyPolicy("hash", {"card": "hash"}), where="x")

    def test_what_is_coarse_enough_passes(self):
        policy = PrivacyPolicy("hash", {"note": Generalise(first=3)})
        refuse_identifiers({"note": ["ann", "bob"]}, policy, where="users.csv")
