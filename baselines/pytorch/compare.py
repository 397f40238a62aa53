"""Sets the suite beside PyTorch: speed as a ratio from one run on one machine, or agreement of losses and gradients.

    python compare.py step [--shapes d64,d256] [--policy anira-e] [--mean-depth 4.7] [--threads 2] [--rounds 3]
    python compare.py eval ...
    python compare.py decode --mean-depth D/3 [--new 32]
    python compare.py agree [--shapes d64] [--policy anira-o]

Speed: `haltbench bench` and `bench.py` run in turn, A B A B, so that both see the same state of the machine; each
round gives a ratio of tokens per second, ours over PyTorch's, and the table shows the median of the rounds with the
lowest and the highest. `--mean-depth` goes to our side alone: the peer always takes all D steps. `D/3` is a third of
each shape's depth.

Agreement: `haltbench bench step --dump DIR` writes the weights, the batch, the noise, the losses and the gradients of
one step before clipping; the peer computes them from the same weights and the same noise. With `--mean-depth` the noise
is such that tokens halt at depths with that mean.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

import weights
from peer import EARLY, EXPLICIT, ONLINE, SDPA, Peer, Sizes

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / "target" / "release" / "haltbench"
# What our side says about itself against the same run at all D steps.
SAVINGS = {
    "claimed_share": "mean depth / D", "ideal_share": "operations", "measured_share": "time",
    "efficiency": "efficiency", "cache_share": "cache",
}  # fmt: skip
# What the policies take where a dump does not say.
DEFAULTS = {"gamma": 0.1, "base": 1.25, "temperature": 1.0}
# A gradient much smaller than the largest is compared on this share of the largest's scale: it is rounding.
FLOOR = 1e-6


@dataclass(frozen=True)
class Shape:
    d_model: int
    d_ff: int
    depth: int
    heads: int
    batch: int
    length: int

    def arguments(self) -> list[str]:
        return [
            f"--d-model={self.d_model}", f"--d-ff={self.d_ff}", f"--depth={self.depth}", f"--heads={self.heads}",
            f"--batch={self.batch}", f"--length={self.length}",
        ]


SHAPES = {
    "d32": Shape(32, 128, 6, 4, 64, 32),
    "d64": Shape(64, 256, 6, 8, 64, 32),
    "d128": Shape(128, 512, 6, 8, 64, 64),
    "d256": Shape(256, 1664, 14, 8, 32, 40),
    "d512": Shape(512, 2048, 6, 8, 16, 64),
}


def output_of(command: list[str], threads: int) -> str:
    """Standard output of a command run with `threads` threads, whichever library it asks."""
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")}
    done = subprocess.run(command, env=os.environ | limits, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nleft with status {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def measured(command: list[str], threads: int) -> dict:
    result = json.loads(output_of([*command, "--json"], threads))
    if result["threads"] != threads:
        sys.exit(f"{command[0]} used {result['threads']} threads, not {threads}")
    return result


def mean_depth(options: argparse.Namespace, shape: Shape) -> list[str]:
    if options.mean_depth is None:
        return []
    text = options.mean_depth
    value = shape.depth / float(text[2:]) if text.startswith("D/") else float(text)
    return [f"--mean-depth={value}"]


def rounds_of(options: argparse.Namespace, shape: Shape) -> tuple[list[dict], list[dict]]:
    common = [options.what, *shape.arguments(), f"--policy={options.policy}", *options.both]
    ours = [str(options.program), "bench", *common, *options.ours]
    ours += mean_depth(options, shape)
    theirs = [sys.executable, str(HERE / "bench.py"), *common, f"--threads={options.threads}", *options.theirs]
    if options.compile:
        theirs.append("--compile")
    if options.what == "decode":
        ours.append(f"--new={options.new}")
        theirs.append(f"--new-tokens={options.new}")
    pairs = []
    for number in range(options.rounds):
        print(f"d {shape.d_model}: round {number + 1} of {options.rounds}", file=sys.stderr)
        pairs.append((measured(ours, options.threads), measured(theirs, options.threads)))
    return [a for a, _ in pairs], [b for _, b in pairs]


def compare_speed(options: argparse.Namespace) -> None:
    rows = []
    for name in options.shapes:
        shape = SHAPES[name]
        ours, theirs = rounds_of(options, shape)
        # Both handle the same tokens, so the ratio of tokens per second is that of the times, turned over.
        ratios = [b["median_ms"] / a["median_ms"] for a, b in zip(ours, theirs, strict=True)]
        time = [statistics.median(side["median_ms"] for side in sides) for sides in (ours, theirs)]
        peak = statistics.median(b["matmul_peak_flops_per_second"] for b in theirs)
        share = theirs[0]["flops"] / (time[1] / 1e3) / peak
        ours_share = statistics.median(a["flops"] for a in ours) / (time[0] / 1e3) / peak
        saving = {key: statistics.median(a[key] for a in ours) for key in SAVINGS if key in ours[0]}
        rows.append({
            "shape": name, "ours_ms": time[0], "pytorch_ms": time[1], "ratio": statistics.median(ratios),
            "lowest": min(ratios), "highest": max(ratios), "ours_share": ours_share, "pytorch_share": share,
            "peak_gflops": peak / 1e9, **saving,
        })  # fmt: skip
    if options.json:
        print(json.dumps({"policy": options.policy, "threads": options.threads, "rows": rows}))
        return
    depth = "all D" if options.mean_depth is None else f"mean depth {options.mean_depth}"
    peer = "compiled PyTorch" if options.compile else "eager PyTorch"
    print(f"{options.what}, {options.policy}, {options.threads} threads, ours at {depth}, against {peer} at all D")
    print("| shape | ours ms | PyTorch ms | ours / PyTorch, tokens/s | lowest to highest | ours, PyTorch: % of peak |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['shape']} | {row['ours_ms']:.1f} | {row['pytorch_ms']:.1f} | {row['ratio']:.2f} "
            f"| {row['lowest']:.2f} to {row['highest']:.2f} "
            f"| {100 * row['ours_share']:.0f}, {100 * row['pytorch_share']:.0f} of {row['peak_gflops']:.0f} GFLOP/s |"
        )
    for row in rows:
        shares = [f"{name} {row[key]:.2f}" for key, name in SAVINGS.items() if key in row]
        if shares:
            print(f"{row['shape']}, ours against ours at all D: {', '.join(shares)}")


def with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def disagreements(directory: Path, attention: str) -> dict[str, float]:
    """Relative error of each loss and each gradient in a dump, against the peer's."""
    facts = DEFAULTS | json.loads((directory / "bench.json").read_text())
    tensors = load_file(directory / "bench.safetensors")
    stored = with_prefix(tensors, "weights.")
    policy, batch, length = facts["policy"], facts["batch"], facts["length"]
    width = len(stored["decider.up.weight"])
    sizes = Sizes(
        facts["vocabulary"], facts["d_model"], facts["d_ff"], facts["heads"], facts["depth"], policy, width,
        capacity=length, attention=attention,
    )
    noise = tensors["input.noise"].reshape((batch, length, sizes.depth) if policy == EARLY else (batch, length))
    peer = Peer(sizes)
    weights.load(peer, stored)
    tokens, targets = (tensors[f"input.{name}"].reshape(batch, length) for name in ("tokens", "targets"))
    gamma = facts["gamma"]
    loss, cross_entropy, divergence = peer.losses(tokens, targets, noise, gamma, facts["base"], facts["temperature"])
    loss.backward()

    def error(actual: Tensor, expected: Tensor, floor: float) -> float:
        scale = max(expected.double().norm().item(), floor)
        return (actual.double() - expected.double()).norm().item() / scale if scale else 0.0

    errors = {}
    losses = {"loss": loss, "cross_entropy": cross_entropy, "regulariser": gamma * divergence}
    for name, value in losses.items():
        errors[name] = error(tensors[f"output.{name}"].reshape(()), value.detach(), FLOOR)
    expected = weights.gradients(peer)
    found = with_prefix(tensors, "gradient.")
    expected = {name: torch.zeros_like(stored[name]) if g is None else g for name, g in expected.items()}
    if found.keys() != expected.keys():
        sys.exit(f"gradients on one side alone: {', '.join(sorted(found.keys() ^ expected.keys()))}")
    floor = FLOOR * max(gradient.norm().item() for gradient in expected.values())
    return errors | {f"gradient.{name}": error(found[name], expected[name], floor) for name in sorted(expected)}


