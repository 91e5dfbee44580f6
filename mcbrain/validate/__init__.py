"""The certificate: every law held against simulation, and every engine against the others."""

from mcbrain.validate.certificate import ALARM, FULL, QUICK, Certificate, certify
from mcbrain.validate.page import save

__all__ = ["ALARM", "FULL", "QUICK", "Certificate", "certify", "save"]
