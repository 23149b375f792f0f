import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets, transforms

from graphs.errors import DataError
from pipeline.data import load_data
from pipeline.data.folders import find_split
from pipeline.data.imagenet50 import IMAGENET50


@pytest.fixture
def pets(tmp_path, write_folders, colour):
    write_folders(tmp_path / "test", {"dog": list(colour[:5]), "cat": list(colour[5:8])})
    write_folders(tmp_path / "train", {"cat": list(colour[8:10]), "dog": list(colour[10:])})
    return tmp_path


def test_agrees_with_torchvision(pets):
    data = load_data("imagefolder", path=pets, normalize="imagenet")
    prepare = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    expected = datasets.ImageFolder(pets / "test", prepare)
    assert data.label_names == ("cat", "dog")
    assert data.labels.tolist() == expected.targets
    for index, (image, _) in enumerate(expected):
        assert torch.equal(data.images([index])[0], image)


def test_splits(pets):
    assert len(load_data("imagefolder", path=pets, split="train")) == 4
    assert len(load_data("imagefolder", path=pets, split="test")) == 8
    # A folder of class folders is the split itself.
    assert len(load_data("imagefolder", path=pets / "train", split="test")) == 4
    (pets / "test").rename(pets / "val")
    assert len(load_data("imagefolder", path=pets, split="test")) == 8
    assert len(load_data("imagefolder", path=pets, split="val")) == 8


def test_size(pets, write_folders):
    big = np.random.default_rng(1).integers(0, 256, (9, 30, 3), dtype=np.uint8)
    write_folders(pets / "test", {"emu": [big]})
    data = load_data("imagefolder", path=pets, size=4)
    assert data.images(range(9)).shape == (9, 3, 4, 4)
    prepare = transforms.Compose([transforms.Resize(4), transforms.CenterCrop(4)])
    assert np.array_equal(data.raw([8])[0], np.asarray(prepare(Image.fromarray(big))))


def test_digest(pets):
    before = load_data("imagefolder", path=pets).digest()
    assert load_data("imagefolder", path=pets).digest() == before
    (pets / "test" / "cat" / "00.png").rename(pets / "test" / "cat" / "99.png")
    moved = load_data("imagefolder", path=pets).digest()
    with (pets / "test" / "cat" / "99.png").open("ab") as file:
        file.write(b"more")
    longer = load_data("imagefolder", path=pets).digest()
    assert len({before, moved, longer}) == 3
    assert load_data("imagefolder", path=pets, split="train").digest() not in (before, longer)


def test_only_asked_images_are_decoded(pets):
    (pets / "test" / "dog" / "04.png").write_bytes(b"broken")
    data = load_data("imagefolder", path=pets)
    assert data.images([0, 6]).shape == (2, 3, 6, 5)
    with pytest.raises(
        DataError, match=r"sample 7 \(.*/dog/04.png\) is no readable image .*; replace or remove"
    ):
        data.images([0, 7])


def test_other_size(pets, write_folders):
    write_folders(pets / "test", {"emu": [np.zeros((3, 3, 3), np.uint8)]})
    with pytest.raises(
        DataError, match=r"sample 8 \(.*00.png\) is 3x3 pixels, the first image 6x5; .*--image-size"
    ):
        load_data("imagefolder", path=pets).images([8])


def test_missing_split(pets):
    with pytest.raises(DataError, match="has no split 'val', it has test, train; choose one of"):
        find_split(pets, split="val")


def test_no_class_folders(tmp_path):
    with pytest.raises(DataError, match="has no class folders; put the images in one folder a"):
        load_data("imagefolder", path=tmp_path)


def test_empty_class(pets):
    (pets / "test" / "ant").mkdir()
    with pytest.raises(DataError, match=r"ant has no images .*; check --data: images are expected"):
        load_data("imagefolder", path=pets)


def test_file_instead_of_folder(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"x.png is a file, not a folder of class folders"):
        load_data("imagefolder", path=tmp_path / "x.png")


def test_file_that_disappears(pets):
    data = load_data("imagefolder", path=pets)
    (pets / "test" / "dog" / "01.png").unlink()
    with pytest.raises(DataError, match=r"sample 4 .* is no readable image"):
        data.images([4])
    with pytest.raises(DataError, match=r"01.png cannot be read"):
        data.digest()


def write_jpegs(root, wnids):
    for number, wnid in enumerate(wnids):
        (root / wnid).mkdir(parents=True)
        image = Image.new("RGB", (300, 280), (number % 256, 50, 100))
        image.save(root / wnid / f"ILSVRC2012_val_{number:08d}.JPEG")


def test_imagenet50(tmp_path):
    write_jpegs(tmp_path / "val", [*IMAGENET50, "n09999999"])
    data = load_data("imagenet50", path=tmp_path)
    assert data.input_shape == (3, 224, 224)
    assert data.labels.tolist() == list(range(50))
    assert data.label_names[0] == "n01443537"
    assert data.normalization.name == "imagenet"
    prepare = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    expected = datasets.ImageFolder(tmp_path / "val", prepare)
    assert torch.equal(data.images([7])[0], expected[7][0])


def test_imagenet50_is_what_the_paper_lists():
    assert len(set(IMAGENET50)) == 50
    assert list(IMAGENET50) == sorted(IMAGENET50)
    assert (IMAGENET50[0], IMAGENET50[-1]) == ("n01443537", "n10148035")


def test_imagenet50_lacks_classes(tmp_path):
    write_jpegs(tmp_path / "val", IMAGENET50[2:])
    with pytest.raises(
        DataError, match=r"val lacks 2 of the 50 class folders \(n01443537, n01484850\)"
    ):
        load_data("imagenet50", path=tmp_path)


def test_imagenet_needs_all_classes(tmp_path):
    write_jpegs(tmp_path / "val", IMAGENET50[:3])
    with pytest.raises(DataError, match="val has 3 class folders, ImageNet has 1000; use --data"):
        load_data("imagenet", path=tmp_path)


def test_imagenet(tmp_path):
    # Numbered like the real ones only in their order.
    (tmp_path / "val").mkdir()
    image = tmp_path / "one.JPEG"
    Image.new("RGB", (256, 300), (10, 20, 30)).save(image)
    for number in range(1000):
        folder = tmp_path / "val" / f"n{number:08d}"
        folder.mkdir()
        (folder / "x.JPEG").hardlink_to(image)
    data = load_data("imagenet", path=tmp_path)
    assert len(data) == 1000
    assert data.label_names[:2] == ("tench", "goldfish")
    assert data.images([999]).shape == (1, 3, 224, 224)
