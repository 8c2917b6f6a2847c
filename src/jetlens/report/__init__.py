"""The report: all results of an analysis on one page that can be mailed."""

from jetlens.report.page import write_page

__all__ = ["write_page"]
