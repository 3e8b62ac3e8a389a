"""Do larger populations make drawings that outsiders understand? (Drawing with Strangers, arXiv 2606.10582.)

    python benchmarks/strangers.py                 # trains what is missing, measures, writes results and the figure
    python benchmarks/strangers.py --communities 2 --sizes 1,2,4

Populations of 1, 2, 4, 8, 16 pairs (presets strangers/emoji-N), several disjoint communities each, with equal numbers
of games an agent; at 8 pairs also a ring, and turnover (the oldest of each side replaced every 100 steps); and, with
--budget, equal numbers of games a community: 600 steps of 4 pairs, so 2,400 of one and 150 of sixteen. Communities of a
condition meet on common rounds of the test split. A condition is measured anew when more of its communities are there;
what was measured stays in benchmarks/results/strangers.json. Runs lie in out/strangers, and one that is there is not
trained again.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from _cases import RESULTS, about

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

import runs  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.folder import read_json, write_json  # noqa: E402
from runs.loading import load  # noqa: E402
from runs.meeting import meet  # noqa: E402
from runs.meeting.report import estimate  # noqa: E402

SIZES = (1, 2, 4, 8, 16)
STEPS, BUDGET = 600, 4
CHANGES: dict[str, tuple[str, ...]] = {
    "full": (),
    "ring": ("community.topology={kind: ring}",),
    "turnover": ("community.events=[{kind: replace, every: 100, who: oldest}]",),
}
KEPT = ("within", "within_unmet", "zmi", "relative", "advantage", "controls", "votes", "variation", "grounding", "ease")
FILE = RESULTS / "strangers.json"
FIGURE = Path(__file__).parents[1] / "docs" / "strangers.png"


def conditions(sizes: tuple[int, ...], budget: bool) -> list[tuple[str, int, tuple[str, ...]]]:
    """Name, pairs, and changes of the preset."""
    found = [(f"full-{size}", size, CHANGES["full"]) for size in sizes]
    found += [(f"{name}-8", 8, CHANGES[name]) for name in ("ring", "turnover") if 8 in sizes]
    for size in sizes if budget else ():
        if size != BUDGET:  # of four pairs the two are the same runs
            found.append((f"budget-{size}", size, (f"train.steps={STEPS * BUDGET // size}",)))
    return found


def trained(name: str, size: int, sets: tuple[str, ...], seed: int, costs: dict[str, Any]) -> Path:
    """The folder of a run, trained if it is not there."""
    folder = Path("out/strangers") / f"{name}-seed{seed}"
    status = folder / "status.json"
    if status.exists() and read_json(status)["state"] == "finished":
        return folder
    config = load(Config, f"strangers/emoji-{size}", [*sets, f"seed={seed}"]).config
    began = time.process_time()
    runs.launch(config, out=folder, resume=True, device="cpu", progress=False)
    costs[folder.name] = round(time.process_time() - began, 1)
    print(f"{folder.name}: {costs[folder.name]} CPU s", flush=True)
    return folder


def figure(found: dict[str, Any]) -> None:
    """Intelligibility, variation and iconicity over the number of pairs."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(12, 3.6), layout="constrained")
    left, middle, right = drawing.subplots(1, 3)
    rows = [(size, found["conditions"][f"full-{size}"]) for size in SIZES if f"full-{size}" in found["conditions"]]

    def line(axes: Any, label: str, pick: Any, scale: float = 100) -> None:
        points = [(size, pick(row)) for size, row in rows if pick(row)["value"] is not None]
        x, y = [size for size, _ in points], [scale * each["value"] for _, each in points]
        picked = [pick(row) for _, row in rows if pick(row)["value"] is not None]
        ends = [
            [value if each[end] is None else scale * each[end] for each, value in zip(picked, y, strict=True)]
            for end in ("low", "high")
        ]
        spread = [[max(0, v - a) for v, a in zip(y, ends[0], strict=True)],
                  [max(0, b - v) for v, b in zip(y, ends[1], strict=True)]]  # fmt: skip
        axes.errorbar(x, y, yerr=spread, marker="o", ms=4, capsize=3, label=label)

    line(left, "within", lambda row: row["within"])
    line(left, "across (ZMI)", lambda row: row["zmi"])
    line(left, "across, a vote", lambda row: row["votes"]["mean"]["zmi"])
    line(left, "across, untrained", lambda row: row["controls"]["untrained"]["zmi"])
    left.axhline(100 / 16, color="0.5", ls=":", lw=1, label="chance")
    left.set(ylabel="% of games won", title="who understands whom", ylim=(0, 102))
    line(middle, "in group, strokes", lambda row: row["variation"]["strokes"]["in_group"], 1)
    line(middle, "across, strokes", lambda row: row["variation"]["strokes"]["cross_group"], 1)
    line(middle, "in group, features", lambda row: row["variation"]["features"]["in_group"], 1)
    line(middle, "across, features", lambda row: row["variation"]["features"]["cross_group"], 1)
    middle.set(ylabel="distance", title="variation of drawings of one picture", ylim=(0, None))
    line(right, "iconicity", lambda row: row["grounding"]["iconicity"])
    line(right, "untrained", lambda row: row["grounding"]["iconicity"]["controls"]["untrained"])
    line(right, "rsa x 100", lambda row: row["grounding"]["rsa"])
    right.set(ylabel="%", title="the judge's eye", ylim=(0, None))
    for axes in (left, middle, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(SIZES, [str(size) for size in SIZES])
        axes.set_xlabel("pairs of a population")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=7)
    drawing.savefig(FIGURE, dpi=110)


