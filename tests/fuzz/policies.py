"""Problems under policies that misbehave, and the judge of what comes of them."""

import signal
import time
import traceback
from contextlib import contextmanager

from hypothesis import strategies as st
from reference import roles
from strategies import problems, seeds

from fuzz import misbehaviour
from fuzz.misbehaviour import METHODS, policy_of
from fuzz.targets import MOST_S, Broken
from rtsched.errors import PolicyError
from rtsched.run import run
from rtsched.testing import outcome_faults

HANG_S = 20
"""Wall time after which a run counts as one that hangs."""

OWN = (misbehaviour.__file__, roles.__file__)


@st.composite
def choices(draw):
    """What a policy does wrong: one method or two, of whichever roles."""
    methods = draw(st.lists(st.sampled_from(sorted(METHODS)), min_size=1, max_size=2, unique=True))
    return [(one, draw(st.sampled_from(sorted(METHODS[one][2]))), draw(st.sampled_from([0, 0, 1, 5]))) for one in methods]


@st.composite
def cases(draw, n_policies=1):
    """A problem, `n_policies` lists of what policies do wrong, a salt and a seed."""
    return draw(problems()), draw(st.lists(choices(), min_size=n_policies, max_size=n_policies)), draw(st.integers(0, 100)), draw(seeds)


def judge_policy(problem, wrongs, salt, seed):
    """Run a policy and say whether the run ended normally, and the CPU time in s.

    Raises
    ------
    Broken
        The run raised what it must not, took too long, or its result breaks the engine's rules.
    """
    begin = time.process_time()
    outcome, has_ended = None, False
    try:
        with limited(HANG_S):
            outcome = run(problem, policy_of(wrongs, salt), seed=seed, layers=True)
            has_ended = True
    except PolicyError as error:
        outcome = error.outcome
    except Broken:
        raise
    except Exception as error:
        if not any(frame.filename in OWN for frame in traceback.extract_tb(error.__traceback__)[1:] if frame.name != "policy_of"):
            raise Broken(f"{wrongs}: {type(error).__name__}: {str(error)[:200]}") from error
    seconds = time.process_time() - begin
    if seconds > MOST_S:
        raise Broken(f"{wrongs}: took {seconds:.1f} s")
    faults = [] if outcome is None else outcome_faults(outcome)
    if faults:
        raise Broken(f"{wrongs}: {faults[0][:300]}")
    return has_ended, seconds


@contextmanager
def limited(seconds):
    """Raise `Broken` in what takes longer than it may."""

    def stop(number, frame):
        raise Broken(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
