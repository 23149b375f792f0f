"""Numbers and structs by the rules of the protocol, worked out by hand."""

import pytest

from graphs.thrift_compact import STRUCT, array, binary, i16, i32, i64, struct, varint


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32, "8080808010")],
)
def test_varint(number, encoded):
    assert varint(number).hex() == encoded


@pytest.mark.parametrize(
    ("number", "plain"),
    [(0, 0), (-1, 1), (1, 2), (-2, 3), (2**31 - 1, 2**32 - 2), (-(2**31), 2**32 - 1)],
)
def test_zigzag(number, plain):
    for encode in (i16, i32, i64):
        assert encode(number).data == varint(plain)


def test_text_is_counted_in_bytes():
    assert binary("ä").data == b"\x02\xc3\xa4"


@pytest.mark.parametrize("count", [0, 1, 14, 15, 300])
def test_lists(count):
    # up to 14 elements the count stands in the first byte, beside the type
    head = bytes([count << 4 | 5]) if count <= 14 else b"\xf5" + varint(count)
    assert array([i32(1)] * count, kind=5).data == head + b"\x02" * count


def test_nothing_but_structs_may_be_missing():
    assert array([], kind=STRUCT).data == b"\x0c"
    with pytest.raises(IndexError):
        array([])


def test_struct():
    # (step << 4 | type), value, ..., 0
    inner = struct({15: i64(1)})
    assert inner.data.hex() == "f602" + "00"
    assert struct({1: inner, 3: binary(b"a")}).data.hex() == "1c" + "f60200" + "28" + "0161" + "00"


@pytest.mark.parametrize("fields", [[0], [16], [2, 1], [1, 17]])
def test_fields_that_need_the_long_form(fields):
    with pytest.raises(ValueError, match=r"field \d+ cannot follow field \d+"):
        struct({number: i32(0) for number in fields})
