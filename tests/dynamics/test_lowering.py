"""Torch functions as scalar expressions: the same values, the same derivatives."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from motorctl.dynamics.expressions import VALUES, Scalar, constant, in_order, power, pull_back, variable
from motorctl.dynamics.lowering import lower
from motorctl.errors import ConfigurationError

ROTATION = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)


def written_in_place(x: Tensor) -> Tensor:
    out = x.new_zeros(len(x), 4)
    out[:, 1] = x[:, 0] * 2
    out[:, 2:] += x[:, :2]
    return out


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "arithmetic": lambda x: (x * 2 - x.flip(1)) / (1.5 + x.square()) + (3 - x) - 0.5 * -x,
    "trigonometry": lambda x: x.sin() * x.cos() + torch.tan(0.3 * x) + torch.atan2(x, x.flip(1) + 3.5),
    "exponentials": lambda x: x.exp() + (x.square() + 1).log() + x.tanh() * torch.sigmoid(x),
    "roots": lambda x: (
        (x.square() + 0.1).sqrt() + (x.square() + 0.1).rsqrt() + (x.abs() + 0.2) ** 1.7 + x**3 + (x + 5) ** -2
    ),
    "inverse": lambda x: torch.asin(0.1 * x) + torch.acos(0.1 * x) + 1 / (x + 7),
    "choices": lambda x: torch.where((x > 0.2) & ~(x > 1), x * 3, x.square()) + (x <= 0).double() * x,
    "bounds": lambda x: x.clamp(-0.5, 0.5) + torch.relu(x) + torch.maximum(x, x.flip(1)) + torch.minimum(x, 0.1 * x),
    "ties": lambda x: torch.maximum(x, x.clone()) + torch.zeros_like(x).clamp(min=0) + (x * 0).abs(),
    "products": lambda x: (
        torch.einsum("ij,bj->bi", ROTATION, x[:, :2]) @ ROTATION + torch.addmm(x[:, :2], x[:, :2], ROTATION)
    ),
    "reductions": lambda x: torch.stack([x.sum(1), x.mean(1), torch.linalg.vector_norm(x + 4, dim=1)], 1) + x.cumsum(1),
    "cross": lambda x: torch.linalg.cross(x, x.flip(1) + 1),
    "shapes": lambda x: torch.cat([x[:, None].expand(-1, 2, -1).reshape(-1, 6), x.unsqueeze(2).mT.squeeze(1)], 1),
    "indices": lambda x: x[:, torch.tensor([2, 0])] * x[:, 1:].unbind(1)[0][:, None],
    "pieces": lambda x: torch.cat([p * k for k, p in enumerate(x.split([1, 2], dim=1), 1)], 1),
    "in place": written_in_place,
    "detached": lambda x: x * x.detach(),
}


def value(node: Scalar, known: dict[str, float]) -> float:
    values: dict[Scalar, float] = {}
    for part in in_order([node]):
        if part.op == "input":
            values[part] = known[str(part.value)]
        else:
            values[part] = float(part.value) if part.op == "const" else VALUES[part.op](*(values[a] for a in part.args))
    return float(values[node])


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_equals_torch(name: str, numbers: list[float]) -> None:
    function = FUNCTIONS[name]
    x = torch.tensor([numbers], dtype=torch.float64, requires_grad=True)
    y = function(x)
    adjoints = torch.linspace(0.3, 1.0, y.shape[1], dtype=torch.float64)
    (gradient,) = torch.autograd.grad((y * adjoints).sum(), x)

    (inputs,), (outputs,) = lower(lambda x: (function(x),), ("x",), (torch.ones(1, 3, dtype=torch.float64),))
    known = {f"x[{i}]": number for i, number in enumerate(numbers)}
    back = pull_back(outputs, [constant(a) for a in adjoints.tolist()], inputs)
    assert [value(o, known) for o in outputs] == pytest.approx(y[0].tolist(), rel=1e-12, abs=1e-12)
    assert [value(b, known) for b in back] == pytest.approx(gradient[0].tolist(), rel=1e-10, abs=1e-10)


def test_zero_and_one_leave_nothing_to_compute() -> None:
    a = variable("a")
    assert a * 1.0 + 0.0 is a
    assert (a * 0.0).op == "const"
    assert -(0.0 - a) is a
    assert a + variable("b") is variable("b") + a
    assert power(a, 2.0) is a * a


def test_what_has_no_compiled_form_is_named() -> None:
    with pytest.raises(ConfigurationError, match="linalg_inv_ex"):
        lower(lambda x: (torch.linalg.inv(x.view(-1, 2, 2)).reshape(-1, 4),), ("x",), (torch.eye(2).reshape(1, 4),))
    with pytest.raises(ConfigurationError, match="_local_scalar_dense"):
        lower(lambda x: (x if x[0, 0] > 0 else -x,), ("x",), (torch.ones(1, 2),))


def test_constants_may_be_made_in_any_way() -> None:
    matrix = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    _, (outputs,) = lower(lambda x: (x @ torch.linalg.inv(matrix),), ("x",), (torch.ones(1, 2),))
    expected = np.array([1.0, -2.0]) @ np.linalg.inv(matrix.numpy())
    assert [value(o, {"x[0]": 1.0, "x[1]": -2.0}) for o in outputs] == pytest.approx(expected, rel=1e-6)
