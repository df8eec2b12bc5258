"""The harness: measurements, the machine, results, the report and printed output."""
