"""Training: from pictures with parts to tokens and a LoRA."""
