"""A run as one HTML file that opens offline."""

from .page import write_report as write_report
