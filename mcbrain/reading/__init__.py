"""What people write, read and validated: study files, and shifts in text."""

from mcbrain.reading.shifts import parse_shift, shifts_from_table, with_files
from mcbrain.reading.study import load_study, shipped_studies, study_from_table

__all__ = [
    "load_study",
    "parse_shift",
    "shifts_from_table",
    "shipped_studies",
    "study_from_table",
    "with_files",
]
