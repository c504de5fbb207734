"""Tests of partcraft_desktop.models."""
