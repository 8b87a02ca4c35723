"""The indexed heap against a dictionary, as a rule-based machine."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rtsched._core._testing import RankedHandles, UnorderedHandles

small = st.integers(-3, 3)


class HeapMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.heap, self.model = RankedHandles(), {}

    @rule(key=st.one_of(small, st.integers(-(2**63), 2**63 - 1)), second=small, task=st.integers(0, 2), handle=st.integers(0, 200))
    def push(self, key, second, task, handle):
        if handle not in self.model:
            self.heap.push(key, second, task, handle, handle)
            self.model[handle] = (key, second, task, handle)

    @precondition(lambda self: self.model)
    @rule()
    def pop(self):
        handle = self.heap.pop()
        assert self.model[handle] == min(self.model.values())
        del self.model[handle]

    @precondition(lambda self: self.model)
    @rule(key=small, second=small, task=st.integers(0, 2), handle=st.integers(0, 300))
    def replace(self, key, second, task, handle):
        if handle not in self.model:
            least = min(self.model.values())
            first = self.heap.replace(key, second, task, handle, handle)
            assert self.model.pop(first) == least
            self.model[handle] = (key, second, task, handle)

    @rule(handle=st.integers(0, 300))
    def remove(self, handle):
        self.heap.remove(handle)
        self.model.pop(handle, None)

    @invariant()
    def same_content(self):
        assert len(self.heap) == len(self.model)
        assert all((handle in self.heap) == (handle in self.model) for handle in range(0, 300, 7))

    def teardown(self):
        assert [self.heap.pop() for _ in range(len(self.heap))] == sorted(self.model, key=self.model.__getitem__)


TestHeap = HeapMachine.TestCase


@given(st.lists(st.tuples(small, small, st.integers(0, 2), st.integers(0, 9)), min_size=1, max_size=40), st.booleans())
def test_entries_in_no_order(keys, is_looked_at):
    queue = UnorderedHandles()
    for handle, key in enumerate(keys):
        queue.append(*key, handle)
        assert not is_looked_at or keys[queue.first()] == min(keys[: handle + 1])
    assert [keys[handle] for handle in queue.pop_all()] == sorted(keys)
