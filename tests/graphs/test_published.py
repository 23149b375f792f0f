"""Published curves: found in any spelling, or the nearest there are."""

import pytest

from graphs.errors import TableError
from graphs.published import nearest_published, published_curve


@pytest.fixture
def curves_file(tmp_path):
    rows = [
        f"{figure},{model},{dataset},{setting},{x},{q},+-0.002"
        for figure, model, dataset, setting, shift in (
            ("modularity_curve", "ResNet18", "CIFAR-10", "", 0.0),
            ("modularity_curve", "ResNet18", "CIFAR-100", "", 0.1),
            ("modularity_curve", "VGG16", "CIFAR-10", "", 0.2),
            ("ablation", "ResNet18", "CIFAR-10", "k=5", 0.3),
            ("epochs", "VGG16", "CIFAR-10", "L1", 0.4),
            ("epochs", "ResNet18", "CIFAR-10", "L1", 0.5),
            ("epochs", "ResNet18", "CIFAR-10", "Acc", 0.6),
        )
        for x, q in ((2, 0.25 + shift), (1, 0.15 + shift))
    ]
    path = tmp_path / "curves.csv"
    path.write_text("figure,model,dataset,setting,x,Q,precision\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("model", "dataset", "first"),
    [
        ("resnet18", "cifar10", 0.15),
        ("ResNet-18", "CIFAR-10", 0.15),
        ("torchvision:resnet18", "cifar_10", 0.15),
        ("resnet18", "cifar100", 0.25),
        ("vgg16_bn", "CIFAR10", 0.35),
    ],
)
def test_spelling_does_not_matter(curves_file, model, dataset, first):
    curve = published_curve(str(curves_file), model=model, dataset=dataset)
    assert curve["x"].tolist() == [1, 2]
    assert curve["Q"].iloc[0] == pytest.approx(first)


def test_other_rows_of_the_network(curves_file):
    curve = published_curve(curves_file, model="resnet18", dataset="cifar10", figure="ablation")
    assert curve["setting"].tolist() == ["k=5", "k=5"]
    assert published_curve(curves_file, model="nin", dataset="cifar10").empty


@pytest.mark.parametrize(
    ("model", "datasets", "found", "same"),
    [
        ("resnet18", ["parquet", "cifar10"], "ResNet18, CIFAR-10 (Lu et al. 2022)", True),
        ("resnet18", ["fashion-mnist"], "ResNet18, CIFAR-10 (Lu et al. 2022)", False),
        ("resnet20", ["cifar10"], "ResNet18, CIFAR-10 (Lu et al. 2022)", False),
        ("vgg11", ["fashion-mnist"], "VGG16, CIFAR-10 (Lu et al. 2022)", False),
        ("nets/vit.py:vit", ["cifar10"], "VGG16, CIFAR-10 (Lu et al. 2022)", False),
    ],
)
def test_the_nearest_network_is_of_the_same_family(curves_file, model, datasets, found, same):
    near = nearest_published(curves_file, model=model, datasets=datasets, figure="epochs")
    assert (near.title, near.same) == (found, same)
    assert near.layers == 2
    shift = 0.4 if "VGG" in found else 0.5
    layer = near.rows[near.rows["setting"] == "L1"]
    assert layer["x"].tolist() == [1, 2]
    assert layer["Q"].tolist() == pytest.approx([0.15 + shift, 0.25 + shift])


def test_unfit_files_are_refused(tmp_path, curves_file):
    with pytest.raises(TableError, match="has no rows of figure 'adversarial'"):
        nearest_published(curves_file, model="vgg16", datasets=[], figure="adversarial")
    with pytest.raises(TableError, match=r"nowhere\.csv does not exist; give the file"):
        published_curve(tmp_path / "nowhere.csv", model="vgg16", dataset="cifar10")
    curves_file.write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match=r"table curves\.csv has no column 'figure'"):
        published_curve(curves_file, model="vgg16", dataset="cifar10")
    curves_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match=r"curves\.csv cannot be read as CSV"):
        published_curve(curves_file, model="vgg16", dataset="cifar10")
