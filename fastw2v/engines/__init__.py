"""Engines, which train the two weight tables of a model on a corpus.

`selection` chooses an engine and a device. `cpu` and `gpu` are the fused engines, `eager` is the engine made of layers,
and `reference` specifies the results of the fused engines.
"""
