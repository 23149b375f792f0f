"""What capture() keeps of a network that runs, and that it leaves nothing behind."""

import pytest
import torch
from torch import nn

from graphs.errors import LayerError
from pipeline.hooks import capture, resolve_layers
from pipeline.layer_info import LayerInfo
from pipeline.models import load_model


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def images(count=4, channels=3, side=32):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, channels, side, side, generator=generator)


@pytest.fixture(scope="module")
def model():
    return load_model("resnet8")


# ---------------------------------------------------------------- reading


def test_outputs_are_flattened_copies(model):
    x = images()
    with capture(model, ["conv1", "linear"]) as captured:
        logits = model(x)
    conv1, linear = captured.outputs["conv1"], captured.outputs["linear"]
    with torch.no_grad():
        assert torch.equal(conv1, model.conv1(x).flatten(1))
    assert torch.equal(linear, logits)
    assert linear.data_ptr() != logits.data_ptr()
    assert conv1.is_contiguous()
    assert conv1.dtype == torch.float32
    assert not conv1.requires_grad


def test_an_in_place_activation_does_not_reach_the_copy():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True)).eval()
    with capture(net, ["0", "1"]) as captured:
        net(images())
    assert captured.outputs["0"].min() < 0
    assert torch.equal(captured.outputs["0"].relu(), captured.outputs["1"])


def test_order_of_values_does_not_depend_on_the_memory_format():
    net = load_model("resnet8")
    layers = resolve_layers(net, "blocks", images())
    with capture(net, layers) as captured:
        net(images())
        plain = dict(captured.outputs)
        net.to(memory_format=torch.channels_last)
        out = net.conv1(images().to(memory_format=torch.channels_last))
        assert not out.is_contiguous()
        net(images().to(memory_format=torch.channels_last))
    for name, values in captured.outputs.items():
        assert values.is_contiguous()
        assert torch.allclose(values, plain[name], atol=1e-4)


def test_reading_changes_nothing_in_the_result(model):
    with torch.no_grad():
        expected = model(images())
    with capture(model, resolve_layers(model, "all", images())):
        assert torch.equal(model(images()), expected)


def test_outputs_are_renewed_by_every_pass():
    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Identity(), nn.Identity()

        def forward(self, x):
            return self.a(x) if x.sum() > 0 else self.b(x)

    net = Moody()
    with capture(net, ["a", "b"]) as captured:
        net(torch.ones(1, 2))
        first = captured.outputs["a"]
        net(-torch.ones(3, 2))
        assert set(captured.outputs) == {"b"}
    assert torch.equal(first, torch.ones(1, 2))


def test_of_several_calls_the_last_counts():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.relu(x) - 1)

    net = Twice()
    assert resolve_layers(net, "relu", torch.ones(1, 2))[0].calls == 2
    with capture(net, ["relu"]) as captured:
        net(torch.tensor([[3.0, 0.5]]))
    assert torch.equal(captured.outputs["relu"], torch.tensor([[2.0, 0.0]]))


def test_everything_is_as_before_afterwards(model):
    net = load_model("resnet8").train()
    net.bn1.eval()
    modes = [module.training for module in net.modules()]
    with capture(net, ["conv1"]):
        assert hooks(net) == 3
        assert not net.layer1.training
        assert not torch.is_grad_enabled()
        assert not torch.backends.mha.get_fastpath_enabled()
    assert hooks(net) == 0
    assert [module.training for module in net.modules()] == modes
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def test_everything_is_as_before_after_an_exception():
    net = load_model("resnet8").train()
    with pytest.raises(RuntimeError, match="expected input"), capture(net, ["conv1"]):
        net(images(channels=1))
    assert hooks(net) == 0
    assert net.training
    assert torch.is_grad_enabled()
    with pytest.raises(LayerError), capture(net, ["conv1", "nothing"]):
        pass
    assert hooks(net) == 0


def test_other_hooks_stay(model):
    handle = model.conv1.register_forward_hook(lambda *_: None)
    with capture(model, ["conv1"]):
        pass
    assert hooks(model) == 1
    handle.remove()


def test_float16(model):
    with capture(model, ["conv1"], dtype=torch.float16) as captured:
        model(images())
        half = captured.outputs["conv1"]
    assert half.dtype == torch.float16
    with torch.no_grad():
        assert torch.equal(half, model.conv1(images()).flatten(1).half())


def test_overflow_of_float16_is_infinite_and_float32_is_not():
    net = nn.Sequential(nn.Identity())
    x = torch.tensor([[70_000.0, 1.0]])
    with capture(net, ["0"], dtype=torch.float16) as captured:
        net(x)
    assert torch.isinf(captured.outputs["0"]).tolist() == [[True, False]]
    with capture(net, ["0"]) as captured:
        net(x)
    assert torch.equal(captured.outputs["0"], x)


def test_one_value_a_sample():
    net = nn.Sequential(nn.Flatten(0))
    with capture(net, ["0"]) as captured:
        net(torch.ones(3, 1))
    assert captured.outputs["0"].shape == (3, 1)


def test_an_empty_batch(model):
    with capture(model, ["conv1"]) as captured:
        model(images()[:0])
    assert captured.outputs["conv1"].shape == (0, 16 * 32 * 32)


def test_a_name_that_is_no_layer(model):
    with pytest.raises(LayerError, match=r"no layer 'layer1\.9'; near names: .*layer1\.0"):
        with capture(model, ["layer1.9"]):
            pass


