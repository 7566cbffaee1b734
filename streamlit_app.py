"""The app of this checkout: ``streamlit run streamlit_app.py``."""

from app.main import main

main()
