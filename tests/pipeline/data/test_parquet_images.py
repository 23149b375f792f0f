import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphs.errors import DataError
from pipeline.data import load_data
from pipeline.data.parquet_images import KEEP_GROUPS, ParquetSource, find_parts

REAL = os.environ.get("STRATAGRAPH_DATA", "")
needs_data = pytest.mark.skipif(not REAL, reason="needs STRATAGRAPH_DATA")
LABELS = [2, 0, 1] * 4


def test_images_and_labels(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour, LABELS)
    data = load_data("parquet", path=path)
    assert data.labels.tolist() == LABELS
    assert data.label_names == ("0", "1", "2")
    assert data.input_shape == (3, 6, 5)
    # Across row groups of five, in any order, twice the same.
    indices = [11, 0, 7, 7, 4, 5]
    assert np.array_equal(data.raw(indices), colour[indices])


def test_names_from_metadata(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour, LABELS, names=["ant", "bee", "cat", "dog"])
    assert load_data("parquet", path=path).label_names == ("ant", "bee", "cat", "dog")


def test_label_column_by_metadata(tmp_path, write_parquet, colour):
    path = tmp_path / "a.parquet"
    write_parquet(path, colour, LABELS, names=["a", "b", "c"], column="photo", label="species")
    assert load_data("parquet", path=path).labels.tolist() == LABELS


def test_string_labels(tmp_path, write_parquet, colour):
    words = [["cat", "ant", "bee"][label] for label in LABELS]
    sorted_names = load_data("parquet", path=write_parquet(tmp_path / "a.parquet", colour, words))
    assert sorted_names.label_names == ("ant", "bee", "cat")
    assert sorted_names.labels.tolist() == [1, 2, 0] * 4
    path = write_parquet(tmp_path / "b.parquet", colour, words, names=["cat", "bee", "ant"])
    # LABELS begin 2, 0, 1: the words bee, cat, ant.
    assert load_data("parquet", path=path).labels.tolist() == [1, 0, 2] * 4


def test_plain_binary_column(tmp_path, colour, png):
    table = pa.table({"image": [png(one) for one in colour], "label": LABELS})
    pq.write_table(table, tmp_path / "a.parquet")
    data = load_data("parquet", path=tmp_path / "a.parquet")
    assert np.array_equal(data.raw([3]), colour[[3]])


def test_column_names_with_dots(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour, LABELS, column="my.img")
    data = load_data("parquet", path=path)
    assert np.array_equal(data.raw([3]), colour[[3]])


def test_grey_images(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour[..., 0], LABELS)
    assert load_data("parquet", path=path).input_shape == (1, 6, 5)
    three = load_data("parquet", path=path, channels=3, normalize="imagenet")
    assert three.images([0]).shape == (1, 3, 6, 5)


@pytest.mark.parametrize(
    "layout", ["{}-0000{}-of-00002.parquet", "data/{}-{}.parquet", "{}/part{}.parquet"]
)
def test_parts_of_splits(tmp_path, write_parquet, colour, layout):
    parts = [colour[:4], colour[4:7], colour[7:9], colour[9:]]
    for number, (images, split) in enumerate(
        zip(parts, ["test", "test", "train", "train"], strict=True)
    ):
        write_parquet(tmp_path / layout.format(split, number), images, [0] * len(images))
    test = load_data("parquet", path=tmp_path, split="test")
    assert np.array_equal(test.raw(range(7)), colour[:7])
    train = load_data("parquet", path=tmp_path, split="train")
    assert np.array_equal(train.raw(range(5)), colour[7:])


def test_validation_stands_for_test(tmp_path, write_parquet, colour):
    write_parquet(tmp_path / "validation.parquet", colour, LABELS)
    write_parquet(tmp_path / "train.parquet", colour[:3], [0, 1, 2])
    assert len(load_data("parquet", path=tmp_path)) == 12
    with pytest.raises(DataError, match="has no split 'extra', it has train, validation"):
        load_data("parquet", path=tmp_path, split="extra")


def test_parts_without_split_names(tmp_path, write_parquet, colour):
    write_parquet(tmp_path / "0001.parquet", colour[5:], LABELS[5:])
    write_parquet(tmp_path / "0000.parquet", colour[:5], LABELS[:5])
    data = load_data("parquet", path=tmp_path, split="train")
    assert np.array_equal(data.raw(range(12)), colour)
    assert data.labels.tolist() == LABELS


def test_words_that_begin_like_a_split_are_no_split(tmp_path):
    for name in ("trainingnotes.parquet", "testament.parquet"):
        (tmp_path / name).touch()
    assert len(find_parts(tmp_path, split="test")) == 2


def test_large_sets_keep_few_row_groups(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour, LABELS, row_group=1)
    source = load_data("parquet", path=path).source
    assert isinstance(source, ParquetSource)
    small = ParquetSource(
        files=source.files,
        groups=source.groups,
        starts=source.starts,
        labels=source.labels,
        label_names=source.label_names,
        decoder=source.decoder,
        keep=KEEP_GROUPS,
    )
    shuffled = np.random.default_rng(0).permutation(12)
    assert np.array_equal(small.read(shuffled), colour[shuffled])
    assert len(small.cache) == KEEP_GROUPS
    assert source.keep == 12


