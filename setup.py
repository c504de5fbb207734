"""What pyproject.toml cannot say: a wheel carries ``resources/`` in the window's package, as ``paths.py`` expects."""

from setuptools import find_namespace_packages, setup

BUNDLED = "partcraft_desktop.resources"

setup(
    packages=[*find_namespace_packages(include=["engine*", "partcraft_desktop*"]), BUNDLED],
    package_dir={BUNDLED: "resources"},
    package_data={BUNDLED: ["**/*"]},
    # Models that set-up fetched: a wheel is the same wherever it is built, and the app offers them again.
    exclude_package_data={BUNDLED: ["models/**/*"]},
)
