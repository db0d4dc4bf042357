"""What is retrieved: image sets, protocols, views."""
