"""A study under way: what is missing of it is made into batches, and what comes of them goes into the store."""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from rtsched.study.many import WAIT_S
from rtsched.study.store import Store
from rtsched.study.sweep.backends import Backend, opened
from rtsched.study.sweep.batches import Batch, Done, Item, label_settings
from rtsched.study.sweep.checks import Checked
from rtsched.study.sweep.grid import Cell
from rtsched.study.sweep.interrupts import ctrl_c_later
from rtsched.study.sweep.pairs import document_at, policy_at
from rtsched.study.sweep.studies import Studies, settings_text

__all__ = ["SweepInterrupted", "run_study"]

BATCH_S = 1.0
"""Wall time that a batch should take: so much is lost when a process is killed, and so often a process asks for more."""

FIRST_ITEMS = 2
"""Runs of a batch, before anybody knows how long they take."""

MAX_ITEMS = 2000

Progress = Callable[[int, int], None]


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a study. What was finished is in the store.

    Attributes
    ----------
    n_new : int
        Runs that were finished now.
    """

    def __init__(self, n_new: int) -> None:
        super().__init__("interrupted")
        self.n_new = n_new


def run_study(
    inputs: Checked, store: Store, *, backend: Backend = "loky", workers: int | None = None, progress: Progress | None = None
) -> int:
    """Run what the store does not have of a study that was checked, and return how many runs that were.

    Further parameters and errors are those of `Study.run`.
    """
    sweep = _Sweep(inputs, store)
    n_before = store.n_added
    try:
        with _telling(sweep, progress), opened(backend, workers) as (do, n_workers):
            sweep.is_here = n_workers == 1 and backend == "loky"
            with closing(do(sweep.batches())) as results:
                for done in results:
                    with ctrl_c_later():
                        sweep.take(done)
    except KeyboardInterrupt:
        raise SweepInterrupted(store.n_added - n_before) from None
    sweep.report()
    return store.n_added - n_before


class _Sweep:
    """What is missing, batch by batch, and what becomes of it.

    Batches may be asked for by any thread, one at a time. What goes wrong then is kept for `report`, since a thread of a back end
    would lose it.
    """

    def __init__(self, inputs: Checked, store: Store) -> None:
        self._inputs = inputs
        self._store = store
        self._studies = Studies(store)
        study = inputs.grid.study
        own = {scenario: name for (scenario, platform), name in inputs.platforms.items() if platform is None}
        self._number = self._studies.begin(study, own, inputs.inputs)
        self._id = uuid.uuid4().hex
        self._folder = study.folder.absolute()  # for processes in other folders
        self._fault: BaseException | None = None
        self._n_items = FIRST_ITEMS
        self.n_runs = inputs.grid.n_runs
        self.n_done = 0
        self.is_here = False

    def report(self) -> None:
        """Raise what went wrong while batches were made."""
        if self._fault is not None:
            raise self._fault

    def take(self, done: Done) -> None:
        """Store what comes of a batch: each run in one transaction."""
        for places, key, run in done.runs:
            if run is not None:
                if not self._store.add(key, run):
                    self._studies.share_label(key, run.label)
                self.n_done += len(places)
            else:
                self.n_runs -= len(places)
        self._studies.enter(self._number, [(places, key) for places, key, _ in done.runs])
        if done.failure is not None:
            raise done.failure.raised()
        fitting = len(done.runs) * BATCH_S / max(done.wall_s, 1e-6)
        self._n_items = int(max(1, min(fitting, 4 * self._n_items, MAX_ITEMS)))

    def batches(self) -> Iterator[Batch]:
        """Yield them, by problem."""
        try:
            cells = enumerate(self._inputs.grid.cells())
            for _, group in itertools.groupby(cells, key=lambda one: _problem_of(one[1])):
                members = list(group)
                items = self._items(members)
                while some := tuple(itertools.islice(items, 1 if self.is_here else self._n_items)):
                    yield self._batch(members[0][1], some)
        except BaseException as error:
            self._fault = error

    def _batch(self, cell: Cell, items: tuple[Item, ...]) -> Batch:
        study = self._inputs.grid.study
        return Batch(
            sweep=self._id,
            scenario=document_at(cell.scenario, self._folder),
            platform=None if cell.platform is None else document_at(cell.platform, self._folder),
            names=self._names(cell),
            load=study.load,
            duration_s=study.duration_s,
            settings=cell.settings,
            items=items,
        )

    def _names(self, cell: Cell) -> tuple[str, str]:
        return cell.scenario, self._inputs.platforms[cell.scenario, cell.platform]

    def _items(self, cells: Sequence[tuple[int, Cell]]) -> Iterator[Item]:
        """Runs of cells of one problem, each once."""
        grid = self._inputs.grid
        found: dict[tuple[int, str], tuple[dict[str, Any], list[int]]] = {}
        for number, cell in cells:
            for policy, paths in enumerate(self._inputs.paths):
                changes = {path: value for path, value in cell.of_policies.items() if path in paths}
                found.setdefault((policy, _json(changes)), (changes, []))[1].append(number)
        size = grid.n_policies * grid.n_seeds
        members = self._studies.at(self._number, cells[0][0] * size, (cells[-1][0] + 1) * size)
        for (policy, _), (changes, numbers) in found.items():
            ref = policy_at(grid.study.policies[policy], self._folder)
            known = self._known(cells[0][1], changes)
            for i, seed in enumerate(grid.study.seed_list):
                places = tuple(number * size + policy * grid.n_seeds + i for number in numbers)
                keys = [members[place] for place in places if place in members]
                yield Item(places, ref, changes, seed, tuple(dict.fromkeys([*keys, *known.get((self._inputs.names[policy], seed), ())])))

    def _known(self, cell: Cell, changes: dict[str, Any]) -> dict[tuple[str, int], list[str]]:
        load = cell.settings.get("scenario.load", self._inputs.loads[cell.scenario, cell.platform])
        return self._studies.known((*self._names(cell), settings_text(label_settings({**cell.settings, **changes})), load))


def _problem_of(cell: Cell) -> str:
    return _json([cell.scenario, cell.platform, cell.settings])


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@contextmanager
def _telling(sweep: _Sweep, progress: Progress | None) -> Iterator[None]:
    """Tell the progress from a thread of its own, since the results of long runs come seldom."""
    if progress is None:
        yield
        return
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(WAIT_S):
            progress(sweep.n_done, sweep.n_runs)

    thread = threading.Thread(target=tell, name="rtsched-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    progress(sweep.n_done, sweep.n_runs)
