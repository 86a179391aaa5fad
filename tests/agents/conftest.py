"""Networks this small are slower on two threads than on one."""

from collections.abc import Iterator

import pytest

from motorctl.threads import one_thread


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
