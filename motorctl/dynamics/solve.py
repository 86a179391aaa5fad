"""Small symmetric systems, a batch of them, unrolled: for 2 x 2, LAPACK takes longer, and it does not compile."""

from __future__ import annotations

import torch
from torch import Tensor


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """x of A x = b for symmetric positive definite A, by A = L D L' (Golub & Van Loan, "Matrix Computations", 4.1).

    Args:
        matrix: A (n, n, batch); the lower triangle is read.
        right: b (n, batch).

    Returns:
        x (n, batch).
    """
    n = len(right)
    entries, x = matrix.flatten(0, 1).unbind(), list(right.unbind())
    lower: list[list[Tensor]] = []
    pivots: list[Tensor] = []
    for i in range(n):
        row: list[Tensor] = []  # of L
        scaled: list[Tensor] = []  # of L D
        for j in range(i):
            entry = entries[i * n + j]
            for k in range(j):
                entry = entry - scaled[k] * lower[j][k]
            scaled.append(entry)
            row.append(entry / pivots[j])
        pivot = entries[i * n + i]
        for k in range(i):
            pivot = pivot - scaled[k] * row[k]
            x[i] = x[i] - row[k] * x[k]
        lower.append(row)
        pivots.append(pivot)
    for i in reversed(range(n)):
        x[i] = x[i] / pivots[i]
        for k in range(i + 1, n):
            x[i] = x[i] - lower[k][i] * x[k]
    return torch.stack(x)
