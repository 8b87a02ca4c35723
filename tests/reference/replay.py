"""The rules of prema, sdrm3 and dysta in plain Python, those of their replay included."""

import numpy as np

from rtsched.policies.roles import Mapper


def whole_job(state, row):
    """The first layer of the job's subnet, of the largest until it is chosen."""
    p = state.problem
    subnet = p.model_first_subnet[p.task_model[state.task[row]]] + max(0, int(state.subnet[row]))
    return p.block_first_layer[p.subnet_first_block[subnet]]


def idle_ns(state):
    return state.now_ns - state.last_end_ns


class MostTokens(Mapper):
    estimate_tiles = 64

    def __init__(self, mode="auto", classes=(1.0, 3.0, 9.0)):
        self.mode, self.classes = mode, classes

    def start(self, problem):
        run = MostTokens(self.mode, self.classes)
        run.tokens = {}
        return run

    def level(self, tokens):
        return max([i for i, level in enumerate(self.classes) if level <= tokens], default=0)

    def earned(self, state, row):
        """Tokens of a job, and whether they count for the threshold."""
        job = (int(state.task[row]), int(state.frame[row]))
        first = self.classes[self.level(state.priority[row])]
        slowdown = int(idle_ns(state)[row]) / int(state.problem.togo_mean_ns[whole_job(state, row), -1])
        if self.mode == "auto":
            return first * (1.0 + slowdown), True
        if job not in self.tokens:
            self.tokens[job] = first
            return first, False
        self.tokens[job] += first * slowdown
        return self.tokens[job], True

    def score(self, state):
        earned = [self.earned(state, row) for row in range(state.n_ready)]
        threshold = max([self.level(tokens) for tokens, counts in earned if counts], default=0)
        behind = np.array([max(0, threshold - self.level(tokens)) for tokens, _ in earned])
        # Exact: the largest possible number of levels times the longest time is far below 2**53.
        return -(behind * (state.togo_mean_ns.max() + 1) + state.togo_mean_ns).astype(np.float64)

    def tiles(self, state, row, accelerator):
        p = state.problem
        first, last = p.option_first[accelerator], p.option_first[accelerator + 1]
        return max([1, *(n for n in range(1, last - first + 1) if p.costs["t_iso_ns"][state.layer[row], first + n - 1] > 0)])


class MapScore(Mapper):
    def __init__(self, alpha=1.0, late="negative"):
        self.alpha, self.late = alpha, late

    def score(self, state):
        p = state.problem
        scores = []
        for row in range(state.n_ready):
            able = [int(time) for time in p.costs["t_iso_ns"][state.layer[row], p.option_first[:-1]] if time > 0]
            score = min(1.0, int(state.togo_mean_ns[row]) / (int(state.slack_ns[row]) or -1))
            if able:
                score += self.alpha * (int(idle_ns(state)[row]) / (sum(able) / len(able)))
            if self.late == "replay" and score < 0:
                score = float(state.release_ns[row] - state.now_ns - 1)
            scores.append(score)
        return np.array(scores)


class LeastScore(Mapper):
    is_monitored = True

    def __init__(self, beta=0.01):
        self.beta = beta

    def start(self, problem):
        run = type(self)(self.beta)
        run.measured = {}  # (task, frame): (end of the last layer, ratios of all executed layers)
        run.layer = {}  # (task, frame): that was dispatched last
        return run

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        run = state.running
        self.layer[task, frame] = int(run.layer[(run.task == task) & (run.frame == frame)][0])

    def ratio(self, state, row):
        """Every layer is seen here, because a decision follows it at once, and this mapper commits one at a time."""
        job, end = (int(state.task[row]), int(state.frame[row])), int(state.last_end_ns[row])
        if not self.is_monitored or state.start_ns[row] < 0:
            return 1.0
        seen, ratios = self.measured.get(job, (None, []))
        if seen != end:
            sparsity, average = float(state.sparsity[row]), float(state.problem.layer_sparsity[self.layer[job]])
            is_known = not np.isnan(sparsity) and not np.isnan(average) and average < 1.0
            ratios = [*ratios, (1.0 - sparsity) / (1.0 - average) if is_known else 1.0]
            self.measured[job] = end, ratios
        total = 0.0
        for one in ratios:
            total += one
        return total / len(ratios)

    def score(self, state):
        n_live = state.n_ready + state.running.n
        scores = []
        for row in range(state.n_ready):
            left_s = self.ratio(state, row) * (int(state.togo_mean_ns[row]) / 1e9)
            spare_s = max(0.0, int(state.slack_ns[row]) / 1e9 - left_s)
            waited = int(idle_ns(state)[row]) / int(state.problem.togo_mean_ns[whole_job(state, row), 0])
            scores.append(-(left_s + self.beta * (spare_s + waited / n_live)))
        return np.array(scores)


class LeastEstimatedScore(LeastScore):
    is_monitored = False
