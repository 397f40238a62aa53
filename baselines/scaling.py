"""How time and memory of a training step grow with depth, length, batch and width.

    python3 scaling.py [--program ../target/debug/haltbench] [--repetitions 5]

One size is doubled at a time from the same start. Prints the exponents of the powers that fit best (least squares on
logarithms), for depth the memory that one more step takes beside the numbers that its backward pass reads, and the memory
of a whole step beside all that its backward pass reads, with all rows in all steps and at a third of the depth. Needs
Python alone.
"""

import argparse
import json
import math
import subprocess
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "target" / "debug" / "haltbench"
START = {"d-model": 128, "d-ff": 512, "depth": 4, "heads": 8, "batch": 16, "length": 64}
DOUBLED = {
    "depth": [{"depth": depth} for depth in (4, 8, 16, 32)],
    "length": [{"length": length} for length in (32, 64, 128, 256)],
    "batch": [{"batch": batch} for batch in (8, 16, 32, 64)],
    "width": [{"d-model": width, "d-ff": 4 * width} for width in (64, 128, 256, 512)],
}
# Shapes whose whole step is measured.
WHOLE = [
    {"d-model": 128, "d-ff": 512, "depth": 6, "heads": 8, "batch": 64, "length": 64},
    {"d-model": 256, "d-ff": 1664, "depth": 14, "heads": 8, "batch": 32, "length": 40},
]
# What the process holds without a model to speak of.
NOTHING = {"d-model": 8, "d-ff": 8, "depth": 1, "heads": 1, "batch": 1, "length": 2}


def measure(program: Path, repetitions: int, sizes: dict[str, int]) -> dict:
    arguments = [f"--{name}={value}" for name, value in {**START, **sizes}.items()]
    command = [program, "bench", "step", "--json", f"--repetitions={repetitions}", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def read_by_backward(sizes: dict[str, int], mean_depth: float, decider: int) -> float:
    """Bytes that the backward pass of a step reads, weights left out; `decider` is the width of the decider."""
    rows, width, feed_forward = sizes["batch"] * sizes["length"], sizes["d-model"], sizes["d-ff"]
    # Queries, attended values, the state between the two halves, gate and up: of rows that run, in prelude and coda too.
    running = (mean_depth + 2) * (3 * width + 2 * feed_forward)
    # Of all rows: keys, values and the state that each layer reads, and for the gates the candidate of each step.
    everywhere = (sizes["depth"] + 2) * 3 * width + sizes["depth"] * width
    return 4 * rows * (running + everywhere + width + 2 * decider)


def exponent(xs: list[float], ys: list[float]) -> float:
    xs, ys = [math.log(x) for x in xs], [math.log(y) for y in ys]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, default=PROGRAM)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    nothing = measure(options.program, 1, NOTHING)["peak_memory_bytes"]
    print(f"{'':8} {'values':20} {'ms':>28} {'MB':>24} {'time':>6} {'memory':>7}")
    for name, runs in DOUBLED.items():
        sizes = [next(iter(run.values())) for run in runs]
        reports = [measure(options.program, options.repetitions, run) for run in runs]
        times = [report["fastest_ms"] for report in reports]
        memory = [report["peak_memory_bytes"] - nothing for report in reports]
        columns = [" ".join(f"{value:.0f}" for value in values) for values in (sizes, times, [m / 1e6 for m in memory])]
        exponents = exponent(sizes, times), exponent(sizes, memory)
        print(f"{name:8} {columns[0]:20} {columns[1]:>28} {columns[2]:>24} {exponents[0]:6.2f} {exponents[1]:7.2f}")
        if name == "depth":
            step = (memory[-1] - memory[-2]) / (sizes[-1] - sizes[-2])
            # States, queries, keys, values, attended values and the state between the two halves, and gate and up.
            rows = START["batch"] * START["length"]
            read = 4 * rows * (6 * START["d-model"] + 2 * START["d-ff"])
            print(f"{'':8} one more step takes {step / 1e6:.2f} MB; its backward pass reads {read / 1e6:.2f} MB: {step / read:.2f}")
    for sizes in WHOLE:
        for mean_depth in (sizes["depth"], sizes["depth"] / 3):
            report = measure(options.program, options.repetitions, {**sizes, "mean-depth": mean_depth})
            # Weights with their gradients and two moments.
            weights = 16 * 3 * (4 * sizes["d-model"] ** 2 + 3 * sizes["d-model"] * sizes["d-ff"])
            taken = report["peak_memory_bytes"] - nothing - weights
            read = read_by_backward(sizes, report["drawn_mean_depth"], 4 * sizes["d-model"])
            print(
                f"d_model {sizes['d-model']}, mean depth {mean_depth:.1f} of {sizes['depth']}: a step takes {taken / 1e6:.0f} MB; "
                f"its backward pass reads {read / 1e6:.0f} MB: {taken / read:.2f}"
            )


if __name__ == "__main__":
    main()
