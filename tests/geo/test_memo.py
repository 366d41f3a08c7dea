import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpcflow.geo.memo import Memo

_NUMBERS = st.one_of(st.integers(0, 20), st.integers(0, 2**64 - 1))
_BATCHES = st.lists(st.lists(st.tuples(_NUMBERS, _NUMBERS), max_size=40), max_size=6)


def columns(keys, width=2):
    return tuple(np.array([key[i] for key in keys], np.uint64) for i in range(width))


@given(_BATCHES)
def test_each_key_keeps_the_number_found_for_it_first(batches):
    memo, found = Memo(2), {}

    for keys in batches:

        def find(first, keys=keys):
            for i in first.tolist():
                assert keys[i] not in found
                found[keys[i]] = len(found)
            return np.array([found[keys[i]] for i in first.tolist()], np.int32)

        values = memo.look_up(columns(keys), find)

        assert values.tolist() == [found[key] for key in keys]
        assert len(memo) == len(found)


def test_a_hundred_thousand_keys_are_found_again():
    memo = Memo(1)
    keys = np.arange(100_000, dtype=np.uint64) * np.uint64(256)

    first = [memo.look_up((part,), lambda at: at.astype(np.int32)) for part in np.split(keys, 10)]
    again = memo.look_up((keys,), pytest.fail)

    assert np.concatenate(first).tolist() == again.tolist()


def test_keys_that_hash_to_the_same_slot_are_told_apart():
    memo = Memo(1)
    # Their hashes are 0 to 499: all at the low end of 64 bits, and the slot is the high bits.
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    keys = np.array([inverse * i % 2**64 for i in range(500)], np.uint64)

    memo.look_up((keys,), lambda at: at.astype(np.int32))

    assert memo.look_up((keys,), pytest.fail).tolist() == list(range(500))


def test_nothing_is_remembered_of_a_search_that_failed():
    memo = Memo(1)
    keys = (np.array([7], np.uint64),)

    with pytest.raises(ZeroDivisionError):
        memo.look_up(keys, lambda at: 1 / 0)

    assert memo.look_up(keys, lambda at: np.array([3], np.int32)).tolist() == [3]
