"""The fused tier: whole training passes in one function, equal to the layers on the same draws.

`naive` is the specification, composed of the layers; `cpu` runs the compiled kernels of `stretch` on threads.
"""
