"""Training on several machines: replicas train parts of a corpus and combine their changes after every round."""
