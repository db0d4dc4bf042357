"""Parts that run in the browser: Python, JavaScript and CSS side by side, under one name."""
