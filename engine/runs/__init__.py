"""Runs: trainings as folders, made, started, watched and stopped from outside. Free of torch."""
