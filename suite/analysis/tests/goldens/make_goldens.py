"""Writes goldens.json: what SciPy, NumPy and naive Python say about the statistics of haltbench_analysis.

    pip install scipy==1.17.1 numpy==2.4.6 && python make_goldens.py

Nothing here shares code or an algorithm with the crate: rank correlations are SciPy's, on repeated rows where the crate
uses weights; partial correlations are residuals of numpy.linalg.lstsq, with classes as columns of zeros and ones; mean squares
come from explicit least-squares fits; jackknife replicates are computed from rows that are really left out; frontiers are the
largest accuracies over all mixtures of two points.
"""

import itertools
import json
import pathlib
import warnings

import numpy as np
import scipy
from scipy import stats

warnings.simplefilter("ignore")
rng = np.random.default_rng(20260101)


def number(x):
    x = float(x)
    return x if np.isfinite(x) else None


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


def partial(x, y, controls, classes=None):
    """Pearson of least-squares residuals of ranks, or None when nothing is left."""
    rank = stats.rankdata
    one_hot = [] if classes is None else [np.asarray(classes) == k for k in np.unique(classes)]
    design = np.column_stack([np.ones(len(x))] + [rank(c) for c in controls] + one_hot).astype(float)
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

token = rng.integers(0, 7, 90)
as_class = lambda name, x, y, controls, classes: dict(
    name=name, x=[float(v) for v in x], y=[float(v) for v in y], controls=[[float(v) for v in c] for c in controls],
    classes=[float(v) for v in classes], partial=partial(x, y, controls, classes))
