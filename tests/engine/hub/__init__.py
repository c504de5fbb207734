"""Tests of engine.hub, against a hub played by a server on this computer."""
