"""What mcbrain knows of a plug-in before it runs it, and what it refuses."""

import pickle

import pytest

import mcbrain as mb
from mcbrain.errors import InputError
from mcbrain.plugins.kinds import KINDS
from mcbrain.plugins.loading import function_of, load_file, named, read_file

HEAD = "import numpy as np\nimport mcbrain as mb\n\n"
GOOD = (
    HEAD + '@mb.estimator(parameters={"alpha": 0.1})\n'
    "def mine(data, parameters, beta):\n    beta[:] = data.X.T @ data.y\n"
)


def source(tmp_path, text, name="mine.py"):
    path = tmp_path / name
    path.write_text(text)
    return read_file(path, name)


def load(tmp_path, text, name="mine.py"):
    return load_file(source(tmp_path, text, name))


def test_a_record_says_what_a_file_brings(tmp_path):
    (mine,) = load(tmp_path, GOOD)
    assert (mine.kind, mine.name, mine.parameters) == ("estimator", "mine", (("alpha", 0.1),))
    assert mine.compiled and mine.cost is None and mine.where == "mine.py, line 4"
    assert mine.reads == ("X", "y")
    assert mine.source.versions.startswith("numpy ") and "mcbrain" not in mine.source.versions


def test_reading_a_file_runs_nothing(tmp_path):
    source(tmp_path, "raise SystemExit\n")


def test_every_change_of_the_text_is_another_digest(tmp_path):
    first = source(tmp_path, GOOD).digest
    assert source(tmp_path, GOOD).digest == first
    assert source(tmp_path, GOOD + "# a helper\n").digest != first


def test_a_plugin_travels_by_its_text(tmp_path):
    (mine,) = load(tmp_path, GOOD)
    again = pickle.loads(pickle.dumps(mine))
    assert again == mine and hash(again) == hash(mine) and again.python is None
    assert function_of(again).__name__ == "mine"


def test_a_function_of_a_session_travels_by_value():
    @mb.estimator(compiled=False)
    def mine(data, parameters):
        return data.X.T @ data.y

    again = pickle.loads(pickle.dumps(mine))
    assert again == mine and again.python is not None


def test_a_function_that_hands_its_data_on_reads_all_of_it(tmp_path):
    text = GOOD.replace("data.X.T @ data.y", "np.sum(helper(data))")
    (mine,) = load(tmp_path, text)
    assert set(mine.reads) == {"X", "y", "X_brain", "R", "basis", "n"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def mine(:\n", "mine.py, line 1: not Python"),
        ("x = 1\n", "mine.py brings no plug-in"),
        (HEAD + "1 / 0\n", "mine.py, line 4: ZeroDivisionError"),
        ("import nowhere_at_all\n", "line 1: imports 'nowhere_at_all', which is not installed"),
        ("from . import x\n", "line 1: a relative import"),
        (GOOD.replace(", beta)", ")"), "takes (data, parameters); the form is (data, param"),
        (GOOD.replace('"alpha"', '"geometric"'), "a study writes grids by this word"),
        (GOOD.replace('"alpha"', '"two words"'), "a Python name is allowed"),
        (GOOD.replace("0.1", "float('nan')"), "line 4: alpha = nan: a finite number"),
        (GOOD.replace("0.1}", "0.1}, cost=2.0"), "only a function with compiled=False"),
        (GOOD.replace("0.1}", "0.1}, name='a b'"), "letters, digits, - and _"),
        (GOOD.replace("estimator(", "law("), "a law has compiled=False|does not run yet"),
    ],
)
def test_what_cannot_serve_is_a_sentence_with_file_and_line(tmp_path, text, said):
    with pytest.raises(InputError) as error:
        load(tmp_path, text)
    assert any(part in str(error.value) for part in said.split("|")), str(error.value)


def test_kinds_that_are_not_served_say_so(tmp_path):
    for kind in KINDS.values():
        if not kind.served:
            arguments = ", ".join(kind.takes or kind.takes_in_python)
            text = HEAD + f"@mb.{kind.name}\ndef mine({arguments}):\n    return 0\n"
            with pytest.raises(InputError, match="which mcbrain does not run yet"):
                load(tmp_path, text)


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"files: mine.py is not there"):
        read_file(tmp_path / "mine.py", "mine.py")


def test_names_that_clash_are_refused_with_file_and_line(tmp_path):
    (mine,) = load(tmp_path, GOOD)
    (other,) = load(tmp_path, GOOD + "# more\n", "other.py")
    assert named([mine, mine], {}) == {("estimator", "mine"): mine}
    with pytest.raises(InputError, match=r"mine.py, line 4: estimator 'mine' has a name of mcb"):
        named([mine], {"estimator": ["mine"]})
    with pytest.raises(InputError, match=r"other.py, line 4: .* is also in mine.py, line 4"):
        named([mine, other], {})
