"""Expressions of a study file: exact arithmetic, and a sentence for whatever is not allowed."""

from fractions import Fraction

import pytest

from mcbrain.asking.expressions import expression
from mcbrain.errors import InputError

NAMES = ("n_task", "n_brain", "misalignment")
AT = {"n_task": 100, "n_brain": 29, "misalignment": Fraction("0.1")}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * n_task", 200),
        ("-n_task + +n_brain", -71),
        ("0.29 * n_task", 29),  # 28.999999999999996 in floating-point numbers
        ("3 * misalignment", Fraction(3, 10)),
        ("n_task / 8", Fraction(25, 2)),
        ("n_task // 8", 12),
        ("n_task ** 2 - 2 ** -1", Fraction(19999, 2)),
        ("n_task ** 0.5", 10),
        ("min(n_task, 30, n_brain) + max(1, 2)", 31),
        ("1e3", 1000),
    ],
)
def test_numbers_are_exact(text, value):
    assert expression("key", text, "number", NAMES).value(AT) == value


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("n_brain <= 0.29 * n_task", True),
        ("n_brain < 0.29 * n_task", False),
        ("n_brain == 29 and n_task != 100", False),
        ("n_brain == 29 or n_task / 0 > 1", True),  # what decides is enough
        ("not (n_task > 100)", True),
        ("10 <= n_brain < n_task", True),
        ("10 <= n_brain < 20", False),
        ("misalignment * 10 == 1", True),
    ],
)
def test_conditions(text, holds):
    assert bool(expression("key", text, "condition", NAMES).value(AT)) is holds


def test_the_names_of_an_expression_are_those_in_it():
    found = expression("key", "max(n_task, 2) + misalignment", "number", NAMES)
    assert found.names == ("misalignment", "n_task")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("__import__('os')", "number", "\"__import__('os')\" is not allowed; numbers, the names"),
        ("n_task.real", "number", "'n_task.real' is not allowed"),
        ("n_task % 2", "number", "'n_task % 2' is not allowed"),
        ("[n_task][0]", "number", "is not allowed"),
        ("(lambda: 1)()", "number", "is not allowed"),
        ("n_task if 1 else 2", "number", "is not allowed"),
        ("abs(n_task)", "number", "'abs(n_task)' is not allowed"),
        ("min(n_task)", "number", "'min(n_task)' is not allowed; numbers, the names n_task,"),
        ("min(*n_task, 2)", "number", "'*n_task' is not allowed"),
        ("min(1, 2, key=n_task)", "number", "is not allowed"),
        ("'5'", "number", "is not allowed"),
        ("True", "condition", "'True' is not allowed"),
        ("1e999", "number", "is not allowed"),
        ("2j", "number", "'2j' is not allowed"),
        ("n_task is 3", "condition", "'n_task is 3' is not allowed"),
        ("n_task in 3", "condition", "is not allowed"),
        ("n_tsk", "number", "'n_tsk' is no name here; did you mean 'n_task'"),
        ("n_task", "condition", "is a number; a condition such as 'n_brain <= 10 * n_task' is"),
        ("n_task < 3", "number", "is a condition; a number such as '2 * n_task' is allowed"),
        ("n_task + (n_task < 3)", "number", "'n_task < 3' is a condition where a number is needed"),
        ("n_task and n_brain", "condition", "'n_task' is a number where a condition is needed"),
        ("n_task +", "number", "cannot be read; an expression such as '2 * n_task' is allowed"),
        ("n_task; n_task", "number", "cannot be read"),
        ("n_task = 3", "condition", "cannot be read"),
        ("", "number", "cannot be read"),
        ("\0", "number", "cannot be read"),
        ("(" * 400, "number", "cannot be read"),
        ("1 +" * 200 + "1", "number", "601 characters; at most 500 are allowed"),
    ],
)
def test_what_is_not_allowed_is_refused_in_a_sentence(text, kind, words):
    with pytest.raises(InputError) as error:
        expression("[design] key", text, kind, NAMES)
    assert str(error.value).startswith("[design] key") and words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / (n_task - 100)", "divides by 0 at n_task = 100"),
        ("0 ** -1", "divides by 0"),
        ("9 ** 9 ** 9", "is too large a number"),
        ("n_task ** 64 ** 1 * n_task ** 64 ** 64", "is too large a number at n_task = 100"),
        ("1e300 ** 1.5", "is too large a number"),
        ("(-1) ** 0.5", "is no real number"),
    ],
)
def test_what_has_no_value_is_a_sentence_with_its_numbers(text, words):
    found = expression("[design] key", text, "number", NAMES)
    with pytest.raises(InputError) as error:
        found.value(AT)
    assert str(error.value) == f"[design] key = {text!r}: {words}"
