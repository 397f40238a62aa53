"""Writes goldens.json: what SciPy, NumPy and naive Python say about the statistics of haltbench_analysis.

    pip install scipy==1.17.1 numpy==2.4.6 && python make_goldens.py

Nothing here shares code or an algorithm with the crate: rank correlations are SciPy's, on repeated rows where the crate
uses weights; partial correlations are residuals of numpy.linalg.lstsq; the resamples come from a second
implementation of the ChaCha8 stream (checked against the published zero-key block), so that intervals are compared
exactly and not only within Monte Carlo error.
"""

import json
import pathlib
import warnings

import numpy as np
import scipy
from scipy import stats

warnings.simplefilter("ignore")
rng = np.random.default_rng(20260101)
MASK32, MASK64 = 2**32 - 1, 2**64 - 1


def number(x):
    x = float(x)
    return x if np.isfinite(x) else None


# --- ChaCha8 as rand_chacha 0.10 uses it -------------------------------------------------------------------------


def chacha_block(key, counter, stream, rounds):
    rotl = lambda v, n: ((v << n) & MASK32) | (v >> (32 - n))
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key]
    state += [counter & MASK32, counter >> 32, stream & MASK32, stream >> 32]
    w = state[:]

    def quarter(a, b, c, d):
        w[a] = (w[a] + w[b]) & MASK32; w[d] = rotl(w[d] ^ w[a], 16)
        w[c] = (w[c] + w[d]) & MASK32; w[b] = rotl(w[b] ^ w[c], 12)
        w[a] = (w[a] + w[b]) & MASK32; w[d] = rotl(w[d] ^ w[a], 8)
        w[c] = (w[c] + w[d]) & MASK32; w[b] = rotl(w[b] ^ w[c], 7)

    for _ in range(rounds // 2):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & MASK32 for a, b in zip(w, state)]


# First words of ChaCha8 with an all-zero 256-bit key and nonce (draft-strombergsson-chacha-test-vectors, TC1).
assert b"".join(x.to_bytes(4, "little") for x in chacha_block([0] * 8, 0, 0, 8))[:8].hex() == "3e00ef2f895f40d6"


def key_of(seed):
    """rand_core's seed_from_u64: PCG32 (XSH RR) fills the key."""
    key = []
    for _ in range(8):
        seed = (seed * 0x5851F42D4C957F2D + 0xA17654E46FBE17F3) & MASK64
        x, r = (((seed >> 18) ^ seed) >> 27) & MASK32, seed >> 59
        key.append(((x >> r) | (x << (32 - r))) & MASK32)
    return key


class Stream:
    def __init__(self, seed, stream):
        self.key, self.stream, self.counter, self.words = key_of(seed), stream, 0, []

    def u32(self):
        if not self.words:
            self.words = chacha_block(self.key, self.counter, self.stream, 8)
            self.counter += 1
        return self.words.pop(0)

    def below(self, n):
        while True:
            low = self.u32()
            product = ((self.u32() << 32) | low) * n
            if (product & MASK64) >= 2**64 % n:
                return product >> 64


def resample(instances, seed, index):
    """Drawn seeds with the drawn places in their own lists of instances: sequences are drawn once for all seeds."""
    stream = Stream(seed, index)
    drawn_seeds = [stream.below(len(instances)) for _ in instances] if len(instances) > 1 else [0]
    everything = sorted(set().union(*instances))
    drawn = [everything[stream.below(len(everything))] for _ in everything]
    return [(s, [instances[s].index(i) for i in drawn if i in instances[s]]) for s in drawn_seeds]


# --- correlations --------------------------------------------------------------------------------------------------


def correlations(x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return dict(pearson=None, spearman=None, tau_b=None, somers_y_given_x=None)
    return dict(
        pearson=number(stats.pearsonr(x, y).statistic),
        spearman=number(stats.spearmanr(x, y).statistic),
        tau_b=number(stats.kendalltau(x, y, variant="b").statistic),
        somers_y_given_x=number(stats.somersd(x, y).statistic),
    )


def pair(name, x, y):
    return dict(name=name, x=[float(v) for v in x], y=[float(v) for v in y], **correlations(x, y))


latent = rng.normal(size=120)
pairs = [
    pair("micro-vector", [1, 2, 2, 3, 5, 4], [1, 3, 2, 2, 4, 4]),
    pair("two, rising", [0, 1], [3, 7]),
    pair("two, falling", [0, 1], [7, 3]),
    pair("two, tied in x", [1, 1], [7, 3]),
    pair("one", [1], [2]),
    pair("constant y", [1, 2, 3, 4], [0.1] * 4),
    pair("both constant", [5, 5, 5], [5, 5, 5]),
    pair("perfect, falling", range(10), [-v for v in range(10)]),
    pair("three, negative", [1, 2, 3], [2, 3, 1]),
    pair("many ties", rng.integers(1, 5, 80), rng.integers(1, 4, 80)),
    pair("binary", rng.integers(0, 2, 40), rng.integers(0, 2, 40)),
    pair("depth-like, positive", np.round(3 * latent + 12), np.clip(np.round(latent + rng.normal(size=120) + 4), 1, 6)),
    pair("depth-like, negative", np.round(3 * latent + 12), np.clip(np.round(-latent + rng.normal(size=120) + 4), 1, 6)),
    pair("no ties", latent[:50], latent[:50] + rng.normal(size=50)),
    pair("large offset", 1e9 + np.arange(12), rng.permutation(12)),
    pair("tiny and huge", np.array([1e-300, 2e-300, 5e-300, 3e-300]), np.array([1e200, 4e200, 2e200, 3e200])),
    pair("zero and minus zero", [0.0, -0.0, 1.0, 2.0], [1, 1, 2, 0]),
]
pairs[15]["pearson"] = number(stats.pearsonr([1, 2, 5, 3], [1, 4, 2, 3]).statistic)  # SciPy overflows; scale-free

rank_cases = [
    dict(values=v, ranks=stats.rankdata(v).tolist())
    for v in ([], [3.0], [2.0, 2.0, 2.0], [10.0, 20.0, 10.0, 5.0, 20.0, 20.0], rng.integers(0, 6, 25).astype(float).tolist())
]

x, y, w = rng.integers(0, 5, 60), rng.integers(1, 7, 60), rng.integers(0, 4, 60)
weighted = dict(
    x=x.tolist(), y=y.tolist(), weights=w.tolist(), **correlations(np.repeat(x, w), np.repeat(y, w))
)


def partial(x, y, controls):
    """Pearson of least-squares residuals of ranks, or None when nothing is left."""
    rank = stats.rankdata
    design = np.column_stack([np.ones(len(x))] + [rank(c) for c in controls])
    residual = lambda v: rank(v) - design @ np.linalg.lstsq(design, rank(v), rcond=None)[0]
    rx, ry = residual(x), residual(y)
    if len(x) < np.linalg.matrix_rank(design) + 2 or min(np.linalg.norm(rx), np.linalg.norm(ry)) < 1e-8:
        return None
    return number(stats.pearsonr(rx, ry).statistic)


def partial_case(name, x, y, controls):
    as_list = lambda v: [float(e) for e in v]
    return dict(
        name=name, x=as_list(x), y=as_list(y), controls=[as_list(c) for c in controls], partial=partial(x, y, controls)
    )


size, position = rng.integers(4, 9, 90), rng.integers(0, 20, 90)
c = size + rng.integers(0, 4, 90)
d = np.clip(np.round(0.5 * size + 0.4 * c + rng.normal(size=90)), 1, 9)
partials = [
    partial_case("no control", c, d, []),
    partial_case("size", c, d, [size]),
    partial_case("size and position", c, d, [size, position]),
    partial_case("constant control", c, d, [size, np.full(90, 3)]),
    partial_case("collinear controls", c, d, [size, 2 * size + 1, position]),
    partial_case("control explains depth", c, 3 * size, [size, position]),
    partial_case("constant depth", c, np.full(90, 4), [size, position]),
    partial_case("smallest", [1, 2, 3, 4], [2, 1, 4, 3], [[1, 3, 2, 4]]),
    partial_case("no degree of freedom", [1, 2, 3], [2, 1, 3], [[1, 3, 2]]),
    partial_case("negative", c, -d, [size, position]),
]


def within(x, y, s):
    total, count, defined, undefined = 0.0, 0, 0, 0
    for level in np.unique(s):
        a, b = x[s == level], y[s == level]
        if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
            undefined += 1
            continue
        total, count, defined = total + len(a) * stats.spearmanr(a, b).statistic, count + len(a), defined + 1
    return dict(value=number(total / count) if count else None, count=count, defined=defined, undefined=undefined)


flat = np.where(size == 6, 5, d)  # one stratum where depth is constant
lonely = np.append(size, 99)  # and one with a single token
strata = [
    dict(x=c.tolist(), y=d.tolist(), stratum=size.tolist(), **within(c, d, size)),
    dict(x=np.append(c, 1).tolist(), y=np.append(flat, 1.0).tolist(), stratum=lonely.tolist(),
         **within(np.append(c, 1), np.append(flat, 1), lonely)),
    dict(x=c.tolist(), y=size.tolist(), stratum=size.tolist(), **within(c, size, size)),
]

# --- bootstrap -----------------------------------------------------------------------------------------------------

values = sorted(rng.normal(size=21).tolist())
quantiles = [dict(values=v, p=p, quantile=float(np.quantile(v, p))) for v in (values, [4.0], [1.0, 2.0])
             for p in (0, 0.025, 0.3, 0.5, 0.975, 1)]

draws = [
    dict(instances=each, seed=seed, resample=index, draws=[dict(seed=s, clusters=k) for s, k in resample(each, seed, index)])
    for each, seed, index in (
        ([list(range(9))], 0, 0), ([list(range(9))], 0, 1), ([[2, 3, 5, 8, 13]] * 3, 7, 3),
        ([[1, 4, 6], [4], [0, 4, *range(50, 90)]], 2**64 - 1, 999),
    )
]


def interval(replicates):
    return [float(q) for q in np.quantile(np.asarray(replicates), [0.025, 0.975])]


# Ratio of sums over clusters of unequal size: NumPy's generator and 40,000 resamples, so equal within Monte Carlo error.
sums = [(float(rng.normal(k, 1.0)), int(k)) for k in rng.integers(1, 9, 60)]
array = np.array(sums)
picked = array[rng.integers(0, 60, (40_000, 60))].sum(axis=1)
monte_carlo_single = dict(sums=sums, mean=float(array[:, 0].sum() / array[:, 1].sum()), interval=interval(picked[:, 0] / picked[:, 1]))

# Seeds and sequences, crossed.
grid_rng = np.random.default_rng(7)
grid = grid_rng.normal(size=(6, 1)) + grid_rng.normal(size=(1, 30)) + grid_rng.normal(size=(6, 30))
replicates = []
for _ in range(20_000):
    replicates.append(grid[np.ix_(grid_rng.integers(0, 6, 6), grid_rng.integers(0, 30, 30))].mean())
monte_carlo_crossed = dict(values=grid.tolist(), mean=float(grid.mean()), interval=interval(replicates))

# --- a table of two seeds ------------------------------------------------------------------------------------------

MAX_DEPTH = 6
TABLE_BOOTSTRAP = dict(resamples=120, seed=11)


def make_seed(s):
    rows = []
    for k in range(14):
        instance, size, split = 100 - k, [5, 5, 7, 9][k % 4], ["in_range", "in_range", "in_range", "beyond"][k % 4]
        length = 3 + k % 3
        for position in range(2 + length):
            answer = position >= 2
            complexity = int(rng.integers(1, 4)) + size // 3
            depth = int(np.clip(round(0.7 * complexity + 0.2 * position + rng.normal()), 1, MAX_DEPTH))
            right = bool(rng.random() < (0.97 if k % 2 else 0.6)) if answer else None
            defined = position != 3 or k != 5
            rows.append(dict(instance=instance, split=split, size=size, position=position, is_answer=answer, depth=depth,
                             correct=right, complexity=complexity if defined else None))
    return rows


seeds = [make_seed(0), make_seed(1)]


def rows_of(seed, split=None, answer=True):
    return [r for r in seed if (split is None or r["split"] == split) and (not answer or r["is_answer"])]


def right_instances(seed):
    by = {}
    for r in rows_of(seed):
        by.setdefault(r["instance"], []).append(r["correct"])
    return {i for i, c in by.items() if all(c)}


def instances(seed, split):
    return sorted({r["instance"] for r in rows_of(seed, split, answer=False)})


def repeated(seed, split, picked):
    """All rows of the picked instances, as often as they were picked."""
    order = instances(seed, split)
    rows = []
    for k in picked:
        rows += [r for r in rows_of(seed, split, answer=False) if r["instance"] == order[k]]
    return rows


def token_accuracy(rows):
    graded = [r["correct"] for r in rows if r["is_answer"]]
    return sum(graded), len(graded)


def answer_depth(rows):
    depth = [r["depth"] for r in rows if r["is_answer"]]
    return sum(depth), len(depth)


def all_depth(rows):
    return sum(r["depth"] for r in rows), len(rows)


def saturation(rows):
    depth = [r["depth"] for r in rows if r["is_answer"]]
    return sum(v >= MAX_DEPTH for v in depth), len(depth)


def estimate_ratio(function, split):
    def of(parts):
        n = [function(rows) for rows in parts]
        return sum(a for a, _ in n) / sum(b for _, b in n)

    each = [instances(s, split) for s in seeds]
    shape = [len(own) for own in each]
    whole = of([repeated(s, split, range(n)) for s, n in zip(seeds, shape)])
    sample = [of([repeated(seeds[s], split, k) for s, k in resample(each, TABLE_BOOTSTRAP["seed"], r)])
              for r in range(TABLE_BOOTSTRAP["resamples"])]
    return dict(value=whole, interval=interval(sample))


def exact_match(seed_indexes_and_picks, split):
    hits = total = 0
    for s, picks in seed_indexes_and_picks:
        order, right = instances(seeds[s], split), right_instances(seeds[s])
        hits, total = hits + sum(order[k] in right for k in picks), total + len(picks)
    return hits / total


def estimate_exact(split):
    each = [instances(s, split) for s in seeds]
    shape = [len(own) for own in each]
    sample = [exact_match(resample(each, TABLE_BOOTSTRAP["seed"], r), split) for r in range(TABLE_BOOTSTRAP["resamples"])]
    return dict(value=exact_match([(s, range(n)) for s, n in enumerate(shape)], split), interval=interval(sample))


def alignment(rows):
    col = lambda name: np.array([float(r[name]) for r in rows])
    c, d = col("complexity"), col("depth")
    r = correlations(c, d)
    return [r["spearman"], within(c, d, col("size"))["value"], partial(c, d, [col("size"), col("position")]),
            r["somers_y_given_x"], r["tau_b"]]


def estimate_alignment(split, correct_only):
    def of(s, picks):
        right = right_instances(seeds[s])
        rows = [r for r in repeated(seeds[s], split, picks)
                if r["is_answer"] and r["complexity"] is not None and (not correct_only or r["instance"] in right)]
        return alignment(rows)

    each = [instances(s, split) for s in seeds]
    shape = [len(own) for own in each]
    whole = np.mean([of(s, range(n)) for s, n in enumerate(shape)], axis=0)
    sample = np.array([np.mean(np.array([of(s, k) for s, k in resample(each, TABLE_BOOTSTRAP["seed"], r)], float), axis=0)
                       for r in range(TABLE_BOOTSTRAP["resamples"])])
    names = ["spearman", "within_size", "partial", "somers_d", "tau_b"]
    assert np.isfinite(sample).all()
    return {n: dict(value=float(v), interval=interval(sample[:, i])) for i, (n, v) in enumerate(zip(names, whole))}


def levels(split):
    rows = [r for s in seeds for r in rows_of(s, split) if r["complexity"] is not None]
    return [dict(level=v, count=len(g), accuracy=float(np.mean([r["correct"] for r in g])), depth=float(np.mean([r["depth"] for r in g])))
            for v in sorted({r["complexity"] for r in rows}) for g in [[r for r in rows if r["complexity"] == v]]]


column_names = list(seeds[0][0])
table = dict(
    max_depth=MAX_DEPTH,
    bootstrap=TABLE_BOOTSTRAP,
    seeds=[{name: [r[name] for r in s] for name in column_names} for s in seeds],
    quality={split: dict(token_accuracy=estimate_ratio(token_accuracy, split), exact_match=estimate_exact(split),
                         answer_depth=estimate_ratio(answer_depth, split), depth=estimate_ratio(all_depth, split),
                         saturation=estimate_ratio(saturation, split))
             for split in ("in_range", "beyond")},
    alignment=dict(all=estimate_alignment(None, False), in_range=estimate_alignment("in_range", False),
                   correct_only=estimate_alignment(None, True)),
    levels=levels(None),
)

# --- frontier and ranking ------------------------------------------------------------------------------------------


def dominated(p, points):
    return any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)


def frontier_case(points, queries):
    kept = sorted({p for p in points if not dominated(p, points)})
    at = [float(np.interp(q, [p[0] for p in kept], [p[1] for p in kept])) if q >= kept[0][0] else None for q in queries]
    return dict(points=points, kept=kept, queries=queries, accuracy=at)


frontiers = [
    frontier_case([(1.0, 0.2), (2.0, 0.5), (3.0, 0.45), (4.0, 0.8), (6.0, 0.8)], [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 9.0]),
    frontier_case([(2.0, 0.7)], [1.0, 2.0, 3.0]),
    frontier_case([(1.0, 0.3), (1.0, 0.6), (1.0, 0.3)], [1.0]),
    frontier_case([(float(a), float(b)) for a, b in zip(rng.integers(1, 15, 25), rng.random(25).round(3))],
                  [float(v) for v in rng.uniform(0, 16, 20).round(3)]),
]

base = rng.normal(size=400)
replicate_table = np.array([base + shift + spread * rng.normal(size=400)
                            for shift, spread in ((0.0, 0.1), (1.0, 0.1), (1.05, 0.1), (0.85, 0.2), (0.02, 0.1), (-2.0, 0.1))])
replicate_table[4, :50] = replicate_table[0, :50]  # exact ties in some replicates
replicate_table = replicate_table.round(6)


def tie(a, b):
    low, high = np.quantile(replicate_table[a] - replicate_table[b], [0.025, 0.975])
    return bool(low <= 0 <= high)


best = np.array([stats.rankdata(-column, method="min") for column in replicate_table.T]).T
worst = np.array([stats.rankdata(-column, method="max") for column in replicate_table.T]).T
walk = list(np.argsort(-replicate_table.mean(axis=1), kind="stable"))
group, leader, number_of_groups = {}, None, 0
for p in walk:
    if leader is None or not tie(leader, p):
        leader, number_of_groups = p, number_of_groups + 1
    group[p] = number_of_groups
ranking = dict(
    replicates=replicate_table.tolist(),
    rank_low=np.quantile(best, 0.025, axis=1, method="lower").astype(int).tolist(),
    rank_high=np.quantile(worst, 0.975, axis=1, method="higher").astype(int).tolist(),
    group=[group[p] for p in range(len(replicate_table))],
)

out = dict(
    versions=dict(scipy=scipy.__version__, numpy=np.__version__),
    pairs=pairs, ranks=rank_cases, weighted=weighted, partials=partials, strata=strata, quantiles=quantiles, draws=draws,
    monte_carlo_single=monte_carlo_single, monte_carlo_crossed=monte_carlo_crossed, table=table, frontiers=frontiers,
    ranking=ranking,
)
path = pathlib.Path(__file__).with_name("goldens.json")
lines = ",\n".join(f" {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in out.items())
path.write_text("{\n" + lines + "\n}\n")
