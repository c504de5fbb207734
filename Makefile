PY := .venv/bin/python
PYTEST := QT_QPA_PLATFORM=offscreen $(PY) -m pytest

# Windows and processes wait for each other on a machine that others share: what failed beside the rest is tried once
# more, alone, and named, for a test that passes only alone has found a race.
alone = { [ $$? = 1 ] && echo "== tried again, alone" && $(PYTEST) -m $(1) --last-failed --last-failed-no-failures none -rA -q; }
.PHONY: run test lint slow bench bundle clean

# The app. Files given as FILES="a.jpg b.partpack" are opened.
run:
	@if [ "$$(uname -s)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY$$QT_QPA_PLATFORM" ]; then \
		echo "PartCraft needs a screen, and none was found: start it from a desktop, or use \`partcraft render\` (see README)." >&2; exit 2; fi
	@./setup.sh run
	@$(PY) -m partcraft_desktop $(FILES)

# The fast suite, offscreen, on all cores.
test:
	@./setup.sh test
	$(PYTEST) -m "not slow" -n auto --dist worksteal || $(call alone,"not slow")

lint:
	@./setup.sh test
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports
	$(PY) -m pyright

# Checks that take minutes: the starter model's quick build, the real window, the bars.
slow:
	@./setup.sh test
	$(PYTEST) -m slow -n auto --dist worksteal || $(call alone,slow)

# Every bench script prints its own figures.
bench:
	@./setup.sh test
	@for script in tests/bench/*.py; do echo "== $$script"; QT_QPA_PLATFORM=offscreen $(PY) $$script || exit 1; done

bundle:
	@./setup.sh test
	$(PY) -m pip install -q -e '.[bundle]'
	$(PY) -m PyInstaller --noconfirm partcraft.spec

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
