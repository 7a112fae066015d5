"""Options of the test run, and its threads."""

import os

import pytest

# Before torch is imported, here and in the processes that tests start. `make test` runs two processes of tests, and
# threads of theirs would wait for each other, spinning.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parity-seeds",
        default="0:200",
        metavar="START:STOP",
        help="seeds of the slow parity tests; the first tenth of them with pixels (default: 0:200)",
    )


@pytest.fixture(scope="session")
def parity_seeds(pytestconfig: pytest.Config) -> range:
    """The seeds that were asked for."""
    start, _, stop = pytestconfig.getoption("--parity-seeds").partition(":")
    return range(int(start), int(stop))
