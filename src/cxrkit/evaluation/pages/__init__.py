"""`report.html` and `report.pdf` of an evaluation, section by section."""
