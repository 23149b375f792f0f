import pytest

from graphs.errors import DataError
from pipeline.studies.attacks.options import RANGES, USED, Attacking, check_attacking


def test_the_defaults_are_possible_and_all_numbers_are_checked_and_used():
    check_attacking(Attacking(), k=3)
    numbers = {name for name in vars(Attacking()) if name != "attacks"}
    assert set(RANGES) == numbers
    assert {name for names in USED.values() for name in names} == numbers - {
        "successes", "time_limit",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"attacks": "fgsm,deepfool"}, "attack 'deepfool' is unknown; choose fgsm, pgd"),
        ({"attacks": " , "}, "--attacks names no attack"),
        ({"successes": 1}, "--successes 1 is not possible; give 2 or more"),
        ({"successes": 3}, "k=3 needs at least 4 images, --successes wants 3"),
        ({"time_limit": 0}, "--time-limit 0 is not possible; give more than 0"),
        ({"time_limit": float("nan")}, "--time-limit nan is not possible"),
        ({"eps": 1.5}, "--eps 1.5 is not possible; give more than 0, at most 1"),
        ({"eps": 0}, "--eps 0 is not possible"),
        ({"iterations": 0}, "--iterations 0 is not possible; give 1 or more"),
        ({"step": -0.1}, "--step -0.1 is not possible"),
        ({"theta": 2}, "--theta 2 is not possible; give -1 or more, at most 1"),
        ({"theta": 0}, "--theta 0 changes nothing"),
        ({"gamma": 0}, "--gamma 0 is not possible"),
        ({"confidence": -1}, "--confidence -1 is not possible"),
        ({"learning_rate": 0}, "--learning-rate 0 is not possible"),
        ({"searches": 0}, "--searches 0 is not possible"),
        ({"cw_iterations": 0}, "--cw-iterations 0 is not possible"),
        ({"initial_const": 0}, "--initial-const 0 is not possible"),
        ({"pixels": 0}, "--pixels 0 is not possible"),
        ({"generations": 0}, "--generations 0 is not possible"),
        ({"p": 0}, "--p 0 is not possible"),
        ({"r": 2.5}, "--r 2.5 is not possible; give 0 or more, at most 2"),
        ({"d": -1}, "--d -1 is not possible"),
        ({"t": 0}, "--t 0 is not possible"),
        ({"rounds": 0}, "--rounds 0 is not possible"),
    ],
)
def test_what_makes_no_sense(options, said):
    with pytest.raises(DataError) as raised:
        check_attacking(Attacking(**options), k=3)
    assert said in str(raised.value)
