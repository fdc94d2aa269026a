"""Small worlds to train in: products and topics, where questions name products in ways that the base may not know."""

from acronis_pipeline.core.dataset import Passage, Question, RetrievalDataset

CODENAMES = {
    "Acronis Cyber Backup": "Falcon",
    "Acronis Disaster Recovery": "Badger",
    "Acronis Files Cloud": "Walnut",
    "Acronis Snap Deploy": "Marble",
    "Acronis Device Lock": "Violet",
    "Acronis True Image": "Comet",
}
TOPICS = {
    "licence": "{0} is licensed for each workload and renewed every year.",
    "installation": "Install {0} with the setup program on every machine.",
    "storage": "{0} keeps its data in a local folder or in the cloud.",
    "schedule": "{0} runs every night unless another schedule is set.",
    "support": "Help with {0} is available around the clock by telephone.",
}


def passages() -> tuple[Passage, ...]:
    """Thirty short passages: every product with every topic."""
    return tuple(
        Passage(f"{product}/{topic}", sentence.format(product), f"{product}/{topic}", f"https://docs/{product}")
        for product in CODENAMES
        for topic, sentence in TOPICS.items()
    )


def question(product: str, topic: str, name: str, answer: str | None = None) -> Question:
    key = f"{product}/{topic}"
    return Question(f"{name} {key}", f"{name} {topic}", (answer or key,), product)


def codename_world() -> RetrievalDataset:
    """Questions by codename, which only training can connect with a product; validated on unseen combinations."""
    train, validation = [], []
    topics = list(TOPICS)
    for index, (product, codename) in enumerate(CODENAMES.items()):
        for topic in topics:
            held_out = topic == topics[index % len(topics)]
            (validation if held_out else train).append(question(product, topic, codename))
    return RetrievalDataset(passages(), tuple(train), tuple(validation))


def solved_world() -> RetrievalDataset:
    """The base answers every validation question at rank 1, and the training labels are wrong: training only hurts."""
    keys = [(product, topic) for product in CODENAMES for topic in TOPICS]
    wrong = keys[7:] + keys[:7]
    train = [question(*key, key[0], answer="/".join(other)) for key, other in zip(keys, wrong, strict=True)]
    sentences = {p.chunk_id: p.text for p in passages()}
    validation = [Question(f"v {key}", sentences[key], (key,), key) for key in list(sentences)[:6]]
    return RetrievalDataset(passages(), tuple(train), tuple(validation))
