"""Scalar expressions: built with constants folded and common parts shared, and differentiated backwards.

What a compiled rollout is made of: :mod:`.lowering` turns torch functions into them, :mod:`.source` prints them as C++.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Scalar:
    """One number of every lane. Two that are computed in the same way are the same object."""

    op: str
    """``const``, ``input`` or a name in :data:`DERIVATIVES` or :data:`MASKS`."""
    args: tuple[Scalar, ...] = ()
    value: float | str = 0.0
    """Of a constant, or the name of an input."""

    def __add__(self, other: Scalar | float) -> Scalar:
        return apply("add", self, other)

    def __sub__(self, other: Scalar | float) -> Scalar:
        return apply("sub", self, other)

    def __mul__(self, other: Scalar | float) -> Scalar:
        return apply("mul", self, other)

    def __truediv__(self, other: Scalar | float) -> Scalar:
        return apply("div", self, other)

    def __neg__(self) -> Scalar:
        return apply("neg", self)

    def __radd__(self, other: float) -> Scalar:
        return apply("add", other, self)

    def __rsub__(self, other: float) -> Scalar:
        return apply("sub", other, self)

    def __rmul__(self, other: float) -> Scalar:
        return apply("mul", other, self)

    def __rtruediv__(self, other: float) -> Scalar:
        return apply("div", other, self)


_known: WeakValueDictionary[tuple[object, ...], Scalar] = WeakValueDictionary()


def _make(op: str, args: tuple[Scalar, ...] = (), value: float | str = 0.0) -> Scalar:
    key = (op, *args, repr(value))  # repr: 0.0 and -0.0 are two constants
    found = _known.get(key)
    if found is None:
        found = _known[key] = Scalar(op, args, value)
    return found


def constant(value: float) -> Scalar:
    return _make("const", value=float(value))


def variable(name: str) -> Scalar:
    """An input, printed in C++ as ``name``."""
    return _make("input", value=name)


def as_scalar(value: Scalar | float) -> Scalar:
    return value if isinstance(value, Scalar) else constant(value)


def is_constant(value: Scalar, *among: float) -> bool:
    """Whether it is a constant, and one of those given, if any are."""
    return value.op == "const" and (not among or value.value in among)


MASKS: dict[str, Callable[..., float]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
    "not": lambda a: not a,
}
"""What gives true or false, without a derivative."""


def select(condition: Scalar, yes: Scalar | float, no: Scalar | float) -> Scalar:
    return apply("select", condition, yes, no)


def less(a: Scalar | float, b: Scalar | float) -> Scalar:
    return apply("lt", a, b)


VALUES: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b if b else math.copysign(math.inf, a) * math.copysign(1.0, b) if a else math.nan,
    "neg": lambda a: -a,
    "select": lambda c, a, b: a if c else b,
    "max": max,
    "min": min,
    "abs": abs,
    "sign": lambda a: (a > 0) - (a < 0),
    "floor": math.floor,
    "stop": lambda a: a,
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "sin": math.sin,
    "cos": math.cos,
    "exp": math.exp,
    "log": lambda a: math.log(a) if a > 0 else -math.inf,
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "asin": math.asin,
    "acos": math.acos,
    "atan2": math.atan2,
    **MASKS,
}
"""Every operation on numbers."""


DERIVATIVES: dict[str, Callable[..., tuple[Scalar | None, ...]]] = {
    "add": lambda g, y, a, b: (g, g),
    "sub": lambda g, y, a, b: (g, -g),
    "mul": lambda g, y, a, b: (g * b, g * a),
    "div": lambda g, y, a, b: (g / b, -(g / b) * y),
    "neg": lambda g, y, a: (-g,),
    "select": lambda g, y, c, a, b: (None, select(c, g, 0.0), select(c, 0.0, g)),
    "max": lambda g, y, a, b: (g * _share(b, a), g * _share(a, b)),
    "min": lambda g, y, a, b: (g * _share(a, b), g * _share(b, a)),
    "abs": lambda g, y, a: (g * apply("sign", a),),
    "sign": lambda g, y, a: (None,),
    "floor": lambda g, y, a: (None,),
    "stop": lambda g, y, a: (None,),
    "sqrt": lambda g, y, a: (0.5 * g / y,),
    "sin": lambda g, y, a: (g * apply("cos", a),),
    "cos": lambda g, y, a: (-(g * apply("sin", a)),),
    "exp": lambda g, y, a: (g * y,),
    "log": lambda g, y, a: (g / a,),
    "tanh": lambda g, y, a: (g - g * y * y,),
    "sigmoid": lambda g, y, a: (g * (y - y * y),),
    "asin": lambda g, y, a: (g / apply("sqrt", 1.0 - a * a),),
    "acos": lambda g, y, a: (-(g / apply("sqrt", 1.0 - a * a)),),
    "atan2": lambda g, y, a, b: (g * b / (a * a + b * b), -(g * a) / (a * a + b * b)),
}
"""From the adjoint ``g`` of ``y = op(*args)`` to those of the arguments."""


def _share(smaller: Scalar, larger: Scalar) -> Scalar:
    """What of the gradient ``larger`` gets: all where it is larger, half in a tie, as in torch."""
    return select(less(smaller, larger), 1.0, select(apply("eq", smaller, larger), 0.5, 0.0))


def apply(op: str, *operands: Scalar | float) -> Scalar:
    """``op`` of expressions and numbers, simplified: constants are folded; 0 and 1 drop out where they do nothing."""
    args = tuple(as_scalar(a) for a in operands)
    if op not in ("and", "or", "not"):  # true counts as 1
        kept = 1 if op == "select" else 0
        args = (*args[:kept], *(select(a, 1.0, 0.0) if a.op in MASKS else a for a in args[kept:]))
    if all(a.op == "const" for a in args):
        return constant(VALUES[op](*(a.value for a in args)))
    if op in ("add", "sub") and is_constant(args[1], 0.0):
        return args[0]
    if op == "add" and is_constant(args[0], 0.0):
        return args[1]
    if op == "sub" and is_constant(args[0], 0.0):
        return apply("neg", args[1])
    if op == "mul" and any(is_constant(a, 0.0) for a in args) or op == "div" and is_constant(args[0], 0.0):
        return constant(0.0)
    if op in ("mul", "div") and is_constant(args[1], 1.0):
        return args[0]
    if op == "mul" and is_constant(args[0], 1.0):
        return args[1]
    if op in ("mul", "div") and is_constant(args[1], -1.0):
        return apply("neg", args[0])
    if op == "mul" and is_constant(args[0], -1.0):
        return apply("neg", args[1])
    if op == "div" and args[1].op == "const" and args[1].value:
        return apply("mul", args[0], 1.0 / float(args[1].value))
    if op in ("and", "or") and args[1].op == "const":
        args = args[::-1]
    if op in ("and", "or") and args[0].op == "const":
        return args[1] if bool(args[0].value) == (op == "and") else args[0]
    if op == "neg" and args[0].op == "neg":
        return args[0].args[0]
    if op == "select" and args[0].op == "const":
        return args[1] if args[0].value else args[2]
    if op == "select" and args[1] is args[2]:
        return args[1]
    if op in ("add", "mul", "min", "max", "and", "or", "eq") and (op, *args[::-1], repr(0.0)) in _known:
        args = args[::-1]  # a b and b a are one; which came first, not where in memory, so that builds are alike
    return _make(op, args)


def power(base: Scalar, exponent: float) -> Scalar:
    """``base ** exponent`` of a number: products for whole and half exponents, else of a base above 0."""
    if exponent < 0:
        return 1.0 / power(base, -exponent)
    if exponent == 0.5:
        return apply("sqrt", base)
    if exponent != int(exponent):
        return apply("exp", exponent * apply("log", base))
    half = power(base, exponent // 2) if exponent > 1 else constant(1.0)
    return half * half * base if exponent % 2 else half * half


def in_order(outputs: Iterable[Scalar]) -> list[Scalar]:
    """All that the outputs need, each after its arguments."""
    order: dict[Scalar, None] = {}
    for output in outputs:
        stack = [output]
        while stack:
            missing = [a for a in stack[-1].args if a not in order]
            if missing:
                stack.extend(missing)
            else:
                order.setdefault(stack.pop())
    return list(order)


def pull_back(outputs: Sequence[Scalar], adjoints: Sequence[Scalar], inputs: Sequence[Scalar]) -> list[Scalar]:
    """The adjoints of the inputs: ``Σ_k adjoint_k ∂output_k / ∂input`` (reverse mode; Griewank & Walther, "Evaluating
    Derivatives", 2nd ed., SIAM 2008, section 3.2)."""
    reach = set(inputs)
    order = in_order(outputs)
    for node in order:
        if any(a in reach for a in node.args) and node.op in DERIVATIVES:
            reach.add(node)
    total: dict[Scalar, Scalar] = {}
    for output, adjoint in zip(outputs, adjoints, strict=True):
        total[output] = total[output] + adjoint if output in total else adjoint
    for node in reversed(order):
        if node in total and node in reach and node.args:
            parts = DERIVATIVES[node.op](total[node], node, *node.args)
            for arg, part in zip(node.args, parts, strict=True):
                if part is not None and arg in reach:
                    total[arg] = total[arg] + part if arg in total else part
    return [total.get(i, constant(0.0)) for i in inputs]
