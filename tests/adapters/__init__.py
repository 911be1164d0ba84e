"""What is special to one technology."""
