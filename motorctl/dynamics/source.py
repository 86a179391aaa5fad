"""The C++ of one kernel: ``kernel.cpp`` with sizes, and the world's and the cell's functions and their pull-backs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import torch
from torch import Tensor

from .expressions import Scalar, in_order, pull_back, variable
from .lowering import lower


@dataclass(frozen=True)
class Cell:
    """A recurrent cell, one unit at a time.

    Its gates get sums of weighted inputs and hidden units. They follow torch's order of weights; ``apart`` says that
    the last gate's two sums are kept apart, the hidden units' after the input's.
    """

    update: Callable[[Tensor, Tensor], tuple[Tensor]]
    """Sums ``(1, gates)`` and memory ``(1, memories)``, the hidden unit first, to the memory after."""
    gates: int
    memories: int = 1
    apart: bool = False


def _gru(sums: Tensor, memory: Tensor) -> tuple[Tensor]:
    """Cho et al. 2014, EMNLP, as torch has it: the reset gate scales the hidden units' sum."""
    reset, keep = torch.sigmoid(sums[:, 0:1]), torch.sigmoid(sums[:, 1:2])
    new = torch.tanh(sums[:, 2:3] + reset * sums[:, 3:4])
    return (new + keep * (memory - new),)


def _lstm(sums: Tensor, memory: Tensor) -> tuple[Tensor]:
    """Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000); gates in torch's order i, f, g, o."""
    opened = torch.sigmoid(sums)
    held = opened[:, 1:2] * memory[:, 1:2] + opened[:, 0:1] * torch.tanh(sums[:, 2:3])
    return (torch.cat([opened[:, 3:4] * torch.tanh(held), held], dim=1),)


CELLS: dict[str, Cell] = {
    "gru": Cell(_gru, gates=4, apart=True),
    "lstm": Cell(_lstm, gates=4, memories=2),
    "tanh": Cell(lambda sums, memory: (torch.tanh(sums),), gates=1),
    "relu": Cell(lambda sums, memory: (torch.relu(sums),), gates=1),
    "sigmoid": Cell(lambda sums, memory: (torch.sigmoid(sums),), gates=1),
}
"""By name; Elman's cell has the name of its nonlinearity."""


@dataclass(frozen=True)
class Sizes:
    """Rows of a kernel's trajectories."""

    state: int
    inputs: int
    observed: int
    command: int
    outputs: int
    hidden: int
    """All that the layers remember."""
    sums: int
    """Of the gates of all layers."""


def kernel_source(
    cell: str,
    widths: Sequence[int],
    observe: Callable[[Tensor, Tensor], Tensor],
    advance: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
    state: Tensor,
    command: Tensor,
    inputs: Tensor,
) -> tuple[str, Sizes]:
    """The source of a kernel, and its sizes.

    Args:
        cell: a name in :data:`CELLS`.
        widths: units of each layer.
        observe, advance: of the world.
        state, command, inputs: one row of each, ``(1, n)``; float32 or float64 is the kernel's precision.

    Raises:
        ConfigurationError: the world uses an operation that has no compiled form.
    """
    unit = CELLS[cell]
    sums, memory = state.new_zeros(1, unit.gates), state.new_zeros(1, unit.memories)
    seen = lower(lambda s, u: (observe(s, u),), ("state", "inputs"), (state, inputs))
    moved = lower(advance, ("state", "command", "inputs"), (state, command, inputs))
    updated = lower(unit.update, ("sums", "memory"), (sums, memory))
    observed = len(seen[1][0])
    features = (observed, *widths[:-1])
    sizes = Sizes(
        state=state.shape[1],
        inputs=inputs.shape[1],
        observed=observed,
        command=command.shape[1],
        outputs=len(moved[1][1]),
        hidden=unit.memories * sum(widths),
        sums=unit.gates * sum(widths),
    )
    constants = {
        "STATE": sizes.state,
        "INPUT": sizes.inputs,
        "COMMAND": sizes.command,
        "OUTPUT": sizes.outputs,
        "HIDDEN": sizes.hidden,
        "SUMS": sizes.sums,
        "LAYERS": len(widths),
        "GATES": unit.gates,
        "MEMORIES": unit.memories,
        "WIDEST": max(*features, *widths),
    }
    single = state.dtype == torch.float32
    numbers = [
        f"typedef {'float' if single else 'double'} real;",
        *(["#define SINGLE"] if single else []),
        *(f"constexpr int {name} = {value};" for name, value in constants.items()),
        f"constexpr bool APART = {str(unit.apart).lower()};",
        f"constexpr int WIDTHS[] = {{{', '.join(map(str, widths))}}};",
        f"constexpr int FEATURES[] = {{{', '.join(map(str, features))}}};",
    ]
    functions = [
        _forward("observe", *seen, ("observed",)),
        _backward("observe_back", *seen, ("state", "inputs"), add=("state", "inputs")),
        _forward("advance", *moved, ("next", "outputs")),
        _backward("advance_back", *moved, ("state", "command", "inputs"), add=()),
        _forward("cell", *updated, ("after",)),
        _backward("cell_back", *updated, ("sums", "memory"), add=()),
    ]
    template = files(__package__).joinpath("kernel.cpp").read_text(encoding="utf-8")
    source = template.replace("// GENERATED sizes", "\n".join(numbers))
    return source.replace("// GENERATED functions", "\n\n".join(functions)), sizes


