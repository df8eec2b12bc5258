"""The harness: measurements, the machine, results files, the report and printed output."""