def test_digest_is_of_the_content(tmp_path, write_parquet, colour):
    paths = [
        write_parquet(tmp_path / name, colour, labels)
        for name, labels in [("a.parquet", LABELS), ("b.parquet", LABELS), ("c.parquet", [0] * 12)]
    ]
    digests = [load_data("parquet", path=path).source.digest() for path in paths]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ([0.0, 1.0] * 6, "column label are float64 .first: 0.0., not integers"),
        ([0, -1] * 6, "label of sample 1 of .*, column label is -1: labels are not negative"),
        ([0, None] * 6, "sample 1 of .* has no label in column label"),
        ([0, 7] * 6, "has a sample of class 7 but names for 2 classes"),
        (["a", "c"] * 6, "has the label 'c', its metadata names a, b"),
    ],
)
def test_bad_labels(tmp_path, write_parquet, colour, labels, problem):
    path = write_parquet(tmp_path / "a.parquet", colour, labels, names=["a", "b"])
    with pytest.raises(DataError, match=problem):
        load_data("parquet", path=path)


def test_columns_are_listed(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour, LABELS, label="index")
    with pytest.raises(
        DataError, match=r"a.parquet has no label column, it has img \(struct\), index \(int64\)"
    ):
        load_data("parquet", path=path)
    pq.write_table(pa.table({"label": [1], "text": ["x"]}), path)
    with pytest.raises(DataError, match=r"no image column, it has label \(int64\), text \(string"):
        load_data("parquet", path=path)


def test_corrupt_image(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", [*colour[:11], b"broken"], LABELS)
    data = load_data("parquet", path=path)
    assert data.images(range(11)).shape == (11, 3, 6, 5)
    with pytest.raises(DataError, match=r"sample 11 \(.*a.parquet\) is no readable image"):
        data.images(range(12))


def test_corrupt_first_image(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", [b"", *colour[1:]], LABELS)
    with pytest.raises(DataError, match=r"sample 0 \(.*a.parquet\) is no readable image"):
        load_data("parquet", path=path)


def test_paths_without_bytes(tmp_path):
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = pa.array([{"bytes": None, "path": "x.png"}], struct)
    pq.write_table(pa.table({"img": cells, "label": [0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"sample 0 \(.*\) has no image bytes; store the bytes"):
        load_data("parquet", path=tmp_path / "a.parquet")


def test_empty(tmp_path, write_parquet):
    path = write_parquet(tmp_path / "a.parquet", [], pa.array([], pa.int64()))
    with pytest.raises(DataError, match=r"a.parquet, column label has no samples"):
        load_data("parquet", path=path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"has no .parquet files; check --data"):
        load_data("parquet", path=empty)


def test_parts_with_other_labels(tmp_path, write_parquet, colour):
    write_parquet(tmp_path / "test-0.parquet", colour, LABELS)
    write_parquet(tmp_path / "test-1.parquet", colour, ["a"] * 12)
    with pytest.raises(
        DataError, match=r"labels of .*test-1.parquet are string, those of .* int64"
    ):
        load_data("parquet", path=tmp_path)


def test_truncated(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour, LABELS)
    whole = path.read_bytes()
    for end in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"a.parquet is no readable Parquet file, or cut short"):
            load_data("parquet", path=path)


def test_damage_is_a_data_error(tmp_path, write_parquet, colour):
    path = write_parquet(tmp_path / "a.parquet", colour, LABELS)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        content = bytearray(whole)
        place = random.integers(len(whole) - 200)
        content[place : place + 20] = random.bytes(20)
        path.write_bytes(content)
        try:
            load_data("parquet", path=path).images(range(12))
        except DataError:
            refused += 1
    assert refused > 75


def test_other_metadata_is_ignored(tmp_path, write_parquet, colour):
    for text in (b"no json", b"[]", b'{"info": {"features": 3}}', b'{"info": {"features": {}}}'):
        path = write_parquet(tmp_path / "a.parquet", colour, LABELS)
        pq.write_table(pq.read_table(path).replace_schema_metadata({"huggingface": text}), path)
        assert load_data("parquet", path=path).label_names == ("0", "1", "2")


@needs_data
@pytest.mark.data
def test_real_cifar10():
    data = load_data("parquet", path=Path(REAL) / "cifar10-exact", normalize="none")
    assert len(data) == 1017
    assert data.label_names[:2] == ("airplane", "automobile")
    # The first labels of CIFAR-10's test set, by their published order.
    assert data.labels[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    # Means of CIFAR-10's channels, here over the 8,068 exact training images.
    train = load_data("parquet", path=Path(REAL) / "cifar10-exact", split="train", normalize="none")
    images = train.images(range(len(train)))
    np.testing.assert_allclose(images.mean((0, 2, 3)), [0.4914, 0.4822, 0.4465], atol=5e-3)
    np.testing.assert_allclose(images.std((0, 2, 3)), [0.2470, 0.2435, 0.2616], atol=5e-3)


@pytest.mark.parametrize(
    ("name", "split", "noted"),
    [
        ("test.parquet", "train", "name says test, --split train"),
        ("train-00000-of-00001.parquet", "test", "name says train, --split test"),
        ("validation.parquet", "test", ""),
        ("test.parquet", "test", ""),
        ("digits.parquet", "train", ""),
    ],
)
def test_a_single_file_named_after_another_split_is_noted(tmp_path, caplog, name, split, noted):
    file = tmp_path / name
    file.touch()
    for _ in range(2):
        assert find_parts(file, split=split) == [file]
    assert len(caplog.records) == (1 if noted else 0)
    assert noted in caplog.text
