"""A results folder: who may write in it, which study it belongs to, where its files are."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tomli_w
from filelock import FileLock, Timeout

from mcbrain.checks import results_path
from mcbrain.errors import StoreError
from mcbrain.reading import load_study
from mcbrain.store.atomic import write_text
from mcbrain.study import Study

__all__ = ["ResultsFolder", "content_hash", "provenance"]

_PACKAGES = ("mcbrain", "numpy", "scipy", "numba", "llvmlite", "pyarrow")


class ResultsFolder:
    """The folder of one study's results.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    InputError
        Something that is no path.

    Attributes
    ----------
    results, brain, blocks, study_file, provenance_file : Path
    """

    def __init__(self, path: str | Path) -> None:
        self.path = results_path(path)
        self.results = self.path / "results.arrow"
        self.brain = self.path / "brain.arrow"
        self.blocks = self.path / "blocks"
        self.study_file = self.path / "study.toml"
        self.provenance_file = self.path / "provenance.json"

    def check(self, study: Study) -> None:
        """Refuse a folder that belongs to a study of another name, or to no study.

        Raises
        ------
        StoreError
            Naming both studies, or the file that would be lost; nothing has been written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StoreError(f"{self.path}: a folder is needed, this is a file")
        mine = (self.results, self.brain, self.blocks, self.provenance_file)
        foreign = [path.name for path in mine if path.exists()]
        if foreign and not self.study_file.exists():
            raise StoreError(
                f"{self.path}: holds {foreign[0]} and no study.toml, so it is not of a run and "
                "would be lost; choose another folder with --out"
            )
        name = self.study_name()
        if name is not None and name != study.name:
            raise StoreError(
                f"{self.path}: holds the study '{name}', not '{study.name}'; "
                "choose another folder with --out, or rename the study"
            )

    def study_name(self) -> str | None:
        """Name of the study whose results are here, if any."""
        try:
            table = tomllib.loads(self.study_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.study_file}: cannot be read ({error})") from None
        if "name" not in table:
            raise StoreError(
                f"{self.study_file}: not a study, it has no name; choose another folder"
            )
        return str(table["name"])

    def study(self) -> Study:
        """The study whose blocks or results are here.

        Raises
        ------
        InputError
            Not a results folder.
        """
        if not self.study_file.is_file():
            raise StoreError(f"{self.path}: no study.toml here; name a results folder")
        return load_study(self.study_file)

    def record(self) -> dict[str, Any]:
        """Provenance of what is here; empty where there is none."""
        try:
            found = json.loads(self.provenance_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def keep_record(self, record: dict[str, Any]) -> None:
        """Write the provenance."""
        write_text(self.provenance_file, json.dumps(record, indent=1, sort_keys=True))

    @contextmanager
    def still(self) -> Iterator[None]:
        """Hold the lock of a folder that is read; one that may not be written needs none.

        Raises
        ------
        StoreError
            A run is writing here.
        """
        if not os.access(self.path, os.W_OK):
            yield
            return
        with self.writing():
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder's lock; one writer at a time.

        Raises
        ------
        StoreError
            Another run writes here, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise StoreError(
                f"{self.path}: another run is writing here; wait for it, or choose another "
                "folder with --out"
            ) from None
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be written ({error.strerror})") from None
        try:
            self._sweep()
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove what a killed run left half-written."""
        for folder in (self.path, self.blocks):
            for litter in (*folder.glob(".*.tmp"), *folder.glob("blocks-*.draft")):
                litter.unlink(missing_ok=True)

    def set_aside(self) -> Path | None:
        """Move what is here to a dated sibling folder (`--fresh`); where it went."""
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return None
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = self.path.with_name(f"{self.path.name}.before-{stamp}")
        count = 1
        while aside.exists():
            aside = self.path.with_name(f"{self.path.name}.before-{stamp}-{count}")
            count += 1
        with self.writing():
            self.path.rename(aside)
        return aside

    def keep_study(self, study: Study) -> None:
        """Write the resolved study; a former text that differs is kept beside it."""
        if kept := self.replaced_study(study):
            write_text(self.path / kept, self.study_file.read_text(encoding="utf-8"))
        write_text(self.study_file, tomli_w.dumps(study.table))

    def replaced_study(self, study: Study) -> str:
        """Name under which the former study's text is kept, empty where it is the same or none."""
        if not self.study_file.exists():
            return ""
        former = self.study_file.read_text(encoding="utf-8")
        if former == tomli_w.dumps(study.table):
            return ""
        return f"study-{content_hash(former)[:8]}.toml"


def content_hash(text: str) -> str:
    """SHA-256 of a text."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def provenance(study: Study, engine: str, threads: int, started: float) -> dict[str, Any]:
    """Versions, machine, seed, study and times: what is needed to make the results again."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    resolved = tomli_w.dumps(study.table)
    return {
        "study": study.name,
        "seed": study.seed,
        "engine": engine,
        "threads": threads,
        "versions": versions | {"python": platform.python_version()},
        "platform": platform.platform(),
        "processor": _processor(),
        "command": " ".join(["mcbrain", *sys.argv[1:]]),
        "started": _utc(started),
        "ended": _utc(time.time()),
        "study_text": study.text or resolved,
        "study_sha256": content_hash(resolved),
    }


def metadata(record: dict[str, Any]) -> dict[str, str]:
    """Provenance as Arrow schema metadata."""
    return {"mcbrain.provenance": json.dumps(record, sort_keys=True)}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
