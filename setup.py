"""What pyproject.toml cannot say: Streamlit's configuration lies beside the installed app."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfiguration(build_py):
    """Copies ``.streamlit`` of the checkout into the app's package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib, "lafe_app", "installed", ".streamlit")
            folder.mkdir(parents=True, exist_ok=True)
            self.copy_file(".streamlit/config.toml", str(folder))


setup(cmdclass={"build_py": BuildWithConfiguration})
