"""Networks for other programs: ONNX and torch.export, compared with what torch gives."""

import io
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from graphs.errors import ExportError, ModelError
from graphs.files import replacing
from pipeline.bypass import bypassed
from pipeline.tracing import evaluating, like_parameters, run_model

TOLERANCE = 1e-4
RANDOM = 5  # images; another number than at the export, and one alone
INSTALL = "pip install -c constraints.txt -e '.[onnx]'"
LOGGERS = ("torch.onnx", "torch.export", "torch", "onnxscript", "onnx_ir")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that gives what the network gives.

    Attributes
    ----------
    path : Path
        The file.
    random, real : float
        Largest absolute difference to torch's output on random and on real images.
    """

    path: Path
    random: float
    real: float


def require_onnx() -> None:
    """Check that the packages for ONNX are installed.

    Raises
    ------
    ExportError
        When one is not; the message names the extra.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ExportError(f"ONNX files need more packages ({error})", INSTALL) from error


def export_program(model: nn.Module, images: Tensor, path: Path) -> Exported:
    """Write a network with `torch.export`, load the file and compare.

    Parameters
    ----------
    model : Module
        On the CPU; left as it was.
    images : Tensor, shape (n, C, H, W)
        Real images.
    path : Path
        ``model.pt2``; whole or not there. `torch.export.load` reads it. Batches of any size.

    Raises
    ------
    ExportError
        When the network cannot be exported, or gives something else afterwards.
    """
    content = io.BytesIO()
    with _quiet(), _one_line(path, model):
        torch.export.save(_trace(model, images), content)
        content.seek(0)
        again = torch.export.load(content).module()
        found = _compare(model, images, path, answer=lambda x: again(x))
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return found


def export_onnx(model: nn.Module, images: Tensor, path: Path) -> Exported:
    """Write a network as ONNX, run the file with onnxruntime and compare.

    Parameters
    ----------
    model, images
        As in `export_program`.
    path : Path
        ``model.onnx``; whole or not there. Input ``images``, output ``logits``, batches of any
        size.

    Raises
    ------
    ExportError
        When a package is missing, the network cannot be exported, or gives something else
        afterwards.
    """
    require_onnx()
    import onnxruntime

    with _quiet(), _one_line(path, model):
        program = torch.onnx.export(
            _trace(model, images),
            dynamo=True,
            input_names=["images"],
            output_names=["logits"],
            verbose=False,
        )
        content = _name_batch(program.model_proto)  # type: ignore[union-attr]  # dynamo gives one
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        def answer(x: Tensor) -> Tensor:
            return torch.from_numpy(session.run(None, {"images": x.numpy()})[0])

        found = _compare(model, images, path, answer=answer)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return found


def _trace(model: nn.Module, images: Tensor) -> ExportedProgram:
    """Export with a free batch, and without the paths of this machine's source files."""
    # two images: of one alone, the exporter would take the batch for a constant
    example = like_parameters(model, images[:1]).repeat(2, *[1] * (images.ndim - 1))
    with evaluating(model), bypassed(model, ()):  # plain kernels, as ONNX knows them
        program = _export(model, example)
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            node.meta.pop("stack_trace", None)
    return program


def _export(model: nn.Module, example: Tensor) -> ExportedProgram:
    errors = []
    # len(x) makes a constant of the batch, unless the bytecode is read
    for strict in (False, True):
        try:
            shapes = ({0: Dim("batch")},)
            return torch.export.export(model, (example,), dynamic_shapes=shapes, strict=strict)
        except Exception as error:  # noqa: BLE001 (exporters raise anything)
            errors.append(error)
    raise errors[0]


def _name_batch(proto: Any) -> bytes:
    """Call the free dimension what it is, and serialize."""
    own = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = re.sub(rf"\b{re.escape(own)}\b", "batch", size.dim_param)
    content: bytes = proto.SerializeToString()
    return content


def _compare(model: nn.Module, images: Tensor, path: Path, *, answer: Any) -> Exported:
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(RANDOM, *images.shape[1:], generator=generator)
    figures = {
        "random": max(_difference(model, answer, some) for some in (random, random[:1])),
        "real": _difference(model, answer, images),
    }
    for kind, figure in figures.items():
        if not figure <= TOLERANCE:  # NaN too
            raise ExportError(
                f"{path.name} differs from the network by up to {figure:.2g} on {kind} images, "
                f"more than {TOLERANCE:g}",
                "use --no-export, and model.pt with torch",
            )
    return Exported(path=path, **figures)


def _difference(model: nn.Module, answer: Any, images: Tensor) -> float:
    given = like_parameters(model, images)
    with evaluating(model), torch.no_grad(), bypassed(model, ()):
        expected = run_model(model, given)
    found = answer(given)
    if found.shape != expected.shape:
        return float("nan")
    return float((found - expected).abs().max())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what exporters tell their developers from the user."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    nowhere = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _one_line(path: Path, model: nn.Module) -> Iterator[None]:
    """Turn whatever an exporter raises into one line."""
    try:
        yield
    except (ExportError, ModelError):
        raise
    except Exception as error:
        lines: Sequence[str] = str(error).strip().splitlines() or ["no reason given"]
        raise ExportError(
            f"{type(model).__name__} cannot be written as {path.name} "
            f"({type(error).__name__}: {lines[0][:200]})",
            "use --no-export, and model.pt with torch",
        ) from error
