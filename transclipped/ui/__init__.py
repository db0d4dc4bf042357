"""Drawing: what pages share, and a folder for each page; the only part of the library that knows streamlit."""
