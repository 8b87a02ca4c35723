"""Hypothesis profiles, slow tests, and tables that comparisons with measurements leave at the end of a run.

Fixed examples by default, `HYPOTHESIS_PROFILE=long` for a search, `brief` for builds that are slow. Slow tests run only
with `RTSCHED_SLOW=1`.
"""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# A shell that starts programs in the background lets them ignore Ctrl-C, and then tests of it wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "ci", derandomize=True, max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("brief", settings.get_profile("ci"), max_examples=15)
settings.register_profile("long", max_examples=5000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

TABLES = pytest.StashKey()


def pytest_configure(config):
    """Make room for tables."""
    config.stash[TABLES] = []


def pytest_runtest_setup(item):
    """Skip what takes minutes unless it is asked for."""
    if item.get_closest_marker("slow") is not None and os.environ.get("RTSCHED_SLOW") != "1":
        pytest.skip("slow; set RTSCHED_SLOW=1")


@pytest.fixture(scope="session")
def show_table(request):
    """Print a table, with its title, after the tests."""
    return lambda title, text: request.config.stash[TABLES].append((title, text))


def pytest_sessionfinish(session):
    """Hand the tables of a process of pytest-xdist over."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tables"] = session.config.stash[TABLES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take them over."""
    node.config.stash[TABLES] += getattr(node, "workeroutput", {}).get("tables", [])


def pytest_terminal_summary(terminalreporter, config):
    """Print the tables."""
    for title, text in config.stash[TABLES]:
        terminalreporter.section(title)
        terminalreporter.write_line(text.strip("\n"))
