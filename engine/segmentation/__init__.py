"""Segmentation: from pictures to parts and codes, with DINO features and k-means."""
