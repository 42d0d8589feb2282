"""Where is the defect: what its checks compare, topic by topic as in the notebook."""

TOPICS = ("places", "formats", "unet", "cutpaste")
