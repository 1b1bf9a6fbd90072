"""Training recipe: turns SmolLM2-135M-Instruct into a block-diffusion model for code."""