def test_a_tuple_met_while_running():
    net = nn.Sequential(nn.LSTM(4, 4))
    with pytest.raises(LayerError, match="layer 0 cannot be read: its output is a tuple"):
        with capture(net, ["0"]):
            net(torch.zeros(1, 3, 4))


# ---------------------------------------------------------------- pooling


def test_average_over_positions(model):
    layers = resolve_layers(model, "layer*.*,linear", images())
    with capture(model, layers) as captured:
        model(images())
        full = dict(captured.outputs)
    with capture(model, layers, pool="avg") as captured:
        model(images())
    for layer in layers:
        pooled = captured.outputs[layer.name]
        assert pooled.shape == (4, layer.stored_values("avg"))
        expected = full[layer.name].reshape(4, pooled.shape[1], -1).mean(2)
        assert torch.allclose(pooled, expected, atol=1e-5)


def test_average_where_the_channels_are_last():
    net = nn.Sequential(nn.Identity()).eval()
    layer = LayerInfo(index=0, name="0", type="Identity", shape=(5, 6, 7), channel_axis=-1)
    x = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    with capture(net, [layer], pool="avg") as captured:
        net(x)
    assert torch.allclose(captured.outputs["0"], x.reshape(2, 30, 7).mean(1), atol=1e-6)


def test_tokens():
    net = nn.Sequential(nn.Identity(), nn.Flatten())
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    layers = resolve_layers(net, "all", x)
    for pool, expected in (("cls", x[:, 0]), ("mean", x.mean(1))):
        with capture(net, layers, pool=pool) as captured:
            net(x)
        assert torch.allclose(captured.outputs["0"], expected)
        assert torch.equal(captured.outputs["1"], x.flatten(1))


@pytest.mark.parametrize(
    ("pool", "needed"), [("cls", "tokens"), ("mean", "tokens"), ("avg", r"maps \(channels")]
)
def test_a_pooling_that_does_not_fit(model, pool, needed):
    shape = (5, 3) if pool == "avg" else (16, 8, 8)
    layers = [LayerInfo(index=i, name=f"relu{i}", type="ReLU", shape=shape) for i in range(8)]
    message = rf"--pool {pool} needs layers of {needed}.*: relu0, .*, relu5 and 2 more; choose"
    with pytest.raises(LayerError, match=message), capture(model, layers, pool=pool):
        pass


def test_a_pooling_that_turns_out_not_to_fit(model):
    with pytest.raises(LayerError, match=r"--pool cls needs .* are not: conv1; choose"):
        with capture(model, ["conv1"], pool="cls"):
            model(images())


# ---------------------------------------------------------------- transformers


def test_the_fused_transformer_kernel_is_no_obstacle():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    net = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).eval()
    x = torch.randn(2, 5, 16)
    with torch.no_grad():
        fused = net(x)
    every = ["layers.0", "layers.1", "layers.2", "layers.1.linear1"]
    with capture(net, every) as captured:
        out = net(x)
        outputs = dict(captured.outputs)
    assert set(outputs) == set(every)
    assert torch.equal(outputs["layers.2"], out.flatten(1))
    assert torch.allclose(out, fused, atol=1e-5)
    # A layer's output does not depend on which others are read.
    with capture(net, ["layers.1"]) as captured:
        net(x)
    assert torch.equal(captured.outputs["layers.1"], outputs["layers.1"])


# ---------------------------------------------------------------- GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_copies_from_a_gpu_have_arrived():
    net = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(inplace=True)).double().cuda()
    x = images(256).double().cuda().to(memory_format=torch.channels_last)
    with capture(net, ["0", "1"]) as captured:
        net(x)
        before, after = captured.outputs["0"].clone(), captured.outputs["1"].clone()
    expected = net[0].cpu()(x.cpu()).detach().flatten(1).float()
    assert torch.allclose(before, expected, atol=1e-5)
    assert torch.equal(after, before.relu())


# ---------------------------------------------------------------- inputs


def test_inputs_are_copied_before_modules_change_them():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Linear(3, 2))
    x = images(5, 1, 2).flatten(1)
    with capture(model, ["1"], inputs=["0", "1", "2"]) as captured:
        model(x)
    with torch.no_grad():
        torch.testing.assert_close(captured.inputs["0"], x)
        torch.testing.assert_close(captured.inputs["1"], model[0](x))
    assert torch.equal(captured.inputs["2"], captured.outputs["1"])
    assert hooks(model) == 0


def test_the_first_tensor_of_the_input_counts():
    class Pair(nn.Module):
        def forward(self, scale, *, image, other):
            return image * scale + other

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

        def forward(self, x):
            return self.pair(2, image=x, other=x + 1)

    model = Whole()
    with capture(model, [], inputs=["pair"]) as captured:
        model(torch.ones(3, 2, 2))
    assert torch.equal(captured.inputs["pair"], torch.ones(3, 4))
    assert captured.outputs == {}


def test_inputs_need_a_module_that_is_there_and_takes_a_tensor():
    class Constant(nn.Module):
        def forward(self, count):
            return torch.ones(count, 1)

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.constant = Constant()

        def forward(self, x):
            return self.constant(len(x))

    model = Whole()
    with pytest.raises(LayerError, match="no layer 'constent'; near names: constant"):
        with capture(model, [], inputs=["constent"]):
            pass
    with pytest.raises(LayerError, match="layer constant takes in no tensor"):
        with capture(model, [], inputs=["constant"]):
            model(torch.ones(2, 1))
    assert hooks(model) == 0
