"""`python -m generation bench-gpu`: what each workflow, batch and switch is worth on the card of a real ComfyUI.

The product's own benchmarks are `sandbox.bench`.
"""