in_classes = [
    as_class("token", c, d, [], token),
    as_class("token, size and position", c, d, [size, position], token),
    as_class("token and what it explains", c, d, [token % 3, size, token], token),
    as_class("depth is the token's", c, token % 4, [position], token),
    as_class("every token once", c[:9], d[:9], [], range(9)),
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


# --- quantiles -----------------------------------------------------------------------------------------------------

t_quantiles = [dict(level=level, df=df, quantile=float(stats.t.ppf((1 + level) / 2, df)))
               for level in (0.5, 0.95, 0.95 ** (1 / 6), 0.95 ** (1 / 66)) for df in (1, 2, 3, 4, 9, 10, 49, 199, 3999)]
none_of = [dict(trials=n, level=0.95, share=float(stats.binomtest(0, n).proportion_ci(0.95, "exact").high))
           for n in (1, 4, 50, 2000)]

# --- crossed tables ------------------------------------------------------------------------------------------------


def mean_squares(y):
    """Mean squares as what each factor takes out of the residual sum of squares of a least-squares fit."""
    s, n = y.shape
    seed, sequence = np.repeat(np.arange(s), n), np.tile(np.arange(n), s)
    dummies = lambda codes: (codes[:, None] == np.unique(codes)).astype(float)

    def left(*factors):
        design = np.column_stack([np.ones(s * n)] + [dummies(f) for f in factors])
        return float(((y.ravel() - design @ np.linalg.lstsq(design, y.ravel(), rcond=None)[0]) ** 2).sum())

    nothing, seeds, sequences, both = left(), left(seed), left(sequence), left(seed, sequence)
    return (max(nothing - seeds, 0.0) / (s - 1) if s > 1 else 0.0, (nothing - sequences) / (n - 1),
            both / ((s - 1) * (n - 1)) if s > 1 else 0.0)


def half_width(y, level=0.95):
    y = np.asarray(y, float)
    s, n = y.shape
    a, b, e = mean_squares(y)
    t = lambda df: float(stats.t.ppf((1 + level) / 2, df))
    if s == 1:
        return t(n - 1) * float(np.std(y, ddof=1)) / np.sqrt(n)
    return float(np.sqrt(t(s - 1) ** 2 * a / (s * n) + t(n - 1) ** 2 * max(b - e, 0.0) / (s * n)))


def estimate(y, value=None, bounds=(-np.inf, np.inf), sequences=None):
    y = np.asarray(y, float)
    value = float(y.mean()) if value is None else float(value)
    if np.ptp(y) < 1e-12 and np.isfinite(bounds[0]):
        share = stats.binomtest(0, sequences or y.shape[1]).proportion_ci(0.95, "exact").high
        return dict(value=value, interval=[value - share * (value - bounds[0]), value + share * (bounds[1] - value)])
    width = half_width(y)
    return dict(value=value, interval=[max(value - width, bounds[0]), min(value + width, bounds[1])])


def crossed_case(s, n, seed_sd, sequence_sd):
    y = 3 + seed_sd * rng.normal(size=(s, 1)) + sequence_sd * rng.normal(size=(1, n)) + rng.normal(size=(s, n))
    y = y.round(6)
    return dict(values=y.tolist(), mean_squares=mean_squares(y), **estimate(y))


crossed = [crossed_case(*case) for case in ((1, 9, 0, 1), (2, 12, 0.0, 2.0), (2, 12, 3.0, 0.0), (5, 30, 1.0, 1.0), (3, 4, 0.2, 0.1))]


def linearised(sums, counts):
    sums, counts = np.asarray(sums, float), np.asarray(counts, float)
    kept = counts.sum(axis=0) > 0
    sums, counts = sums[:, kept], counts[:, kept]
    ratio = sums.sum() / counts.sum()
    return ratio + (sums - ratio * counts) / counts.mean()


# --- a table of two seeds ------------------------------------------------------------------------------------------

MAX_DEPTH = 5
INSTANCES = 54


def make_seed(s):
    rows = []
    for k in range(INSTANCES):
        instance, size = 3 * (INSTANCES - k), [3, 4, 5, 7][k % 4]
        length = 3 + k % 2
        for position in range(1 + length):
            answer = position >= 1
            own_size = 4 if size == 7 and position == 1 else size
            split = {3: "in_range", 4: "embedded" if size == 7 else "in_range", 5: "in_range", 7: "beyond"}[own_size]
            shared = np.random.default_rng([k, position])  # what all seeds share about a token
            complexity = int(shared.integers(1, 4)) + own_size // 3
            read = int(shared.integers(0, 4))
            depth = int(np.clip(round(0.9 * complexity + 0.2 * position + 0.3 * s + rng.normal()), 1, MAX_DEPTH))
            right = bool(rng.random() < (0.97 if k % 2 else 0.6)) if answer else None
            at_token = int(np.clip(round(0.6 * complexity + rng.normal()), 1, MAX_DEPTH)) if position < length else None
            rows.append(dict(
                instance=instance, problem=instance - 6 if k % 9 == 4 else instance, split=split, size=size, own_size=own_size, position=position, is_answer=answer,
                input_token=read, depth=depth, depth_at_token=at_token, correct=right, flops=10.0 + 100 * depth,
                dense_flops=10.0 + 100 * MAX_DEPTH + size, complexity=complexity if position != 3 or k != 5 else None,
                digits=float(shared.integers(0, 3)), gap=None if k == 9 else float(shared.integers(0, 9))))
    return rows


seeds = [make_seed(0), make_seed(1)]
NUMBERS = sorted({r["instance"] for r in seeds[0]})
PROBLEMS = sorted({r["problem"] for r in seeds[0]})
ORDER = ["in_range", "embedded", "between", "beyond"]
SPLIT_OF = {i: max((r["split"] for r in seeds[0] if r["instance"] == i), key=ORDER.index) for i in NUMBERS}


def ratio(split, by_instance, answers, numerator, denominator, bounds=(-np.inf, np.inf)):
    sums, counts = np.zeros((len(seeds), len(PROBLEMS))), np.zeros((len(seeds), len(PROBLEMS)))
    for s, seed in enumerate(seeds):
        for r in seed:
            if (r["is_answer"] or not answers) and split in (None, SPLIT_OF[r["instance"]] if by_instance else r["split"]):
                sums[s, PROBLEMS.index(r["problem"])] += numerator(r)
                counts[s, PROBLEMS.index(r["problem"])] += denominator(r)
    return estimate(linearised(sums, counts), sums.sum() / counts.sum(), bounds)


def exact(seed):
    wrong = {r["instance"] for r in seed if r["correct"] is False}
    return {i: i not in wrong for i in NUMBERS}


def quality(split):
    one = lambda r: 1
    kept = [i for i in NUMBERS if split in (None, SPLIT_OF[i])]
    sums, counts = np.zeros((len(seeds), len(PROBLEMS))), np.zeros((len(seeds), len(PROBLEMS)))
    for s, i in itertools.product(range(len(seeds)), kept):
        place = PROBLEMS.index(next(r["problem"] for r in seeds[s] if r["instance"] == i))
        sums[s, place] += exact(seeds[s])[i]
        counts[s, place] += 1
    return dict(
        token_accuracy=ratio(split, False, True, lambda r: r["correct"], one, (0, 1)),
        exact_match=estimate(linearised(sums, counts), sums.sum() / counts.sum(), (0, 1)) if kept else None,
        answer_depth=ratio(split, False, True, lambda r: r["depth"], one),
        depth=ratio(split, True, False, lambda r: r["depth"], one) if kept else None,
        first_step=ratio(split, False, True, lambda r: r["depth"] <= 1, one, (0, 1)),
        saturation=ratio(split, False, True, lambda r: r["depth"] >= MAX_DEPTH, one, (0, 1)),
        flops=ratio(split, True, False, lambda r: r["flops"], one) if kept else None,
        flops_share=ratio(split, True, False, lambda r: r["flops"], lambda r: r["dense_flops"]) if kept else None,
    )


def column(rows, name):
    return np.array([float(r[name]) for r in rows])


STATISTICS = dict(
    spearman=lambda rows, depth: stats.spearmanr(column(rows, "complexity"), column(rows, depth)).statistic,
    within_size=lambda rows, depth: within(column(rows, "complexity"), column(rows, depth), column(rows, "own_size"))["value"],
    partial=lambda rows, depth: partial(column(rows, "complexity"), column(rows, depth), [column(rows, "own_size"), column(rows, "position")]),
    somers_d=lambda rows, depth: stats.somersd(column(rows, "complexity"), column(rows, depth)).statistic,
    tau_b=lambda rows, depth: stats.kendalltau(column(rows, "complexity"), column(rows, depth), variant="b").statistic,
    beyond_static=lambda rows, depth: partial(column(rows, "complexity"), column(rows, depth), [column(rows, "digits")] + places(rows), contexts(rows)),
)

# The last tokens that had been read where a row was predicted, its own first; rows of a sequence follow one another.
for seed in seeds:
    for place, row in enumerate(seed):
        back = [other for other in seed[max(0, place - 2):place + 1][::-1] if other["instance"] == row["instance"]]
        row["context"] = tuple(other["input_token"] for other in back)
context_length = 1
places_are_taken_out = False


def contexts(rows):
    known = {}
    return np.array([known.setdefault(row["context"][:context_length], len(known)) for row in rows], dtype=float)


def places(rows):
    at = [(row["size"], row["own_size"], row["position"]) for row in rows]
    return [np.array([float(own == place) for own in at]) for place in sorted(set(at))] if places_are_taken_out else []


def longest_common(kept):
    """Of three tokens, or fewer if each would not occur in ten tokens of every seed on average."""
    for length in (3, 2):
        if all(10 * len({row["context"][:length] for row in rows}) <= len(rows) for rows in kept):
            return length
    return 1


def jackknife(statistic, split, correct_only=False, depth="depth", above_lowest=False):
    def used(seed):
        right = exact(seed)
        return [r for r in seed if r["is_answer"] and r["complexity"] is not None and r[depth] is not None
                and split in (None, r["split"]) and (not correct_only or right[r["instance"]])]

    global context_length, places_are_taken_out
    kept = [used(seed) for seed in seeds]
    context_length = longest_common(kept)
    places_are_taken_out = all(
        10 * len({(r["size"], r["own_size"], r["position"]) for r in rows}) <= len(rows) for rows in kept)
    numbers = sorted({r["problem"] for rows in kept for r in rows})
    if above_lowest:
        lowest = min(r["complexity"] for rows in kept for r in rows)
        kept = [[r for r in rows if r["complexity"] > lowest] for rows in kept]
    blocks = min(50, len(numbers))
    block = {number: place % blocks for place, number in enumerate(numbers)}
    pseudo = []
    for rows in kept:
        theta = statistic(rows, depth)
        without = np.array([statistic([r for r in rows if block[r["problem"]] != b], depth) for b in range(blocks)])
        values = blocks * theta - (blocks - 1) * without
        pseudo.append(values - values.mean() + theta)
    return dict(count=sum(map(len, kept)), **estimate(pseudo, bounds=(-1, 1)))


def alignment(split, correct_only):
    of = {name: jackknife(statistic, split, correct_only) for name, statistic in STATISTICS.items()}
    of["above_lowest"] = jackknife(STATISTICS["spearman"], split, correct_only, above_lowest=True)
    of["at_token"] = jackknife(STATISTICS["spearman"], split, correct_only, depth="depth_at_token")
    return of


def grouped(key, split=None):
    answers = [[r for r in seed if r["is_answer"] and r[key] is not None and split in (None, r["split"])] for seed in seeds]
    levels = sorted({r[key] for rows in answers for r in rows})

    def y(level, numerator, numbers):
        sums, counts = np.zeros((2, len(numbers))), np.zeros((2, len(numbers)))
        for s, rows in enumerate(answers):
            for r in rows:
                if r[key] == level:
                    sums[s, numbers.index(r["problem"])] += numerator(r)
                    counts[s, numbers.index(r["problem"])] += 1
        mean = sums.sum() / counts.sum()
        # The formula of linearisation, with the mean count over these sequences, whether or not they have such tokens.
        return mean + (sums - mean * counts) / counts.mean()

    def own(*wanted):
        return sorted({r["problem"] for rows in answers for r in rows if r[key] in wanted})

    depth, right = (lambda r: r["depth"]), (lambda r: r["correct"])
    found = [dict(level=level, count=sum(r[key] == level for rows in answers for r in rows),
                  accuracy=estimate(y(level, right, own(level)), bounds=(0, 1)), depth=estimate(y(level, depth, own(level))))
             for level in levels]
    steps = [dict(**{"from": a, "to": b}, depth=estimate(y(b, depth, own(a, b)) - y(a, depth, own(a, b))))
             for a, b in zip(levels, levels[1:])]
    return found, steps


levels, increments = grouped("complexity", "in_range")
table = dict(
    max_depth=MAX_DEPTH,
    seeds=[{name: [r[name] for r in s] for name in seeds[0][0]} for s in seeds],
    quality={split: quality(split) for split in ("in_range", "embedded", "beyond")},
    alignment=dict(all=alignment(None, False), in_range=alignment("in_range", False), correct_only=alignment(None, True)),
    levels=levels, increments=increments, sizes=grouped("own_size")[0],
)

# --- frontier ------------------------------------------------------------------------------------------------------


def mixed(points, cost):
    """The largest accuracy of a mixture of two points, or of one, whose cost is no more than `cost`."""
    best = [accuracy for c, accuracy in points if c <= cost]
    for (c1, a1), (c2, a2) in itertools.permutations(points, 2):
        if c1 <= cost < c2:
            best.append(a1 + (a2 - a1) * (cost - c1) / (c2 - c1))
    return float(max(best)) if best else None


def frontier_case(points, queries):
    return dict(points=points, queries=queries, accuracy=[mixed(points, q) for q in queries])


frontiers = [
    frontier_case([(1.0, 0.2), (2.0, 0.5), (3.0, 0.45), (4.0, 0.8), (6.0, 0.8)], [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 9.0]),
    frontier_case([(2.0, 0.7)], [1.0, 2.0, 3.0]),
    frontier_case([(1.0, 0.3), (1.0, 0.6), (1.0, 0.3)], [1.0]),
    frontier_case([(1.0, 0.1), (2.0, 0.2), (3.0, 0.3), (4.0, 0.2)], [1.5, 2.5, 3.5]),
    frontier_case([(float(a), float(b)) for a, b in zip(rng.integers(1, 15, 25), rng.random(25).round(3))],
                  [float(v) for v in rng.uniform(0, 16, 20).round(3)]),
]

result = dict(
    versions=dict(scipy=scipy.__version__, numpy=np.__version__), pairs=pairs, ranks=rank_cases, weighted=weighted,
    partials=partials, in_classes=in_classes, strata=strata, t_quantiles=t_quantiles, none_of=none_of, crossed=crossed, table=table,
    frontiers=frontiers,
)
lines = ",\n".join(f" {json.dumps(k)}: {json.dumps(v, allow_nan=False)}" for k, v in result.items())
pathlib.Path(__file__).with_name("goldens.json").write_text("{\n" + lines + "\n}\n")
