"""What is retrieved: picture sets, protocols, views."""
