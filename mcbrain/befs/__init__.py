"""BEFS for users' own data: scikit-learn estimators over plain solver functions."""

from mcbrain.befs.befs_regressor import BEFSRegressor
from mcbrain.befs.brain_encoder import BrainEncoder, EncodingScore

__all__ = ["BEFSRegressor", "BrainEncoder", "EncodingScore"]
