"""From a torch function to scalar expressions: it runs once, each tensor with an array of them beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from motorctl.errors import ConfigurationError

from .expressions import Scalar, apply, as_scalar, less, power, select, variable

Array = NDArray[np.object_]
"""Of :class:`Scalar`."""


def lower(
    function: Callable[..., tuple[Tensor, ...]], names: Sequence[str], examples: Sequence[Tensor]
) -> tuple[list[list[Scalar]], list[list[Scalar]]]:
    """The inputs and outputs of a function, row by row, as expressions.

    Args:
        function: takes tensors ``(batch, n)`` and gives a tuple of such. Lanes must not know of each other, and what it
            does must not depend on values except through :func:`torch.where` and the like.
        names: of its arguments; element ``i`` of one becomes the variable ``name[i]``.
        examples: an argument each, ``(1, n)``.

    Raises:
        ConfigurationError: the function uses an operation that has no such form.
    """
    inputs = [[variable(f"{name}[{i}]") for i in range(x.shape[-1])] for name, x in zip(names, examples, strict=True)]
    with torch.no_grad(), _Tracer() as tracer:
        arguments = []
        for example, row in zip(examples, inputs, strict=True):
            arguments.append(example.clone())
            tracer.arrays[id(arguments[-1])][0] = row
        outputs = function(*arguments)
    return inputs, [list(tracer.array(y).reshape(-1)) for y in outputs]


class _Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps an array of expressions beside every tensor; views of tensors are views of arrays."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.arrays: dict[int, Array] = {}
        self.kept: list[Tensor] = []  # or their ids would be given to others

    def array(self, tensor: Tensor) -> Array:
        if id(tensor) not in self.arrays:
            self.keep(tensor, _constants(tensor))
        return self.arrays[id(tensor)]

    def keep(self, tensor: Tensor, array: Array) -> None:
        if array.shape != tensor.shape:
            array = np.broadcast_to(array, tuple(tensor.shape))
        self.kept.append(tensor)
        self.arrays[id(tensor)] = array

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        in_place = name.endswith("_") and not name.endswith("__")
        handler = HANDLERS.get(name.rstrip("_") if in_place else name)
        if handler is None or isinstance(result, bool | int | float):
            if any(_varies(self.arrays[id(t)]) for t in _tensors(args) if id(t) in self.arrays):
                raise ConfigurationError(
                    f"torch's {name} has no compiled form.",
                    "Write it with elementwise operations, sums and products, or run without compiling.",
                )
            for tensor in _tensors([result]):
                self.keep(tensor, _constants(tensor))
            return result
        if name in ("index", "index_select", "gather"):
            arrays = handler(result, self.array(args[0]), *args[1:], **kwargs)
        else:
            arrays = handler(result, *_replace(args, self.array), **_replace(kwargs, self.array))
        if in_place:
            self.array(args[0])[...] = arrays
        elif isinstance(result, Tensor):
            self.keep(result, arrays)
        else:
            for tensor, array in zip(result, arrays, strict=True):
                self.keep(tensor, array)
        return result


def _tensors(args: Any) -> list[Tensor]:
    if isinstance(args, Tensor):
        return [args]
    return [t for a in args for t in _tensors(a)] if isinstance(args, list | tuple) else []


def _replace(value: Any, by: Callable[[Tensor], Array]) -> Any:
    if isinstance(value, Tensor):
        return by(value)
    if isinstance(value, dict):
        return {k: _replace(v, by) for k, v in value.items()}
    return [_replace(v, by) for v in value] if isinstance(value, list | tuple) else value


_scalars = np.frompyfunc(as_scalar, 1, 1)


def _constants(tensor: Tensor) -> Array:
    array = np.empty(tuple(tensor.shape), dtype=object)
    array[...] = tensor.detach().cpu().numpy()
    return np.asarray(_scalars(array), dtype=object).reshape(array.shape)


def _varies(array: Array) -> bool:
    return any(s.op != "const" for s in array.reshape(-1))


def _each(function: Callable[..., Any], operands: int) -> Callable[..., Array]:
    """A handler that does ``function`` to the elements, broadcast."""
    elementwise = np.frompyfunc(function, operands, 1)

    def handle(result: Tensor, *arrays: Any, **options: Any) -> Array:
        return np.asarray(elementwise(*arrays[:operands]), dtype=object)

    return handle


def _scaled(op: str) -> Callable[..., Array]:
    """``a ± alpha b``."""
    combine = np.frompyfunc(lambda a, b: apply(op, a, b), 2, 1)
    return lambda result, a, b, alpha=1: np.asarray(combine(a, b * alpha), dtype=object)


def _unary(op: str) -> Callable[..., Array]:
    return _each(lambda a: apply(op, a), 1)


def _binary(op: str) -> Callable[..., Array]:
    return _each(lambda a, b: apply(op, a, b), 2)


def _clamp(result: Tensor, x: Array, min: Any = None, max: Any = None) -> Array:
    """At a bound the gradient passes, as in torch."""
    low = np.frompyfunc(lambda a, bound: select(less(a, bound), bound, a), 2, 1)
    high = np.frompyfunc(lambda a, bound: select(apply("lt", bound, a), bound, a), 2, 1)
    x = x if min is None else low(x, min)
    return np.asarray(x if max is None else high(x, max), dtype=object)


def _made(result: Tensor, *like: Any, **options: Any) -> Array:
    return _constants(result)


def _reshape(result: Tensor, x: Array, *where: Any, **options: Any) -> Array:
    return x.reshape(tuple(result.shape))


def _expand(result: Tensor, x: Array, *where: Any, **options: Any) -> Array:
    return np.broadcast_to(x, tuple(result.shape))


def _select(result: Tensor, x: Array, dim: int, index: int) -> Array:
    return _part(x, dim, slice(index % x.shape[dim], index % x.shape[dim] + 1)).reshape(tuple(result.shape))


def _slice(
    result: Tensor, x: Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    return _part(x, dim, slice(start, end, step))


def _part(x: Array, dim: int, part: slice) -> Array:
    return x[(slice(None),) * (dim % x.ndim) + (part,)]


def _split(result: Sequence[Tensor], x: Array, size: Any, dim: int = 0) -> list[Array]:
    ends = np.cumsum([r.shape[dim] for r in result])
    return [_part(x, dim, slice(end - r.shape[dim], end)) for end, r in zip(ends, result, strict=True)]


def _unbind(result: Sequence[Tensor], x: Array, dim: int = 0) -> list[Array]:
    return [_select(r, x, dim, index) for index, r in enumerate(result)]


def _sum(result: Tensor, x: Array, dim: Any = None, *rest: Any, **options: Any) -> Array:
    axes = tuple(range(x.ndim)) if dim in (None, []) else tuple(np.atleast_1d(dim) % x.ndim)
    total = np.add.reduce(x, axis=axes, keepdims=True) if x.size else np.zeros(tuple(result.shape), dtype=object)
    return _lift(total).reshape(tuple(result.shape))


def _lift(x: Any) -> Array:
    return np.asarray(_scalars(x), dtype=object)


def _mean(result: Tensor, x: Array, *rest: Any, **options: Any) -> Array:
    return _lift(_sum(result, x, *rest, **options) * (result.numel() / x.size))


def _norm(result: Tensor, x: Array, order: float = 2, *rest: Any, **options: Any) -> Array:
    if order != 2:
        raise ConfigurationError(f"A norm of order {order} has no compiled form.", "Use the Euclidean norm.")
    return _lift(np.frompyfunc(lambda a: apply("sqrt", a), 1, 1)(_sum(result, x * x, *rest)))


def _product(result: Tensor, a: Array, b: Array) -> Array:
    return _lift(np.matmul(a, b)).reshape(tuple(result.shape))


def _add_product(result: Tensor, c: Array, a: Array, b: Array, beta: float = 1, alpha: float = 1) -> Array:
    return _lift(c * beta + _product(result, a, b) * alpha)


def _cross(result: Tensor, a: Array, b: Array, dim: int = -1) -> Array:
    a, b = (np.moveaxis(np.broadcast_to(v, tuple(result.shape)), dim, 0) for v in (a, b))
    return np.moveaxis(np.stack([a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]), 0, dim)


def _index(result: Tensor, x: Array, indices: Sequence[Tensor | None]) -> Array:
    return x[tuple(slice(None) if i is None else i.numpy() for i in indices)]


def _make_tables() -> dict[str, Callable[..., Any]]:
    same = _each(lambda a: a, 1)
    either = _each(lambda c, a, b: select(c, a, b), 3)
    handlers: dict[str, Callable[..., Any]] = {
        **{op: _unary(op) for op in ("neg", "abs", "sqrt", "sin", "cos", "exp", "log", "tanh", "sigmoid", "floor")},
        **{op: _unary(op) for op in ("asin", "acos")},
        "sign": _unary("sign"),
        "sgn": _unary("sign"),
        "add": _scaled("add"),
        "sub": _scaled("sub"),
        "rsub": lambda result, a, b, alpha=1: _lift(b - a * alpha),
        "mul": _binary("mul"),
        "div": _binary("div"),
        "atan2": _binary("atan2"),
        "maximum": _binary("max"),
        "minimum": _binary("min"),
        "reciprocal": _each(lambda a: apply("div", 1.0, a), 1),
        "rsqrt": _each(lambda a: 1.0 / apply("sqrt", a), 1),
        "tan": _each(lambda a: apply("sin", a) / apply("cos", a), 1),
        "relu": _each(lambda a: select(less(0.0, a), a, 0.0), 1),
        "pow": _each(
            lambda a, b: power(a, float(as_scalar(b).value)) if as_scalar(b).op == "const" else _no_power(), 2
        ),
        "lt": _binary("lt"),
        "le": _binary("le"),
        "eq": _binary("eq"),
        "gt": _each(lambda a, b: apply("lt", b, a), 2),
        "ge": _each(lambda a, b: apply("le", b, a), 2),
        "ne": _each(lambda a, b: apply("not", apply("eq", a, b)), 2),
        "logical_and": _binary("and"),
        "logical_or": _binary("or"),
        "logical_not": _unary("not"),
        "bitwise_and": _binary("and"),
        "bitwise_or": _binary("or"),
        "bitwise_not": _unary("not"),
        "where": either,
        "clamp": _clamp,
        "clamp_min": lambda result, x, low: _clamp(result, x, low),
        "clamp_max": lambda result, x, high: _clamp(result, x, None, high),
        **{f"{kind}_like": _made for kind in ("zeros", "ones", "full", "empty")},
        **{f"new_{kind}": _made for kind in ("zeros", "ones", "full", "empty")},
        "clone": lambda result, x, **options: x.copy(),
        "copy": lambda result, target, source, *rest: source,
        "fill": lambda result, target, value: value,
        "zero": lambda result, target: as_scalar(0.0),
        "_to_copy": same,
        "detach": _unary("stop"),
        "alias": _reshape,
        "lift_fresh": _reshape,
        **{op: _reshape for op in ("view", "_unsafe_view", "reshape", "unsqueeze", "squeeze")},
        "expand": _expand,
        "permute": lambda result, x, dims: x.transpose(dims),
        "transpose": lambda result, x, a, b: np.swapaxes(x, a, b),
        "t": lambda result, x: x.T,
        "select": _select,
        "slice": _slice,
        "split": _split,
        "split_with_sizes": _split,
        "unbind": _unbind,
        "cat": lambda result, parts, dim=0: np.concatenate([p for p in parts if p.ndim == result.ndim], axis=dim),
        "stack": lambda result, parts, dim=0: np.stack(parts, axis=dim),
        "repeat": lambda result, x, times: np.tile(x, times),
        "flip": lambda result, x, dims: np.flip(x, dims),
        "diagonal": lambda result, x, offset=0, a=0, b=1: np.diagonal(x, offset, a, b),
        "index": _index,
        "index_select": lambda result, x, dim, index: np.take(x, index.numpy(), axis=dim),
        "gather": lambda result, x, dim, index, **options: np.take_along_axis(x, index.numpy(), axis=dim),
        "sum": _sum,
        "mean": _mean,
        "cumsum": lambda result, x, dim, **options: np.add.accumulate(x, axis=dim),
        "linalg_vector_norm": _norm,
        "mm": _product,
        "bmm": _product,
        "mv": _product,
        "dot": _product,
        "addmm": _add_product,
        "baddbmm": _add_product,
        "addcmul": lambda result, c, a, b, value=1: _lift(c + a * b * value),
        "linalg_cross": _cross,
    }
    return handlers


def _no_power() -> Scalar:
    raise ConfigurationError("A power with a variable exponent has no compiled form.", "Write exp(b * log(a)).")


HANDLERS = _make_tables()
"""What an ATen operation, or its in-place form, does to arrays, by name. The first argument is torch's result."""
