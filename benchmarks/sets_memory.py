"""Memory of a training step against the number of inner steps: DSPN's unrolled loop and ImplicitDSPN's.

    python benchmarks/sets_memory.py     # writes benchmarks/results/sets_memory.json and prints a table

A training step (forward, Hungarian loss, backward) of 32 sets of 10 slots and 19 channels, latent 512, FSPool encoder
of two layers of 512: the papers' sizes. Each row is a process of its own: after three steps of T = 2, which bring in
the libraries and their workspaces, it tells by how much one step of T raises its peak resident memory. What a trace
of T + 1 sets takes is told beside it: it is the one thing that grows with T in an implicit loop, and `trace="ends"`
leaves it out.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch
from _cases import peak_mib

from perception import sets

RESULTS = Path(__file__).parent / "results" / "sets_memory.json"
BATCH, SLOTS, CHANNELS, LATENT = 32, 10, 19, 512
DECODERS = ("dspn", "idspn", "idspn, trace of the ends")


def decoder(name: str) -> sets.SetDecoder:
    encoder = sets.FSPoolEncoder(CHANNELS, LATENT, (512, 512))
    if name == "dspn":
        return sets.DSPN(LATENT, SLOTS, CHANNELS, encoder)
    return sets.ImplicitDSPN(LATENT, SLOTS, CHANNELS, encoder, trace="ends" if "ends" in name else "all")


def measure(name: str, steps: int) -> dict[str, float]:
    """In a process of its own: MiB that one training step of so many inner steps takes, and its CPU seconds."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    made = decoder(name)
    assert isinstance(made, sets.DSPN | sets.ImplicitDSPN)
    z = torch.randn(BATCH, LATENT, generator=generator)
    targets = torch.rand(BATCH, SLOTS, CHANNELS, generator=generator)

    def step(count: int) -> None:
        made.zero_grad()
        decoded = made(z, None, generator, steps=count)
        sets.hungarian(decoded.sets, targets).mean().backward()

    for _ in range(3):
        step(2)
    before, began = peak_mib(), time.process_time()
    step(steps)
    return {"mib": round(peak_mib() - before, 1), "cpu_s": round(time.process_time() - began, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 40, 160])
    parser.add_argument("--one", nargs=2, metavar=("DECODER", "T"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    table: dict[str, dict[str, dict[str, float]]] = {name: {} for name in DECODERS}
    for name in DECODERS:
        for steps in options.steps:
            command = [sys.executable, __file__, "--one", name, str(steps)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row = json.loads(done.stdout)
            row["trace_mib"] = round((2 if "ends" in name else steps + 1) * BATCH * SLOTS * CHANNELS * 4 / 2**20, 2)
            table[name][str(steps)] = row
            print(f"{name:26} T = {steps:4}  {row['mib']:8.1f} MiB ({row['trace_mib']} of trace)  {row['cpu_s']:.2f} s")
    found = {
        "machine": f"{platform.machine()}, 1 thread",
        "torch": torch.__version__,
        "n": "one training step a process, after three of T = 2; MiB by which it raised the peak",
        "sizes": {"batch": BATCH, "slots": SLOTS, "channels": CHANNELS, "latent": LATENT},
        "decoders": table,
    }
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
