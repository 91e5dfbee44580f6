"""What a user's own recordings are worth: estimated, predicted, measured and compared."""

from mcbrain.appraisal.appraising import appraise
from mcbrain.appraisal.files import load, load_groups
from mcbrain.appraisal.result import Appraisal

__all__ = ["Appraisal", "appraise", "load", "load_groups"]
