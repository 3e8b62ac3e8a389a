"""A study packed for a JATOS server."""

import io
import json
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["jzip", "jzip_beside"]

# A zip keeps the time of each file; the same study is to be the same file.
_THEN = (1980, 1, 1, 0, 0, 0)


def jzip_beside(study: Path) -> Path:
    """Where the study for JATOS lies: ``DIR.jzip`` next to its folder."""
    study = Path(study).absolute()
    return study.with_name(study.name + ".jzip")


def jzip(files: Mapping[str, bytes], title: str, id: str, folder: str) -> bytes:
    """A ``.jzip`` that JATOS imports: the folder, and a ``.jas`` file that describes it (JATOS 3, version "3").

    Args:
        files: every file of the study by its path in the folder.
        title: the study's title.
        id: the study's id: from it come the ids that JATOS knows the study by, so the same study is the same again.
        folder: name of the folder on the server.
    """
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in folder) or "study"
    name = f"{safe}-{id[:8]}"
    study = {
        "version": "3",
        "data": {
            "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"lascaux study {id}")),
            "title": title,
            "description": f"lascaux study {id}",
            "groupStudy": False,
            "linearStudy": False,
            "allowPreview": False,
            "dirName": name,
            "comments": "",
            "jsonData": None,
            "endRedirectUrl": None,
            "componentList": [
                {
                    "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"lascaux study {id} component")),
                    "title": title,
                    "htmlFilePath": "index.html",
                    "reloadable": True,
                    "active": True,
                    "comments": "",
                    "jsonData": None,
                }
            ],
            "batchList": [],
        },
    }
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path, content in {f"{name}.jas": json.dumps(study).encode()}.items():
            zipped.writestr(zipfile.ZipInfo(path, _THEN), content, zipfile.ZIP_DEFLATED)
        for path, content in sorted(files.items()):
            zipped.writestr(zipfile.ZipInfo(f"{name}/{path}", _THEN), content, zipfile.ZIP_DEFLATED)
    return archive.getvalue()