def _forward(name: str, inputs: list[list[Scalar]], outputs: list[list[Scalar]], names: Sequence[str]) -> str:
    rows = {out: row for out, row in zip(names, outputs, strict=True)}
    return _function(name, _names(inputs), rows, ())


def _backward(
    name: str, inputs: list[list[Scalar]], outputs: list[list[Scalar]], names: Sequence[str], add: Sequence[str]
) -> str:
    """The function that takes the adjoints of the outputs, ``d0``, ``d1``, and gives those of the inputs."""
    adjoints = [[variable(f"d{k}[{i}]") for i in range(len(row))] for k, row in enumerate(outputs)]
    flat = [v for row in inputs for v in row]
    found = iter(pull_back([y for row in outputs for y in row], [d for row in adjoints for d in row], flat))
    rows = {f"d_{name}": [next(found) for _ in row] for name, row in zip(names, inputs, strict=True)}
    return _function(name, _names([*inputs, *adjoints]), rows, [f"d_{name}" for name in add])


def _names(rows: list[list[Scalar]]) -> list[str]:
    """``state`` of the variables ``state[0]``, ``state[1]``, ...; an argument without elements gets a name too."""
    return [str(row[0].value).split("[")[0] if row else f"unused{index}" for index, row in enumerate(rows)]


SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "eq": "==", "and": "&", "or": "|"}


def _function(name: str, arguments: Sequence[str], outputs: dict[str, list[Scalar]], add: Sequence[str]) -> str:
    """A function of rows, straight through."""
    parameters = [*(f"In {a}" for a in arguments), *(f"Out {o}" for o in outputs)]
    lines = [f"static inline void {name}({', '.join(parameters)}) {{"]
    named: dict[Scalar, str] = {}
    for index, node in enumerate(in_order(s for row in outputs.values() for s in row)):
        named[node] = f"v{index}"
        lines.append(f"    const auto v{index} = {_expression(node, named)};")
    for output, row in outputs.items():
        how = "add" if output in add else "put"
        lines += [f"    {output}.{how}({i}, {named[s]});" for i, s in enumerate(row)]
    return "\n".join([*lines, "}"])


def _expression(node: Scalar, named: dict[Scalar, str]) -> str:
    args = [named[a] for a in node.args]
    if node.op == "const":
        return f"all({node.value!r})"
    if node.op == "input":
        return str(node.value)
    if node.op in SIGNS:
        return f"{args[0]} {SIGNS[node.op]} {args[1]}"
    special = {"neg": "-{}", "not": "~{}", "stop": "{}", "select": "{} ? {} : {}"}
    return special[node.op].format(*args) if node.op in special else f"v{node.op}({', '.join(args)})"
