"""The certificate: every law held against simulation, and every engine against the others."""

from mcbrain.certificate.page import save
from mcbrain.certificate.verdict import ALARM, FULL, QUICK, Certificate, certify

__all__ = ["ALARM", "FULL", "QUICK", "Certificate", "certify", "save"]
