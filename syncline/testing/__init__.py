"""What a connector's author needs to prove it: subclass `ConnectorContract`, give it a `World`, run pytest. Needs pytest; imports only `syncline`."""

from syncline.testing.contract import ConnectorContract
from syncline.testing.world import World, closed_port, html_host

__all__ = ["ConnectorContract", "World", "closed_port", "html_host"]
