from acronis_pipeline.retrieve import Hit


def hit(rank: int, text: str, *, title: str = "Trial", heading: str = "How long", anchor: str | None = "long") -> Hit:
    """A retrieved passage of the page `/docs/<rank>/`."""
    return Hit(
        chunk_id=f"chunk-{rank}",
        url=f"https://docs.example.com/docs/{rank}/",
        title=title,
        heading_path=(heading,),
        anchor=anchor,
        text=text,
        passage=f"{title} > {heading}\n\n{text}",
        cluster_id=f"cluster-{rank}",
        score=1 / rank,
        rank=rank,
    )
