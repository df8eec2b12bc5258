"""The systems that are compared, the texts that they train on, and the quality of their vectors."""
