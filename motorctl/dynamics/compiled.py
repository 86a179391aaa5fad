"""Episodes as one C++ function each way: generated for a controller's shape and a world, then compiled."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from motorctl.agents import RecurrentController
from motorctl.errors import ConfigurationError

from .chunks import in_chunks
from .rollout import flatten, roll_out
from .source import kernel_source
from .world import Rollout, World

FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi", "-shared", "-fPIC")
FOR_THIS_MACHINE = ("-march=native", "-fopenmp")
"""Left out where the compiler does not know them."""


class Episode(Protocol):
    """:func:`~motorctl.dynamics.rollout.roll_out` of one controller in one world."""

    def __call__(self, state: Tensor, inputs: Tensor, hidden: Tensor | None = None, checkpoint: int = 0) -> Rollout: ...


def compile_rollout(controller: RecurrentController, world: World, state: Tensor, inputs: Tensor) -> Episode:
    """What :func:`~motorctl.dynamics.rollout.roll_out` does, as fast as this machine can.

    On a CPU an episode becomes one C++ function, and its gradients another. A thread takes a block of lanes through all
    control steps, so ``torch.set_num_threads`` counts. Weights are read at every call and can be trained; the world and
    its tensors are as they are now. Where there is no compiler, or controller or world have no such form, a warning
    says why, and every call runs operation by operation. On a GPU, ``torch.compile`` compiles the world, with the same
    warning where it cannot.

    Args:
        controller, world: as for :func:`~motorctl.dynamics.rollout.roll_out`.
        state, inputs: any that fit, ``(batch, n)`` and ``(batch, time, k)``; float32 or float64.
    """
    compiled = CompiledRollout if state.device.type == "cpu" else torch_compiled
    try:
        return compiled(controller, world, state, inputs)
    except ConfigurationError as error:
        warnings.warn(f"Episodes run uncompiled, which is much slower: {error}", RuntimeWarning, stacklevel=2)
        return partial(roll_out, controller, world)


def torch_compiled(controller: RecurrentController, world: World, state: Tensor, inputs: Tensor) -> Episode:
    """The same with ``torch.compile``, on any device: a control step of the world is compiled, the loop is Python's.

    Raises:
        ConfigurationError: torch has no compiler here, or world or controller have no compiled form.
    """
    run = partial(roll_out, controller, _TorchCompiled(world))
    try:  # both ways, as torch compiles at the first call; of two lanes, as it takes one for a case of its own
        first = run(state[:1].detach().repeat(2, 1), inputs[:1, :1].detach().repeat(2, 1, 1))
        torch.autograd.grad(first.outputs.sum(), list(controller.parameters()), allow_unused=True)
    except (RuntimeError, OSError) as error:
        problem = str(error).strip().splitlines()[0]
        raise ConfigurationError(
            f"torch.compile failed: {problem}", "Install a C++ compiler, on a GPU triton."
        ) from None
    return run


class _TorchCompiled:
    def __init__(self, world: World) -> None:
        self.observe: Any = torch.compile(world.observe, dynamic=True)
        self.advance: Any = torch.compile(world.advance, dynamic=True)


class CompiledRollout:
    """A compiled episode, called as :class:`Episode`.

    Raises:
        ConfigurationError: no compiler is found, or controller or world have no compiled form.
    """

    def __init__(self, controller: RecurrentController, world: World, state: Tensor, inputs: Tensor) -> None:
        config = controller.config
        unknown = {
            "dropout": config.dropout > 0,
            "layer normalisation": config.layer_norm,
            "reading both ways": config.bidirectional,
        }
        if any(unknown.values()):
            raise ConfigurationError(
                f"Of this controller, {', '.join(k for k, there in unknown.items() if there)} has no compiled form.",
                "Choose a controller without.",
            )
        cell = config.nonlinearity if config.cell == "rnn" else config.cell
        state, inputs = state[:1].detach(), inputs[:1, 0].detach()
        source, self.sizes = kernel_source(
            cell, config.widths, world.observe, world.advance, state, state.new_zeros(1, controller.commands), inputs
        )
        if self.sizes.observed != controller.features:
            raise ConfigurationError(
                f"The controller takes {controller.features} features, the world shows {self.sizes.observed}.",
                "Build the controller for this world.",
            )
        self.controller, self.dtype = controller, state.dtype
        self.library = build(source)
        self.spare: list[Tensor] = []  # what was recorded of episodes whose gradients are there

    def __call__(self, state: Tensor, inputs: Tensor, hidden: Tensor | None = None, checkpoint: int = 0) -> Rollout:
        hidden = flatten(self.controller.initial_state(len(state))) if hidden is None else hidden
        return in_chunks(self._run, state, inputs, hidden, checkpoint, list(self.controller.parameters()))

    def _run(self, state: Tensor, inputs: Tensor, hidden: Tensor) -> Rollout:
        controller = self.controller
        readout = (controller.readout.weight * controller.scale, controller.readout.bias * controller.scale)
        layers = [layer.get_parameter(name) for layer in controller.layers for name in WEIGHTS]
        tensors = (state, hidden, inputs, *layers, *readout)
        record = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
        return Rollout(*_Episode.apply(self, record, *tensors))  # type: ignore[no-untyped-call]


WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class _Episode(torch.autograd.Function):
    """``(state (batch, n), hidden (batch, units), inputs (batch, time, k), weights...)`` to a rollout."""

    @staticmethod
    def forward(ctx: Any, kernel: CompiledRollout, record: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        state, hidden, inputs, *weights = (t.detach().contiguous() for t in tensors)
        batch, time, _ = inputs.shape
        size, library = kernel.sizes, kernel.library
        rows = [inputs.new_empty(batch, time, n) for n in (size.state, size.outputs, size.command, size.hidden)]
        memory = _memory(kernel, library.recording(batch, time)) if record else None
        before = (state.data_ptr(), hidden.data_ptr(), inputs.data_ptr(), None if memory is None else memory.data_ptr())
        library.forward(batch, time, torch.get_num_threads(), _layers(weights), *before, _trajectory(rows))
        ctx.kernel, ctx.shapes = kernel, (state.shape, hidden.shape, inputs.shape)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(memory, *weights)
        return tuple(rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        memory, *weights = ctx.saved_tensors
        if ctx.kernel is None:
            raise RuntimeError("The gradients of a compiled episode can be asked for once.")
        kernel, ctx.kernel = ctx.kernel, None
        batch, time, _ = ctx.shapes[2]
        given = [None if g is None else g.contiguous() for g in gradients]
        found, changes = [memory.new_empty(s) for s in ctx.shapes], [torch.zeros_like(w) for w in weights]
        pointers = (memory.data_ptr(), _trajectory(given), *(t.data_ptr() for t in found))
        kernel.library.backward(batch, time, torch.get_num_threads(), _layers(weights), *pointers, _layers(changes))
        kernel.spare.append(memory)
        return None, None, *found, *changes


def _memory(kernel: CompiledRollout, numbers: int) -> Tensor:
    """Memory of an episode before, where it is of this size: the system takes long to give out so much."""
    while kernel.spare:
        spare = kernel.spare.pop()
        if spare.numel() == numbers:
            return spare
    return torch.empty(numbers, dtype=kernel.dtype)


def _trajectory(rows: Sequence[Tensor | None]) -> Any:
    """``Trajectory`` of kernel.cpp."""
    return (ctypes.c_void_p * len(rows))(*(None if r is None else r.data_ptr() for r in rows))


class _Layer(ctypes.Structure):
    """``Layer`` of kernel.cpp."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("input", "hidden", "input_bias", "hidden_bias")]


