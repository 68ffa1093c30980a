"""What a connector's author needs to prove it: subclass `ConnectorContract`, give it a `World`, run pytest.

The one part of the kernel that touches the world, and only under test: it needs pytest, and imports nothing else of ours than `syncline`.
"""

from syncline.testing.contract import ConnectorContract
from syncline.testing.world import World, closed_port, html_host

__all__ = ["ConnectorContract", "World", "closed_port", "html_host"]