def compare_results(options: argparse.Namespace) -> None:
    worst = 0.0
    for name in options.shapes:
        with tempfile.TemporaryDirectory() as scratch:
            directory = options.dump or Path(scratch)
            if options.dump is None:
                common = ["bench", "step", *SHAPES[name].arguments(), f"--policy={options.policy}", *options.both]
                more = mean_depth(options, SHAPES[name])
                command = [str(options.program), *common, *options.ours, *more, f"--dump={directory}"]
                output_of(command, options.threads)
            for attention in (SDPA, EXPLICIT):
                errors = disagreements(directory, attention)
                largest = max(errors, key=errors.get)
                worst = max(worst, errors[largest])
                title = str(options.dump) if options.dump else f"{name}, {options.policy}"
                print(f"{title}, {attention}: loss {errors['loss']:.1e}; largest {errors[largest]:.1e}, of {largest}")
                for key, value in errors.items():
                    if options.verbose or value > options.tolerance:
                        print(f"  {value:.2e} {key}")
        if options.dump:
            break
    if not worst <= options.tolerance:
        sys.exit(f"the largest relative error, {worst:.1e}, exceeds {options.tolerance:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("step", "eval", "decode", "agree"))
    parser.add_argument("--shapes", type=lambda text: text.split(","), default=["d64", "d128", "d256"],
                        help=f"some of {','.join(SHAPES)}, or all")  # fmt: skip
    parser.add_argument("--policy", choices=(EARLY, ONLINE), default=EARLY)
    parser.add_argument("--mean-depth", metavar="M", help="passed to our side alone: a number, or D/3")
    parser.add_argument("--new", type=int, default=32, help="decode: new tokens of each sequence")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="the peer under torch.compile")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="the haltbench binary")
    parser.add_argument("--both", type=str.split, default=[], help="more arguments for both sides")
    parser.add_argument("--ours", type=str.split, default=[], help="more arguments for our side")
    parser.add_argument("--theirs", type=str.split, default=[], help="more arguments for bench.py")
    parser.add_argument("--json", action="store_true", help="step, eval, decode: the table as JSON")
    parser.add_argument("--dump", type=Path, help="agree: check this dump instead of having one written")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="agree: largest relative error allowed")
    parser.add_argument("--verbose", action="store_true", help="agree: the error of every tensor")
    options = parser.parse_args()
    if options.shapes == ["all"]:
        options.shapes = list(SHAPES)
    if unknown := [name for name in options.shapes if name not in SHAPES]:
        parser.error(f"unknown shape {unknown[0]}: known are {', '.join(SHAPES)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.dump is None and not options.program.is_file():
        parser.error(f"{options.program} is missing: cargo build --release -p haltbench, or name it with --program")
    compare_results(options) if options.what == "agree" else compare_speed(options)


if __name__ == "__main__":
    main()
