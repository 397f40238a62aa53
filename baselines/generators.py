"""Instances drawn by plain Python and by `haltbench bench data`, in turn on one thread of one machine.

    python3 generators.py [--program ../target/debug/haltbench] [--seconds 2] [--rounds 3] [--released FOLDER]

The laws of Brevo, Depo, Lano and Mano (Physics of Language Models 4.1, arXiv 2512.17351, section 2.1), written here as one
would write them in Python: tokens, labels and the answer, no complexities and no features, whereas our side draws all of
them; of Lano both draw a string with its derivation. Brevo's tuple also has its breadth-first depth, as the published
program has. Prints instances per second of each and their ratio, both at their fastest, since other programs only ever slow
them down, and the lowest and the highest ratio of a round. Needs Python alone, and cargo for Lano, which is a bench.

With `--released`, the programs themselves are timed instead: FOLDER holds `brevo.py`, `depo.py`, `mano.py` and Lano's
`data_cfg.py` as the authors publish them (github.com/facebookresearch/PhysicsLM4).
"""

import argparse
import itertools
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from unittest.mock import MagicMock

GRAMMARS = ["cfg3b", "cfg3f", "cfg3j", "cfg3k"]
# Seconds of the pieces of which the fastest counts; ours are of 1,000 instances.
WINDOW = 0.05
REPOSITORY = Path(__file__).resolve().parents[1]
PROGRAM = REPOSITORY / "target" / "debug" / "haltbench"


def names(generator: random.Random, count: int, vocabulary: int, shortest: int, longest: int) -> list[list[int]]:
    """Distinct names; the last token of a name is larger than the vocabulary."""
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:
        tokens = [generator.randint(1, vocabulary) for _ in range(generator.randint(shortest, longest))]
        tokens[-1] += vocabulary
        found[tuple(tokens)] = None
    return [list(name) for name in found]


