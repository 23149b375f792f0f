"""Parts of the digits' study that several tests start from."""

import pytest

from pipeline.data import load_data
from pipeline.models import load_model
from pipeline.options import Images, Network
from pipeline.run import run_stages
from pipeline.training import Recipe, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with the training of a resnet8, two epochs: epoch-001.pt, epoch-002.pt."""
    place = tmp_path_factory.mktemp("training")
    data = {split: load_data("digits", split=split) for split in ("train", "test")}
    model = load_model("resnet8", input_shape=data["train"].input_shape)
    recipe = Recipe(epochs=2, batch_size=64, lr=0.05)
    train(model, data["train"], data["test"], out=place, recipe=recipe, checkpoint_every=1)
    return place


@pytest.fixture(scope="session")
def runs(tmp_path_factory, trained):
    """Folders of two finished runs, resnet8 (trained) and mlp."""
    root = tmp_path_factory.mktemp("runs")
    images = Images(samples=60, repeats=2)
    weights = str(trained / "weights.pt")
    run_stages(root / "resnet8", network=Network(model="resnet8", weights=weights), images=images)
    run_stages(root / "mlp", network=Network(model="mlp"), images=images)
    return root / "resnet8", root / "mlp"


@pytest.fixture
def outputs():
    """Read the bytes of everything that a study shows."""

    def read(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for part in ("metrics", "figures")
            for path in (folder / part).iterdir()
        }

    return read
