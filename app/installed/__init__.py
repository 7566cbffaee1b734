"""The script of the installed app; `pages` beside it would be Streamlit's to show, and to run."""
