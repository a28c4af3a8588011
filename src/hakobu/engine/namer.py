"""Names for containers whose user gave none: an adjective and a thing that carries."""

import random
from collections.abc import Callable

_HOW = (
    "agile airy amber brave bright brisk calm candid clever crisp daring deft eager early fair fleet fond frank "
    "gentle glad golden grand happy honest humble jolly keen kind light lively lucid lucky merry mild misty neat "
    "nimble noble patient plain prompt proud quick quiet ready sharp silent silver sincere smart smooth snug solid "
    "spry steady sturdy sunny swift tidy trusty upbeat vivid warm wise witty young zesty"
).split()
_WHAT = (
    "airship barge basket bicycle boat bowl bridge bucket bus camel canoe caravan cargo carriage cart clipper "
    "coracle courier crane crate cutter dhow donkey dory drone elephant ferry freighter frigate furoshiki galley "
    "gondola handcart hauler horse jug junk kago kayak ketch lantern lift llama lorry mule oxcart packet pallet "
    "pelican pigeon porter raft rickshaw rocket sampan satchel schooner scow sedan ship shuttle sled sleigh sloop "
    "steamer stork tanker tender tote train tram trawler trolley truck tug vessel wagon wheelbarrow yak zeppelin"
).split()


def choose(taken: Callable[[str], bool]) -> str:
    """A name nobody has yet; digits are added once the plain pairs run out of luck."""
    for attempt in range(1000):
        name = f"{random.choice(_HOW)}_{random.choice(_WHAT)}"
        if attempt > 5:
            name += str(random.randrange(10 ** (attempt // 10 + 1)))
        if not taken(name):
            return name
    raise RuntimeError("no free container name was found in 1000 attempts")
