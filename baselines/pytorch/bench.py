"""Times `peer.py`: a training step, a forward pass without gradients, or greedy decoding with a cache.

    python bench.py step --d-model 256 --d-ff 1664 --depth 14 --heads 8 --batch 32 --length 40 --policy anira-e
    python bench.py eval ...
    python bench.py decode ... --length 1 --new-tokens 64

All D steps are taken by every row. Floating-point operations are counted analytically, a multiply-add as two, and
compared with the fastest matrix product of the same run.
"""

import argparse
import ctypes
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import torch
from torch import Tensor

from peer import EARLY, EXPLICIT, FIXED, POLICIES, SDPA, Peer, Sizes

GAMMA, BASE = 0.1, 1.25
RATE, BETAS, EPSILON, DECAY, CLIP = 1e-3, (0.9, 0.95), 1e-8, 0.01, 1.0


def decision_flops(sizes: Sizes) -> float:
    """Of one decision about one row."""
    outputs = sizes.depth if sizes.policy == EARLY else 1
    return 2 * sizes.decider_width * (sizes.d_model + outputs) + 8 * sizes.d_model


def forward_flops(sizes: Sizes, rows: int, pairs: int) -> float:
    """Of a forward pass over `rows` rows with `pairs` visible (query, key) pairs a layer."""
    layer = rows * (8 * sizes.d_model**2 + 6 * sizes.d_model * sizes.d_ff) + pairs * 4 * sizes.d_model
    head = rows * 2 * sizes.d_model * sizes.vocabulary
    decisions = {EARLY: 1, FIXED: 0}.get(sizes.policy, sizes.depth - 1)
    return (sizes.depth + 2) * layer + head + rows * decisions * decision_flops(sizes)


def wait() -> None:
    """For what a GPU has been given to do."""
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable[[], object], repetitions: int) -> list[float]:
    times = []
    wait()
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - start)
    return times


def matmul_peak(sizes: Sizes, rows: int) -> float:
    """Operations a second of the fastest product of a few squares and of the model's own shapes."""
    width, inner = sizes.d_model, sizes.d_ff
    shapes = [(512, 512, 512), (1024, 1024, 1024), (2048, 1024, 1024)]
    shapes += [(rows, width, 3 * width), (rows, width, 2 * inner), (rows, inner, width)]
    best = 0.0
    for m, k, n in shapes:
        a, b, out = torch.randn(m, k), torch.randn(n, k), torch.empty(m, n)
        times = seconds(lambda: torch.mm(a, b.t(), out=out), 2 + max(3, min(20, int(2e9 / (m * k * n)))))
        best = max(best, 2 * m * k * n / min(times))
    return best


