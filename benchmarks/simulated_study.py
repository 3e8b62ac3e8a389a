"""A study of three runs that agents sit in the place of people: what its numbers are like before there are people.

    python benchmarks/simulated_study.py             # after benchmarks/meaning.py, whose runs (seed 0 and 1) it takes

One run of each condition of docs/meaning.md, and two crowds: the receiver of a run that never met these senders, and
the judge, a network that compares with photos. Both sit through the page, in headless Chromium, drawing their choices
by their probabilities. Before that, stand-ins look at the drawings (``lascaux study stand-ins``). Results:
benchmarks/results/simulated_study.json and docs/simulated-study.svg; the study itself and its reports stay in
out/simulated-study.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

from runs.process import settle

settle()

from _cases import about  # noqa: E402 (after settle, which torch's threads read)

from runs.folder import write_json  # noqa: E402
from runs.study import export, score  # noqa: E402
from runs.study.config import StudyConfig  # noqa: E402
from runs.study.eyes import eye_of  # noqa: E402
from runs.study.results import read_study  # noqa: E402
from runs.study.simulating import simulate  # noqa: E402
from runs.study.stand_ins import drawings_of, stand_in_scores  # noqa: E402

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "simulated_study.json"
FIGURE = HERE.parent / "docs" / "simulated-study.svg"
MEANING, OUT = Path("out") / "meaning", Path("out") / "simulated-study"
CONDITIONS = {"game only": "game-only-0", "likeness": "likeness-0", "the demo's recipe": "the-demos-recipe-0"}
STRANGER = "likeness-1"
SITTINGS = 30
DESIGN = {
    "title": "Drawings and pictures",
    "labels": list(CONDITIONS),
    "parts": [
        {"kind": "pick", "trials": 30, "game": "same", "choices": 8},
        {"kind": "rate", "trials": 9, "game": "same"},
    ],
    "lists": 3,
    "shown": "raster",
}


def crowd(study: Path, name: str, who: str) -> Any:
    """Somebody sits the study many times; the score of all of it."""
    folder = OUT / f"{name}-answers"
    eye = eye_of(who, drawings=drawings_of(read_study(study), study))
    made = simulate(study, eye, name=name, out=folder, temperature=1.0, sittings=SITTINGS)
    return score(study, list(made.files), out=OUT / f"{name}-scores", simulated=True)


def row(found: Any) -> dict[str, Any]:
    """What the page tells of one crowd."""
    pick, rate = found.everyone.questions["pick"], found.everyone.questions["rate"]

    def told(group: Any) -> dict[str, Any]:
        return {
            "value": group.people.value,
            "both": group.people.both,
            "n": group.people.n,
            "agents": group.agents.value,
        }

    return {
        "sittings": found.everyone.participants,
        "pick": {name: told(group) for name, group in {"": pick.all, **pick.by_condition}.items()},
        "chance": pick.all.chance,
        "differences": {
            f"{each.one} - {each.other}": {"value": each.people.value, "both": each.people.both}
            for each in pick.differences
        },
        "rate": {name: {"value": each.mean.value, "both": each.mean.both} for name, each in rate.ratings.items()},
        "halves": pick.halves and {"value": pick.halves.value, "interval": pick.halves.interval},
        "ceiling": pick.ceiling,
        "correlations": {
            name: {"rho": each.rho, "interval": each.interval, "p": each.p, "n": each.n, "of_ceiling": each.of_ceiling}
            for name, each in pick.correlations.items()
        },
    }


def figure(done: dict[str, Any]) -> None:
    """Rates by condition, of both crowds and of the runs' own receivers."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "study", "font.size": 8, "svg.fonttype": "none"})
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(figsize=(5.2, 2.4), layout="constrained")
    places = {name: number for number, name in enumerate(CONDITIONS)}
    for shift, (crowd_name, colour) in zip(
        (-0.12, 0.12), {"stranger": "#2b5f8a", "judge": "#b5562b"}.items(), strict=True
    ):
        for name, place in places.items():
            found = done[crowd_name]["pick"][name]
            low, high = found["both"] or (found["value"], found["value"])
            axes.plot([place + shift] * 2, [low, high], color=colour, lw=2, solid_capstyle="butt")
            label = {"stranger": "a stranger", "judge": "the judge"}[crowd_name] if place == 0 else None
            axes.plot(place + shift, found["value"], "o", color=colour, ms=5, label=label)
    agents = [done["stranger"]["pick"][name]["agents"] for name in places]
    axes.plot(list(places.values()), agents, "_", color="black", ms=22, label="the run's own receiver")
    axes.axhline(done["stranger"]["chance"], color="grey", lw=0.8, ls=":")
    axes.text(2.45, done["stranger"]["chance"], "chance", color="grey", va="bottom", ha="right")
    axes.set(xticks=list(places.values()), xticklabels=list(places), ylim=(0, 1.02), ylabel="picked the picture")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    fig.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--meaning", type=Path, default=MEANING, help="where benchmarks/meaning.py has put its runs")
    asked = parser.parse_args()
    began = time.process_time()
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    design = StudyConfig.model_validate(DESIGN)
    made = export([asked.meaning / each for each in CONDITIONS.values()], OUT / "study", design=design, offline=True)
    stand_in_scores(made.path, ["judge", "packaged", str(asked.meaning / STRANGER)], out=OUT / "study-stand-ins.csv")
    done: dict[str, Any] = {"trials": made.trials, "choices": made.choices, "lists": made.lists}
    for name, who in {"stranger": str(asked.meaning / STRANGER), "judge": "judge"}.items():
        done[name] = row(crowd(made.path, name, who))
    # A run's receiver is called by its folder, which is another on another machine.
    done = json.loads(json.dumps(done).replace(str(asked.meaning / STRANGER), "the stranger"))
    write_json(RESULTS, done | {"cpu_seconds": round(time.process_time() - began, 1), "about": about()})
    figure(done)
    print(json.dumps(done, indent=1))


if __name__ == "__main__":
    main()
