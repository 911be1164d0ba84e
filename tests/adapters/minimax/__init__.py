"""What is special to the MiniMax adapter."""
