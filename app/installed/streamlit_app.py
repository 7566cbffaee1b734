"""The app where it is installed, which ``lafe app`` runs; a checkout has ``streamlit_app.py``."""

import streamlit as st
from lafe_app.main import main
from lafe_app.server import middleware, settle

if __name__ == "__main__":
    main()
else:
    settle()
    streamlit_app = st.App(__file__, middleware=middleware())
