"""Instances drawn by plain Python and by `haltbench bench data`, in turn on one thread of one machine.

    python3 generators.py [--program ../target/debug/haltbench] [--seconds 2] [--rounds 3] [--released FOLDER]

The laws of Brevo, Depo and Mano (Physics of Language Models 4.1, arXiv 2512.17351, section 2.1), written here as one would
write them in Python: tokens, labels and the answer, no complexities and no features, whereas our side draws all of them.
Brevo's tuple also has its breadth-first depth, as the published program has. Prints instances per second of each and their
ratio, both at their fastest, since other programs only ever slow them down, and the lowest and the highest ratio of a
round. Needs Python alone.

With `--released`, the programs themselves are timed instead: FOLDER holds `brevo.py`, `depo.py` and `mano.py` as the
authors publish them (github.com/facebookresearch/PhysicsLM4).
"""

import argparse
import json
import random
import statistics
import subprocess
import time
from collections import deque
from pathlib import Path

# Seconds of the pieces of which the fastest counts; ours are of 1,000 instances.
WINDOW = 0.05
PROGRAM = Path(__file__).resolve().parents[1] / "target" / "debug" / "haltbench"


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


# Name, what Python draws, arguments of `haltbench bench data`: the sizes, all equally likely, are drawn one after the other.
CASES = [
    ("Mano l = 10", lambda g: mano(g, 10), "mano", [10], []),
    ("Mano l = 16", lambda g: mano(g, 16), "mano", [16], []),
    ("Mano l = 1 to 10", lambda g: mano(g, g.randint(1, 10)), "mano", range(1, 11), []),
    ("Mano l = 1 to 16", lambda g: mano(g, g.randint(1, 16)), "mano", range(1, 17), []),
    (
        "Brevo1 n = N = 110",
        lambda g: brevo(g, 110, None),
        "brevo",
        [110],
        ["maximum_nodes=110", "order=any", "spare_vocabulary=false"],
    ),
    (
        "Brevo2 n = N = 50",
        lambda g: brevo(g, 50, (4, 2, 4)),
        "brevo",
        [50],
        ["maximum_nodes=50", "order=any", "spare_vocabulary=false", "vocabulary=4", "shortest_name=2", "longest_name=4"],
    ),
    (
        "Depo1 n = N = 375",
        lambda g: depo(g, 375, (50, 1, 2), 8),
        "depo",
        [375],
        ["maximum_nodes=375", "spare_vocabulary=false", "vocabulary=50", "shortest_name=1", "longest_name=2"],
    ),
    (
        "Depo2 n = N = 125",
        lambda g: depo(g, 125, (3, 5, 7), 16),
        "depo",
        [125],
        [
            "maximum_nodes=125",
            "spare_vocabulary=false",
            "vocabulary=3",
            "shortest_name=5",
            "longest_name=7",
            "maximum_hops=16",
        ],
    ),
]


def released(folder: Path) -> dict:
    """How the published programs draw each case."""
    functions = {}
    for name in ["brevo", "depo", "mano"]:
        # As published, they print examples, use names that they never define, and assert one of those.
        functions[name] = {"random": random, "print": lambda *_: None, "bos_token_id": 9999, "eos_token_id": 9996}
        path = folder / f"{name}.py"
        exec(compile(path.read_text(), path, "exec", optimize=1), functions[name])
    graph, depo, mano = functions["brevo"]["TopoSortDepthStats"], functions["depo"], functions["mano"]

    def expression(generator: random.Random, sizes: list[int]) -> list[list[int]]:
        return [mano["encode_pure_arithmetic"](generator, sizes, sizes, mano["ops"])]

    def cycle(generator: random.Random, *arguments, **options) -> dict:
        depo["rng"] = generator
        return depo["depo_data"](*arguments, QA=True, **options)

    return {
        "Mano l = 10": lambda g: expression(g, [10]),
        "Mano l = 16": lambda g: expression(g, [16]),
        "Mano l = 1 to 10": lambda g, sizes=list(range(1, 11)): expression(g, sizes),
        "Mano l = 1 to 16": lambda g, sizes=list(range(1, 17)): expression(g, sizes),
        "Brevo1 n = N = 110": lambda g: graph(110, vocab_size=110).generate_tokens(g),
        "Brevo2 n = N = 50": lambda g: graph(50, vocab_size=50).generate_tokens(g, multi=True),
        "Depo1 n = N = 375": lambda g: cycle(g, 375, 8, mini_vocab=50, min_tlen=1, max_tlen=2),
        "Depo2 n = N = 125": lambda g: cycle(g, 125, 16),
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


def our_rate(program: Path, task: str, sizes: list[int], settings: list[str]) -> tuple[float, float]:
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
        lengths = f"{length:.0f}, {our_length:.0f}"
        print(f"| {name} | {lengths} | {figures} | {min(ratios):.0f} to {max(ratios):.0f} |", flush=True)


if __name__ == "__main__":
    main()
