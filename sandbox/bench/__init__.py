"""`make bench`: the product's speed beside plain ComfyUI, a default arq worker and the research's design."""
