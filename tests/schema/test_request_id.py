from hypothesis import given
from hypothesis import strategies as st

from endcap.schema.request_id import first_request_id, new_request_id

times_ms = st.integers(0, 2**48 - 1)


@given(times_ms, times_ms)
def test_text_order_is_time_order(one_ms, other_ms):
    one, other = new_request_id(one_ms), new_request_id(other_ms)
    if one_ms != other_ms:
        assert (one < other) == (one_ms < other_ms)
    assert (one < first_request_id(other_ms)) == (one_ms < other_ms)


def test_ids_of_one_moment_differ_and_have_one_length():
    ids = {new_request_id(5) for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(request_id) for request_id in ids} == {32}


def test_before_all_time_everything_comes_later():
    assert first_request_id(-7) <= new_request_id(0)
