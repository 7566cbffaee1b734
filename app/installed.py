"""The app where it is installed, which ``lafe app`` runs; a checkout has ``streamlit_app.py``."""

from lafe_app.main import main

main()
