"""The app without its widgets: the session, its state, what is kept between starts, and the engine's client."""