def _layers(weights: Sequence[Tensor]) -> Any:
    """Pointers to each layer's four, then to the read-out's two."""
    *layers, readout, bias = (w.data_ptr() for w in weights)
    parts = [_Layer(*layers[i : i + 4]) for i in range(0, len(layers), 4)]
    return (_Layer * (len(parts) + 1))(*parts, _Layer(readout, None, bias, None))


def build(source: str) -> ctypes.CDLL:
    """Compile C++ with the compiler that ``CXX`` names, or the system's, and load it.

    Raises:
        ConfigurationError: there is no compiler, or it fails.
    """
    named = os.environ.get("CXX")
    compiler = shutil.which(named) if named else next(filter(None, map(shutil.which, ("g++", "clang++", "c++"))), None)
    if compiler is None:
        raise ConfigurationError(
            f"The C++ compiler {named!r} is not there." if named else "There is no C++ compiler.",
            "Install g++ or clang++, or name one in the environment variable CXX.",
        )
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder, "kernel.cpp"), Path(folder, "kernel.so")
        code.write_text(source, encoding="utf-8")
        for extra in (FOR_THIS_MACHINE, ()):
            command = [compiler, *FLAGS, *extra, str(code), "-o", str(library)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                loaded = ctypes.CDLL(str(library))
                address, number = ctypes.c_void_p, ctypes.c_long
                loaded.recording.argtypes, loaded.recording.restype = [number, number], number
                loaded.forward.argtypes = [number, number, ctypes.c_int, *[address] * 6]
                loaded.backward.argtypes = [number, number, ctypes.c_int, *[address] * 7]
                loaded.forward.restype = loaded.backward.restype = None
                return loaded
    problem = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[-200:])
    raise ConfigurationError(f"{compiler} failed: {problem}", "Install g++ 9 or clang++ 12, or newer.")