def keep_memory() -> None:
    """Has glibc keep freed blocks for the next step instead of returning them to the kernel."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
        trim_threshold, mmap_threshold = -1, -3
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)
    except (OSError, AttributeError):
        pass


def training_step(sizes: Sizes, batch: int, length: int, compiled: bool) -> Callable[[], Tensor]:
    """One step of training: forward, backward, clipping, AdamW, always on the same batch with fresh noise."""
    peer = Peer(sizes)
    matrices = [parameter for parameter in peer.parameters() if parameter.dim() >= 2]
    vectors = [parameter for parameter in peer.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=EPSILON, fused=True)
    tokens, targets = (torch.randint(sizes.vocabulary, (batch, length)) for _ in range(2))
    losses = torch.compile(peer.losses) if compiled else peer.losses

    def noise() -> Tensor | None:
        if sizes.policy == EARLY:
            return -torch.empty(batch, length, sizes.depth).exponential_().log_()
        return None if sizes.policy == FIXED else torch.rand(batch, length)

    def step() -> Tensor:
        optimiser.zero_grad(set_to_none=True)
        loss, _, _ = losses(tokens, targets, noise(), GAMMA, BASE)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), CLIP, foreach=True)
        optimiser.step()
        return loss.detach()

    return step


def evaluation(sizes: Sizes, batch: int, length: int, compiled: bool) -> Callable[[], Tensor]:
    peer = Peer(sizes).eval()
    forward = torch.compile(peer) if compiled else peer
    tokens = torch.randint(sizes.vocabulary, (batch, length))

    def step() -> Tensor:
        with torch.inference_mode():
            return forward(tokens)[0].argmax(-1)

    return step


def decoding(sizes: Sizes, batch: int, length: int, count: int) -> Callable[[], Tensor]:
    peer = Peer(sizes).eval()
    prompt = torch.randint(sizes.vocabulary, (batch, length))
    return lambda: peer.decode(prompt, count)


def work_of(options: argparse.Namespace, sizes: Sizes) -> tuple[Callable[[], Tensor], float, int]:
    """What to time, its floating-point operations, and the tokens it handles."""
    batch, length = options.batch, options.length
    forward = forward_flops(sizes, batch * length, batch * length * (length + 1) // 2)
    if options.what == "step":
        return training_step(sizes, batch, length, options.compile), 3 * forward, batch * length
    if options.what == "eval":
        return evaluation(sizes, batch, length, options.compile), forward, batch * length
    last = length + options.new_tokens - 1
    # The last prompt token and every new one but the last are read out; the prompt's other rows are as well.
    flops = forward_flops(sizes, batch * last, batch * last * (last + 1) // 2)
    return decoding(sizes, batch, length, options.new_tokens), flops, batch * options.new_tokens


def fastest_attention(options: argparse.Namespace, sizes: Sizes) -> str:
    """Which of the two ways to compute attention is faster here; the model then uses that one."""
    best = {}
    for attention in (SDPA, EXPLICIT) * 2:
        work, _, _ = work_of(options, replace(sizes, attention=attention))
        best[attention] = min([*seconds(work, 3)[1:], best.get(attention, float("inf"))])
    return min(best, key=best.get)


def measure(options: argparse.Namespace) -> dict:
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    torch.set_default_device(options.device)
    sizes = Sizes(
        options.vocabulary, options.d_model, options.d_ff, options.heads, options.depth, options.policy,
        max(1, int(options.decider_width * options.d_model + 0.5)), capacity=options.length + options.new_tokens,
        complex_rotation=not options.compile,
    )
    attention = options.attention
    if attention == "auto":
        attention = SDPA if options.compile else fastest_attention(options, sizes)
    sizes = replace(sizes, attention=attention)
    peak = matmul_peak(sizes, options.batch * options.length)
    work, flops, tokens = work_of(options, sizes)
    for _ in range(options.warm_up):
        work()
    processor = time.process_time()
    times = sorted(seconds(work, options.repetitions))
    processor = (time.process_time() - processor) / options.repetitions
    peak = max(peak, matmul_peak(sizes, options.batch * options.length))
    median = statistics.median(times)
    quarters = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else [median] * 3
    return {
        "what": options.what,
        "median_ms": 1e3 * median,
        "lower_quartile_ms": 1e3 * quarters[0],
        "upper_quartile_ms": 1e3 * quarters[2],
        "minimum_ms": 1e3 * times[0],
        "mean_processor_ms": 1e3 * processor,
        "repetitions": len(times),
        "tokens_per_second": tokens / median,
        "flops": flops,
        "matmul_peak_flops_per_second": peak,
        "share_of_matmul_peak": flops / median / peak,
        "threads": options.threads,
        "device": options.device,
        "compiled": options.compile,
        "torch": torch.__version__,
        "sizes": asdict(sizes),
        "batch": options.batch,
        "length": options.length,
    }


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("step", "eval", "decode"))
    for name, default in (
        ("d-model", 256), ("d-ff", 1664), ("depth", 14), ("heads", 8), ("batch", 32), ("length", 40),
        ("vocabulary", 32),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--policy", choices=POLICIES, default=EARLY)
    parser.add_argument("--decider-width", type=float, default=4.0, help="as a multiple of d_model")
    parser.add_argument("--new-tokens", type=int, default=32, help="decode: tokens after a prompt of --length")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", default="cpu", help="cpu or cuda:0")
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--attention", choices=("auto", SDPA, EXPLICIT), default="auto")
    parser.add_argument("--compile", action="store_true", help="torch.compile; not for decode")
    parser.add_argument("--default-malloc", action="store_true", help="leave glibc's thresholds alone")
    parser.add_argument("--json", action="store_true")
    return parser


def main() -> None:
    options = parser().parse_args()
    if options.compile and options.what == "decode":
        sys.exit("--compile is for step and eval")
    if not options.default_malloc:
        keep_memory()
    result = measure(options)
    if options.json:
        print(json.dumps(result))
        return
    print(
        f"{result['median_ms']:.1f} ms ({result['lower_quartile_ms']:.1f} to {result['upper_quartile_ms']:.1f}), "
        f"{result['tokens_per_second']:.0f} tokens/s, {result['flops'] / 1e9:.2f} GFLOP, "
        f"{100 * result['share_of_matmul_peak']:.0f} % of {result['matmul_peak_flops_per_second'] / 1e9:.0f} GFLOP/s, "
        f"attention {result['sizes']['attention']}, {result['threads']} threads, "
        f"processor time {result['mean_processor_ms']:.1f} ms"
    )


if __name__ == "__main__":
    main()
