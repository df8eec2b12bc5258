"""The systems under comparison, the texts they train on, and the quality of their vectors."""
