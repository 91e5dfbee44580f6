"""BEFS for users: plain solver functions and their scikit-learn face."""

from mcbrain.befs.encoder import BrainEncoder, EncodingScore
from mcbrain.befs.regressor import BEFSRegressor

__all__ = ["BEFSRegressor", "BrainEncoder", "EncodingScore"]
