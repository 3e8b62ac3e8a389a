"""What `lascaux pictures` tells of a gallery."""

from collections import Counter

from games.pictures.gallery import Gallery


def describe(gallery: Gallery) -> list[str]:
    """Source, counts, splits, place and licences, a line each, for a person to read."""
    views = gallery.label.bincount(minlength=len(gallery.classes))
    views = views[views > 0]
    lines = [
        gallery.source,
        f"{len(gallery):,} pictures of {gallery.size}x{gallery.size} pixels, {len(gallery.classes):,} classes",
        f"pictures a class: {int(views.min())} to {int(views.max())}",
    ]
    groups = Counter(group for group in gallery.groups if group)
    if groups:
        lines.append("groups: " + ", ".join(f"{name} {count} classes" for name, count in groups.most_common()))
    if gallery.artists:
        drawn = gallery.artist.bincount(minlength=len(gallery.artists)).tolist()
        lines.append(
            "artists: " + ", ".join(f"{name} {count}" for name, count in zip(gallery.artists, drawn, strict=True))
        )
    lines.append("splits:")
    for split in gallery.splits.values():
        shown, pool = int(split.shown.sum()), int(split.pool.sum())
        classes = len(gallery.label[split.shown].unique())
        held = ""
        if gallery.artists:
            seen = gallery.artist[split.shown].unique().tolist()
            held = f", by {', '.join(gallery.artists[artist] for artist in seen)}"
        others = f", {pool:,} as candidates" if pool != shown else ""
        lines.append(f"  {split.name}: {shown:,} pictures of {classes:,} classes{others}{held}")
    lines.append(f"content: {gallery.content}")
    if gallery.place is not None:
        lines.append(f"kept in: {gallery.place}")
    if gallery.licences:
        lines += ["licences of the art (name the artists where you show their pictures):"]
        lines += [f"  {line}" for line in gallery.licences]
    return lines
