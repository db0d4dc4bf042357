"""Components that run in the browser: Python, JavaScript and CSS files of one name."""