def brevo(generator: random.Random, size: int, spelled: tuple[int, int, int] | None) -> tuple[list[int], list[int], int]:
    if spelled:
        words = names(generator, size, *spelled)
    else:
        words = [[label] for label in generator.sample(range(1, size + 1), size)]
    leaves = generator.randint(1, (size - 1) // 4 + 1)
    parents: list[list[int]] = [[] for _ in range(size)]
    children: list[list[int]] = [[] for _ in range(size)]
    for node in range(leaves, size):
        candidates = [other for other in range(node) if len(children[other]) < 4]
        for parent in generator.sample(candidates, generator.randint(1, min(4, len(candidates)))):
            parents[node].append(parent)
            children[parent].append(node)
    edges = [(parent, node) for node in range(size) for parent in parents[node]]
    generator.shuffle(edges)
    query = size - 1
    distance, waiting = {query: 0}, deque([query])
    while waiting:
        node = waiting.popleft()
        for parent in parents[node]:
            if parent not in distance:
                distance[parent] = distance[node] + 1
                waiting.append(parent)
    missing = {node: sum(child in distance for child in children[node]) for node in distance}
    ready, order = [query], []
    while ready:
        node = ready.pop(generator.randrange(len(ready)))
        order.append(node)
        for parent in parents[node]:
            missing[parent] -= 1
            if missing[parent] == 0:
                ready.append(parent)
    order.reverse()
    tokens = [9999]
    for parent, node in edges:
        tokens += words[parent] + words[node]
    tokens += [9997] + words[query] + [9998]
    labels = [0] * (len(tokens) - 1) + [1]
    for node in order:
        tokens += words[node]
        labels += [1] * len(words[node])
    tokens.append(9996)
    labels.append(1)
    return tokens, labels, min(distance[node] for node in distance if not parents[node])


def depo(generator: random.Random, size: int, spelled: tuple[int, int, int], hops: int) -> tuple[list[int], list[int]]:
    words = names(generator, size, *spelled)
    generator.shuffle(words)
    edges = list(range(size))
    generator.shuffle(edges)
    tokens = [9999]
    for start in edges:
        tokens += words[start] + words[(start + 1) % size]
    labels = [0] * len(tokens)
    for start in generator.sample(range(size), min(10, size)):
        count = generator.randint(1, hops)
        answer = words[(start + count) % size]
        tokens += [9000 + count] + words[start] + [9500] + answer
        labels += [0] * (1 + len(words[start])) + [1] * (1 + len(answer))
    return tokens, labels


def expression(generator: random.Random, operators: int, tokens: list[int]) -> int:
    if operators == 0:
        value = generator.randint(0, 22)
        tokens.append(5000 + value)
        return value
    operator = generator.randint(1, 3)
    tokens.append(operator)
    left_size = generator.randint(0, operators - 1)
    left = expression(generator, left_size, tokens)
    right = expression(generator, operators - 1 - left_size, tokens)
    if operator == 1:
        return (left + right) % 23
    return (left - right) % 23 if operator == 2 else (left * right) % 23


def mano(generator: random.Random, size: int) -> tuple[list[int], list[int]]:
    tokens = [9999, 10 * size]
    value = expression(generator, size, tokens)
    tokens += [10 * size + 4, 5000 + value]
    return tokens, [1] * len(tokens)


def grammar(name: str) -> dict[str, list[list[str]]]:
    """The alternatives of every symbol."""
    rules = {}
    for line in (REPOSITORY / "tasks" / "lano" / "grammars" / f"{name}.txt").read_text().splitlines():
        if "->" in line:
            symbol, alternatives = line.split("->")
            rules[symbol.strip()] = [alternative.split() for alternative in alternatives.split("|")]
    return rules


def levels_of(rules: dict[str, list[list[str]]]) -> list[list[str]]:
    """The symbols of every level, from the root's to the terminals."""
    levels = [["S"]]
    while levels[-1][0] in rules:
        alternatives = itertools.chain.from_iterable(rules[symbol] for symbol in levels[-1])
        levels.append(sorted(set(itertools.chain.from_iterable(alternatives))))
    return levels


def derive(generator: random.Random, rules: dict, symbol: str, above: list, numbers: list) -> list[list]:
    """The terminals under a symbol, each with the symbols above it and their numbers within their levels."""
    number = next(numbers[len(above) // 2])
    if symbol not in rules:
        return [[symbol, number, *above]]
    tokens, path = [], [symbol, number, *above]
    for child in generator.choice(rules[symbol]):
        tokens += derive(generator, rules, child, path, numbers)
    return tokens


def lano(generator: random.Random, rules: dict) -> list[list[list]]:
    return [derive(generator, rules, "S", [], [itertools.count() for _ in range(9)])]


def law(largest: int) -> tuple[range, list[float]]:
    """The sizes of Brevo and Depo in training, and the weight of each."""
    sizes = range(3, largest + 1)
    return sizes, [1 / (size + largest**0.5) for size in sizes]


def typical(largest: int, count: int = 24) -> list[int]:
    """The middle sizes of so many equally likely stretches of sizes in training."""
    sizes, weights = law(largest)
    below = list(itertools.accumulate(weights))
    middles = [(place + 0.5) / count * below[-1] for place in range(count)]
    return [next(size for size, total in zip(sizes, below) if total >= middle) for middle in middles]


def trained(draw, largest: int):
    """Draws at sizes of training; `draw` takes a generator and a size."""
    sizes, weights = law(largest)
    below = list(itertools.accumulate(weights))
    return lambda g: draw(g, g.choices(sizes, cum_weights=below)[0])


BREVO1 = ["maximum_nodes=110", "order=any", "spare_vocabulary=false"]
BREVO2 = ["maximum_nodes=50", "order=any", "spare_vocabulary=false", "vocabulary=4", "shortest_name=2", "longest_name=4"]
DEPO1 = ["maximum_nodes=375", "spare_vocabulary=false", "vocabulary=50", "shortest_name=1", "longest_name=2"]
DEPO2 = ["maximum_nodes=125", "spare_vocabulary=false", "vocabulary=3", "shortest_name=5", "longest_name=7", "maximum_hops=16"]


def brevo1(generator: random.Random, size: int):
    return brevo(generator, size, None)


def brevo2(generator: random.Random, size: int):
    return brevo(generator, size, (4, 2, 4))


def depo1(generator: random.Random, size: int):
    return depo(generator, size, (50, 1, 2), 8)


def depo2(generator: random.Random, size: int):
    return depo(generator, size, (3, 5, 7), 16)


# Name, what Python draws, arguments of `haltbench bench data`: the sizes, all equally likely, are drawn one after the other.
CASES = [
    ("Mano l = 10", lambda g: mano(g, 10), "mano", [10], []),
    ("Mano l = 16", lambda g: mano(g, 16), "mano", [16], []),
    ("Mano l = 1 to 10", lambda g: mano(g, g.randint(1, 10)), "mano", range(1, 11), []),
    ("Mano l = 1 to 16", lambda g: mano(g, g.randint(1, 16)), "mano", range(1, 17), []),
    ("Brevo1 n = N = 110", lambda g: brevo1(g, 110), "brevo", [110], BREVO1),
    ("Brevo1 training, N = 110", trained(brevo1, 110), "brevo", typical(110), BREVO1),
    ("Brevo2 n = N = 50", lambda g: brevo2(g, 50), "brevo", [50], BREVO2),
    ("Brevo2 training, N = 50", trained(brevo2, 50), "brevo", typical(50), BREVO2),
    ("Depo1 n = N = 375", lambda g: depo1(g, 375), "depo", [375], DEPO1),
    ("Depo1 training, N = 375", trained(depo1, 375), "depo", typical(375), DEPO1),
    ("Depo2 n = N = 125", lambda g: depo2(g, 125), "depo", [125], DEPO2),
    ("Depo2 training, N = 125", trained(depo2, 125), "depo", typical(125), DEPO2),
    # Of Lano, a bench draws what published programs draw.
    *((f"Lano {name}", lambda g, rules=grammar(name): lano(g, rules), "lano", [name], []) for name in GRAMMARS),
]


def released(folder: Path) -> dict:
    """How the published programs draw each case."""
    functions = {}
    # Lano's imports them for what is not timed here.
    sys.modules.update({name: MagicMock() for name in ["torch", "torch.nn", "numpy", "xlsxwriter", "tqdm"]})
    for name in ["brevo", "depo", "mano", "data_cfg"]:
        # As published, they print examples, use names that they never define, and assert one of those.
        functions[name] = {"__name__": name, "random": random, "print": lambda *_: None}
        functions[name] |= {"bos_token_id": 9999, "eos_token_id": 9996}
        path = folder / f"{name}.py"
        exec(compile(path.read_text(), path, "exec", optimize=1), functions[name])
    brevo, depo, mano = functions["brevo"], functions["depo"], functions["mano"]
    graph = brevo["TopoSortDepthStats"]

    def expression(generator: random.Random, sizes: list[int]) -> list[list[int]]:
        return [mano["encode_pure_arithmetic"](generator, sizes, sizes, mano["ops"])]

    def order(generator: random.Random, *arguments, **options) -> dict:
        brevo["rng"] = generator
        return brevo["topsort_data"](*arguments, **options)

    def cycle(generator: random.Random, *arguments, **options) -> dict:
        depo["rng"] = generator
        return depo["depo_data"](*arguments, **options)

    def strings(name: str):
        node, language = functions["data_cfg"]["CFG_Node"], functions["data_cfg"]["CFG_Config"]()
        rules = grammar(name)
        levels = levels_of(rules)
        language.all = [[node(language, depth, 0, symbol) for symbol in level] for depth, level in enumerate(levels)]
        for level, below in zip(language.all, levels[1:]):
            for symbol in level:
                symbol.children = [[below.index(child) for child in alternative] for alternative in rules[symbol.name]]
        return lambda g: [language.generate_onedata(g)]

    short = {"mini_vocab": 50, "min_tlen": 1, "max_tlen": 2}

    return {
        "Mano l = 10": lambda g: expression(g, [10]),
        "Mano l = 16": lambda g: expression(g, [16]),
        "Mano l = 1 to 10": lambda g, sizes=list(range(1, 11)): expression(g, sizes),
        "Mano l = 1 to 16": lambda g, sizes=list(range(1, 17)): expression(g, sizes),
        "Brevo1 n = N = 110": lambda g: graph(110, vocab_size=110).generate_tokens(g),
        "Brevo1 training, N = 110": lambda g: order(g, 110),
        "Brevo2 n = N = 50": lambda g: graph(50, vocab_size=50).generate_tokens(g, multi=True),
        "Brevo2 training, N = 50": lambda g: order(g, 50, multi=True),
        "Depo1 n = N = 375": lambda g: cycle(g, 375, 8, QA=True, **short),
        "Depo1 training, N = 375": lambda g: cycle(g, 375, 8, **short),
        "Depo2 n = N = 125": lambda g: cycle(g, 125, 16, QA=True),
        "Depo2 training, N = 125": lambda g: cycle(g, 125, 16),
        **{f"Lano {name}": strings(name) for name in GRAMMARS},
    }


def python_rate(draw, seed: int, seconds: float) -> tuple[float, float]:
    """Instances per second of processor time in the fastest piece of WINDOW seconds, and their mean length."""
    generator = random.Random(seed)
    total, length, fastest, ended = 0, 0, 0.0, time.process_time() + seconds
    while time.process_time() < ended:
        started, count = time.process_time(), 0
        while (passed := time.process_time() - started) < WINDOW:
            for _ in range(20):
                length += len(draw(generator)[0])
            count += 20
        total += count
        fastest = max(fastest, count / passed)
    return fastest, length / total


def our_rate(program: Path, task: str, sizes: list, settings: list[str]) -> tuple[float, float | None]:
    """Instances per second, and their mean length where it is told."""
    if task == "lano":
        return derivations_rate(sizes[0]), None
    command = [program, "bench", "data", "--json", "--threads=1", "--repetitions=30", f"--task={task}"]
    for setting in settings:
        command += ["--set", setting]
    milliseconds, instances, lengths = 0.0, 0, []
    for size in sizes:
        output = subprocess.run([*command, f"--size={size}"], check=True, capture_output=True, text=True).stdout
        report = json.loads(output)
        milliseconds += report["fastest_ms"]
        instances += report["instances"]
        lengths.append(report["mean_length"])
    return 1000 * instances / milliseconds, statistics.mean(lengths)


def derivations_rate(name: str) -> float:
    """Strings of a grammar per second with their derivations."""
    command = "cargo bench --profile dev -p haltbench_task_lano --bench derivation -- --output-format bencher".split()
    command += ["--warm-up-time", "0.5", "--measurement-time", "1", name]
    run = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return 1e9 / int(re.search(r"bench: +([0-9,]+) ns/iter", run.stdout)[1].replace(",", ""))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time of each measurement in Python")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--released", type=Path, metavar="FOLDER", help="time the programs in this folder")
    options = parser.parse_args()
    programs = released(options.released) if options.released else {}
    print("| instances of | tokens, Python and ours | Python, 1/s | ours, 1/s | ours / Python | lowest to highest |")
    print("|---|---|---|---|---|---|")
    for name, draw, task, sizes, settings in CASES:
        theirs, ours, ratios = [], [], []
        for seed in range(options.rounds):
            rate, length = python_rate(programs.get(name, draw), seed, options.seconds)
            our, our_length = our_rate(options.program, task, sizes, settings)
            theirs.append(rate)
            ours.append(our)
            ratios.append(our / rate)
        figures = f"{max(theirs):.0f} | {max(ours):.0f} | {max(ours) / max(theirs):.0f}"
        lengths = f"{length:.0f}, {our_length:.0f}" if our_length else f"{length:.0f}"
        print(f"| {name} | {lengths} | {figures} | {min(ratios):.0f} to {max(ratios):.0f} |", flush=True)


if __name__ == "__main__":
    main()
