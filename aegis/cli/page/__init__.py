"""The page of a report: its parts, and the style and the script that it carries in itself."""
