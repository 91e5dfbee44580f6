"""A results folder: which study it belongs to, where its files are, and what its notes say."""

from __future__ import annotations

import json
import math
import re
import time
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcbrain.asking.from_toml import reload_study
from mcbrain.asking.studies import Study
from mcbrain.checks import results_path
from mcbrain.errors import StoreError, unwritable
from mcbrain.store.atomic import write_text
from mcbrain.store.identity import Identity
from mcbrain.store.kept_files import keep_files, study_text
from mcbrain.store.lock import writing
from mcbrain.store.provenance import codes_of, content_hash

__all__ = ["ResultsFolder"]

# How a report names its pictures (reporting/page.html.j2).
_PICTURE = re.compile(r"<code>([a-z0-9-]+\.(?:png|svg))</code>")


class ResultsFolder:
    """The folder of one study's results.

    Parameters
    ----------
    path : str or Path
        Where it is or is to be; nothing is made before something is written.

    Raises
    ------
    InputError
        Something that is no path.

    Attributes
    ----------
    path : Path
        The folder itself.
    results, brain : Path
        The tables of results: risks and gains, and what is known of the brain stage.
    blocks : Path
        Folder of the block sums behind the results (`BlockStore`).
    replicates : Path
        Folder of the replicates that a run has kept (`results/kept_replicates.py`).
    files : Path
        Folder of the arrays and matrices that the study was given in files.
    report : Path
        The page that `mcbrain report` writes.
    study_file, provenance_file : Path
        The resolved study, and where the results come from (`store/provenance.py`).
    finished : Path
        The note by which a run that has nothing to do is recognised (`running/finished.py`).
    """

    def __init__(self, path: str | Path) -> None:
        self.path = results_path(path)
        self.results = self.path / "results.arrow"
        self.brain = self.path / "brain.arrow"
        self.blocks = self.path / "blocks"
        self.replicates = self.path / "replicates"
        self.files = self.path / "files"
        self.report = self.path / "report.html"
        self.study_file = self.path / "study.toml"
        self.provenance_file = self.path / "provenance.json"
        self.finished = self.path / ".finished"
        self._pace = self.path / ".pace"

    def check(self, study: Study) -> None:
        """Refuse a folder that belongs to a study of another name, or to no study.

        Parameters
        ----------
        study : Study
            The one whose results are to be written here.

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
        """Name of the study whose results are here, if any.

        Returns
        -------
        str or None
            None where there is no study.toml.

        Raises
        ------
        StoreError
            There is a study.toml that cannot be read or has no name.
        """
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

        Returns
        -------
        Study
            With the arrays and matrices that are kept in this folder.

        Raises
        ------
        StoreError
            Not a results folder, or one in which an array has changed.
        InputError
            The study in it is not one that this mcbrain allows.
        """
        if not self.study_file.is_file():
            raise StoreError(f"{self.path}: no study.toml here; name a results folder")
        return reload_study(self.study_file)

    # Any: texts, numbers and tables, as a file of JSON has them.
    def record(self) -> dict[str, Any]:
        """Provenance of what is here.

        Returns
        -------
        dict
            As `provenance.json` has it; empty where there is none or it cannot be read.
        """
        try:
            found = json.loads(self.provenance_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def codes(self) -> list[Identity]:
        """The code behind the rows that are here.

        Returns
        -------
        list of Identity
            The first one first; empty where no run has come so far as to leave a record.
        """
        record = self.record()
        return codes_of(record) if record else []

    def keep_record(self, record: dict[str, object]) -> None:
        """Write the provenance, unless it says the same already.

        Parameters
        ----------
        record : dict
            What JSON can hold. Keys are sorted, so that equal records are equal files.

        Raises
        ------
        UnfinishedError
            Disk full, folder not writable: the former record is then untouched.
        """
        _write_anew(self.provenance_file, json.dumps(record, indent=1, sort_keys=True))

    def keep_pace(self, pace: float) -> None:
        """Note how fast a run computes here, for `mcbrain status` to tell; a full disk is no error.

        Parameters
        ----------
        pace : float
            Seconds of one core that are spent on blocks in a second.
        """
        with suppress(StoreError):  # a full disk is met, and told, where blocks are written
            write_text(self._pace, repr(pace))

    def pace(self) -> float | None:
        """How fast the latest run computes or computed.

        Returns
        -------
        float or None
            Seconds of one core in a second, positive and finite; None where no run has noted it.
        """
        try:
            found = float(self._pace.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return found if 0 < found < math.inf else None

    def set_aside(self) -> Path | None:
        """Move what is here to a dated sibling folder (`--fresh`).

        A link stays: what it points to is moved, and a new folder takes its place there.

        Returns
        -------
        Path or None
            Where it went; None where there is no folder or nothing in it.

        Raises
        ------
        StoreError
            A run is writing here.
        UnfinishedError
            The folder cannot be moved.
        """
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return None
        home = self.path.resolve()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = home.with_name(f"{home.name}.before-{stamp}")
        count = 1
        while aside.exists():
            aside = home.with_name(f"{home.name}.before-{stamp}-{count}")
            count += 1
        with writing(self.path):
            try:
                home.rename(aside)
            except OSError as error:
                raise unwritable(aside, error) from None
        return aside

    def keep_study(self, study: Study) -> None:
        """Write the resolved study, with the files it refers to; a former text is kept beside it.

        Parameters
        ----------
        study : Study
            The one whose results are to be written here.

        Raises
        ------
        StoreError
            A file has changed since the study was read.
        UnfinishedError
            Disk full, folder not writable.
        """
        keep_files(self.path, study)
        if kept := self.replaced_study(study):
            write_text(self.path / kept, self.study_file.read_text(encoding="utf-8"))
        _write_anew(self.study_file, study_text(study))

    def replaced_study(self, study: Study) -> str:
        """Name under which the former study's text is kept when another takes its place.

        Parameters
        ----------
        study : Study
            The one that takes its place.

        Returns
        -------
        str
            "study-", eight digits of the hash of the former text, ".toml"; empty where the text is
            the same or there is none.
        """
        if not self.study_file.exists():
            return ""
        former = self.study_file.read_text(encoding="utf-8")
        if former == study_text(study):
            return ""
        return f"study-{content_hash(former)[:8]}.toml"

    def exports(self) -> list[Path]:
        """The tables that `mcbrain export` has written here.

        Returns
        -------
        list of Path
            Of results.csv and results.parquet those that are there.
        """
        return [f for f in map(self.results.with_suffix, (".csv", ".parquet")) if f.is_file()]

    def drop_report(self) -> list[Path]:
        """Remove a report that was made from older results, and the pictures that it names.

        Returns
        -------
        list of Path
            What was removed, the page first; empty where there was no report.
        """
        if not self.report.is_file():
            return []
        names = set(_PICTURE.findall(self.report.read_text(encoding="utf-8", errors="replace")))
        gone = [path for path in map(self.path.joinpath, sorted(names)) if path.is_file()]
        # The page last: it is what names the others, should this be cut short.
        for path in (*gone, self.report):
            with suppress(FileNotFoundError):
                path.unlink()
        return [self.report, *gone]


def _write_anew(path: Path, text: str) -> None:
    """Write a text file, unless it holds the text already."""
    with suppress(OSError):
        if path.read_bytes() == text.encode(errors="surrogateescape"):
            return
    write_text(path, text)
