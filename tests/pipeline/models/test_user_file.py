import sys

import pytest
from torch import nn

from graphs.errors import ModelError
from pipeline.models.user_file import build_from_file

GOOD = """
from dataclasses import dataclass
from torch import nn

@dataclass
class Config:
    width: int = 3

def net():
    return nn.Linear(Config().width, 2)

def number():
    return 7
"""


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="model.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def test_the_factory_is_called(write):
    model = build_from_file(f"{write(GOOD)}:net")
    assert isinstance(model, nn.Linear)
    assert model.in_features == 3


def test_a_file_may_be_called_like_a_module_and_is_read_anew(write):
    before = sys.modules["json"]
    path = write("from torch import nn\ndef net(): return nn.Linear(1, 1)\n", "json.py")
    assert build_from_file(f"{path}:net").out_features == 1
    path.write_text("from torch import nn\ndef net(): return nn.Linear(1, 22)\n")
    assert build_from_file(f"{path}:net").out_features == 22
    assert sys.modules["json"] is before


def test_a_neighbour_can_be_imported_and_the_path_is_restored(write):
    write("WIDTH = 5\n", "sizes_of_my_network.py")
    path = write(
        "from torch import nn\nfrom sizes_of_my_network import WIDTH\n"
        "def net(): return nn.Linear(WIDTH, 1)\n"
    )
    before = list(sys.path)
    assert build_from_file(f"{path}:net").in_features == 5
    assert sys.path == before


@pytest.mark.parametrize(
    ("text", "factory", "message"),
    [
        ("import torch\nx = 1 / 0\n", "net", r"model\.py line 2: ZeroDivisionError: division by"),
        ("def net(:\n", "net", r"model\.py line 1: SyntaxError: .*; mend the file"),
        ("import no_such_module_at_all\n", "net", r"line 1: ModuleNotFoundError: No module"),
        ("import sys\nsys.exit(3)\n", "net", r"line 2: SystemExit: 3"),
        (GOOD, "nett", r"model\.py defines no 'nett'; it defines net"),
        (GOOD, "Konfig", r"model\.py defines no 'Konfig'; it defines Config"),
        ("net = 3\n", "net", r"defines no 'net'; it defines no function"),
        (GOOD, "number", r"returned int, not a torch\.nn\.Module; let the factory"),
        ("def net(width): pass\n", "net", r"TypeError: net\(\) missing 1 required positional"),
        (
            "from torch import nn\n\ndef net():\n    return nn.Linear(-1, 2)\n",
            "net",
            r"model\.py line 4: RuntimeError: Trying to create tensor with negative dimension",
        ),
    ],
)
def test_errors_are_one_line(write, text, factory, message):
    path = write(text)
    with pytest.raises(ModelError, match=message) as error:
        build_from_file(f"{path}:{factory}")
    assert "\n" not in str(error.value)


def test_missing_file():
    with pytest.raises(ModelError, match=r"model file none\.py does not exist; give path/file\.py"):
        build_from_file("none.py:net")