def table(found: dict[str, Any]) -> str:
    """The conditions as the table of docs/strangers.md."""
    head = ["population", "communities", "within", "across (ZMI)", "relative", "untrained", "a vote, across"]
    head += [f"{which}, {what}" for what in ("strokes", "features") for which in ("in group", "across")]
    head += ["iconicity", "(untrained)", "RSA"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, row in found["conditions"].items():
        strokes, features = (row["variation"][each] for each in ("strokes", "features"))
        icons = row["grounding"]["iconicity"]
        cells = [
            name.replace("full-", ""),
            str(row["communities"]),
            *(estimate(each) for each in (row["within"], row["zmi"], row["relative"])),
            estimate(row["controls"]["untrained"]["zmi"]),
            estimate(row["votes"]["mean"]["zmi"]),
            *(estimate(each[group], False) for each in (strokes, features) for group in ("in_group", "cross_group")),
            estimate(icons),
            estimate(icons["controls"]["untrained"]),
            estimate(row["grounding"]["rsa"], False),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--communities", type=int, default=4)
    parser.add_argument("--sizes", type=lambda text: tuple(map(int, text.split(","))), default=SIZES)
    parser.add_argument("--budget", action="store_true", help="also equal games a community")
    parser.add_argument("--measure-only", action="store_true", help="train nothing: measure what is there")
    parser.add_argument("--newcomers", type=int, default=1, help="of each side and community, where all meet all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(FILE.read_text()) if FILE.exists() else {**about(), "cpu_seconds": {}, "conditions": {}}
    for name, size, sets in conditions(options.sizes, options.budget):
        folders = []
        for seed in range(options.communities):
            there = Path("out/strangers") / f"{name}-seed{seed}" / "summary.json"
            if not options.measure_only:
                folders.append(trained(name, size, sets, seed, found["cpu_seconds"]))
            elif there.exists():
                folders.append(there.parent)
        before = found["conditions"].get(name, {}).get("communities", 0)
        if len(folders) < 2 or before >= len(folders):
            continue
        began = time.process_time()
        newcomers = options.newcomers if name.startswith("full") else 0
        told = meet(folders, pools=16, newcomers=newcomers, steps=200).findings
        row = {key: told[key] for key in KEPT if key in told}
        found["conditions"][name] = {"pairs": size, "communities": len(folders), "n": told["n"], **row}
        write_json(FILE, found)
        print(f"{name}: {len(folders)} communities, within {told['within']['value']:.3f}, across "
              f"{told['zmi']['value']:.3f}, {time.process_time() - began:.0f} CPU s", flush=True)  # fmt: skip
    if found["conditions"]:
        figure(found)
        print(table(found))


if __name__ == "__main__":
    main()
