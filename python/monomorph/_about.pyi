# The build backend writes this module: what the wheel is called, and which file it was made of.
MODULE: str
SLUG: str
VERSION: str
MODEL_FILE: str
MODEL_SHA256: str
