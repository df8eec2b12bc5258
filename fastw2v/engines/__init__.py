"""Engines, which train the two weight tables of a model on a corpus.

`selection` chooses an engine and a device. `cpu` and `gpu` are the fused engines, and `eager` is the layers engine.
`reference` specifies the results of the fused engines.
"""
