"""The app of this checkout: ``streamlit run streamlit_app.py``."""

import streamlit as st

from app.main import main
from app.server import middleware, settle

if __name__ == "__main__":  # Streamlit runs it, for every visitor and click
    main()
else:  # the server imports it, once
    settle()
    streamlit_app = st.App(__file__, middleware=middleware())
