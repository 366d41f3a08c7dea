"""Values of the model are made as ``dataclass`` would make them."""

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from vpcflow.inventory.model import Eni, GroupRef, Instance, PrivateAddress, SecurityGroupRule

QUICKLY_MADE = [Eni, GroupRef, Instance, PrivateAddress, SecurityGroupRule]


def slowly(cls, *values, **named):
    made = cls.__new__(cls)
    cls.__init__.__wrapped__(made, *values, **named)
    return made


@pytest.mark.parametrize("cls", QUICKLY_MADE)
def test_a_value_has_what_it_is_given_and_defaults(cls):
    names = [field.name for field in fields(cls)]

    for count in range(1, len(names) + 1):
        values = [f"value {i}" for i in range(count)]
        named = dict(zip(names, values, strict=False))
        made = cls(*values)

        assert made == cls(**named) == slowly(cls, *values)
        assert repr(made) == repr(slowly(cls, *values))
        assert hash(made) == hash(slowly(cls, *values))
        assert replace(made) == copy.copy(made) == pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize("cls", QUICKLY_MADE)
def test_a_value_stays_as_it_is(cls):
    made = cls("one")

    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(cls)[0].name, "other")


@pytest.mark.parametrize("cls", QUICKLY_MADE)
def test_what_is_missing_or_unknown_is_an_error(cls):
    with pytest.raises(TypeError, match=fields(cls)[0].name):
        cls()
    with pytest.raises(TypeError, match="unknown"):
        cls("one", unknown=1)

    assert list(inspect.signature(cls).parameters) == [field.name for field in fields(cls)]
