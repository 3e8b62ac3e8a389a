"""What a swap matrix of 32 x 32 agents costs on 500 pictures: minutes and memory, page and journal included.

    python benchmarks/meeting.py            # writes benchmarks/results/meeting.json

Two communities of 16 pairs that have not learned (what they cost does not hang on what they know): agents of the
presets strangers/emoji-N, cached features, 16 lines on 64 px. 32 rounds of 16 candidates are 512 games a pair.
"""

import argparse
import tempfile
import time
from pathlib import Path

from _cases import about, peak_mib, write

from runs.process import settle

settle()

import torch  # noqa: E402 (after settle, which torch's threads read)

import runs  # noqa: E402
from runs import checkpoint  # noqa: E402
from runs.config import Config  # noqa: E402
from runs.folder import Folder, write_json, write_text  # noqa: E402
from runs.loading import dump, load  # noqa: E402
from runs.run import assemble  # noqa: E402


def untaught(seed: int, folder: Path) -> Path:
    """A run of 16 pairs as it stands before its first step."""
    config = load(Config, "strangers/emoji-16", [f"seed={seed}"]).config
    run, files = assemble(config, folder, torch.device("cpu")), Folder(folder)
    write_text(files.config, dump(config))
    write_json(files.pictures, {"content": run.gallery.content})
    checkpoint.save(files.checkpoints, run.community, 0, {})
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", action="store_true", help="with the judge's look at a thousand drawings")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as where:
        folders = [untaught(seed, Path(where) / str(seed)) for seed in (0, 1)]
        clock, cpu = time.perf_counter(), time.process_time()
        done = runs.meet(folders, Path(where) / "met", pools=32, judge=options.judge)
        found = {
            **about(),
            "threads": 1,
            "senders": len(done.swap.senders),
            "receivers": len(done.swap.receivers),
            "games_a_pair": done.swap.n,
            "judge": options.judge,
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "seconds": round(time.perf_counter() - clock, 1),
            "peak_mib": round(peak_mib()),
            "journal_mib": round((Path(where) / "met/plays.jsonl").stat().st_size / 2**20, 1),
        }
    print(found)
    write("meeting-judged.json" if options.judge else "meeting.json", found)


if __name__ == "__main__":
    main()
